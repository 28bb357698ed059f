# Power cuts during fn-ingest: what is found is a store with all its bytes, or a folder that the same command
# goes on with to these bytes; and no store that was reported as made is ever gone.
. "$TOOLS"
. "$FN_SOURCE/tests/fault/tools.sh"
. "$FN_SOURCE/tests/fault/power.sh"
expect 0 draw-faces --tsv faces.tsv --people 4 --images 8 --size 40 --damage 2
head -n 12 faces.tsv >first.tsv
tail -n +13 faces.tsv >second.tsv
run() { $inject fn-ingest first.tsv second.tsv --store box/db --max-rejects 100% --threads 1 --codec raw --size 182 --shard-bytes 1M --quiet; }
same() { [ -e box/db/provenance.json ] && diff -r -x provenance.json box/db whole >diff.out; }
mkdir box
run >out
mv box/db whole

# First run: Ctrl-C while the rows of the first input are read (it was looked at with two reads before), so that
# these are committed in between; then the one that finishes.
spec=read:3:INT under=/first.tsv record "$PWD/story" "$PWD/box" run
[ $got = 130 ] && grep -q 'interrupted after row 12' err || fail "an interrupted run: exit $got"
reported=$(fault-replay story)
record "$PWD/story" "$PWD/box" run
[ $got = 0 ] && same || fail "the run that finishes: exit $got"

sealed=0
after_cut() {
    if [ -e box/db/manifest.json ]; then
        sealed=$((sealed + 1))
        fn-dump box/db verify --quiet >out 2>err || fail "cut after $1, seed $2: sealed, but not whole"
    elif [ "$1" = "$(fault-replay story)" ]; then
        fail "cut at the end, seed $2: the store that was reported as made is gone"
    fi
    run >out 2>err || fail "cut after $1, seed $2: the same command does not go on"
    same || fail "cut after $1, seed $2: another result"
}
cuts story box
echo "$sealed were sealed"
[ $sealed -gt 0 ] && [ $bad = 0 ]

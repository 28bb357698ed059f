# Power cuts during fn-ingest: what is found is a store with all its bytes, or a folder that the same command
# goes on with to these bytes; and no store that was reported as made is ever gone.
. "$TOOLS"
. "$FN_SOURCE/tests/fault/tools.sh"
. "$FN_SOURCE/tests/fault/power.sh"
expect 0 draw-faces --tsv faces.tsv --people 4 --images 8 --size 40 --damage 2
run() { $inject fn-ingest faces.tsv --store box/db --max-rejects 100% --threads 1 --codec raw --size 182 --shard-bytes 1M --quiet; }
same() { [ -e box/db/provenance.json ] && diff -r -x provenance.json box/db whole >diff.out; }
mkdir box
run >out
mv box/db whole

# First run: Ctrl-C, so that its rows are committed in between; then the one that finishes.
spec=read:6:INT record "$PWD/story" "$PWD/box" run
[ $got = 130 ] || fail "an interrupted run: exit $got"
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

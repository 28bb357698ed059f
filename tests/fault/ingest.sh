# fn-ingest with failing calls: of files, and of memory. A sentence, exit 1, and the same command goes on to
# the same bytes. FN_FAULT_EVERY: every so many-th call only.
. "$TOOLS"
. "$FN_SOURCE/tests/fault/tools.sh"
expect 0 draw-faces --tsv faces.tsv --people 4 --images 8 --size 40 --damage 2
expect 0 draw-faces --tree people --pairs pairs.txt --people 3 --images 4 --size 40 --pair-count 20
run() { $inject fn-ingest $options --store db --quiet; }
same() { [ -e db/provenance.json ] && diff -r -x provenance.json db whole >diff.out; }
fresh() { rm -rf db; }
whole() { # OPTIONS...: what the sweeps that follow do, and what it gives without a fault
    options=$*
    echo "fn-ingest $options"
    rm -rf whole db
    run >out
    mv db whole
}

# A TSV with damaged rows into several shards, each copied while the next one grows.
whole faces.tsv --max-rejects 100% --threads 1 --codec raw --size 182 --shard-bytes 1M
sweep_files
sweep_ends
sweep alloc ENOMEM

# A tree of folders, two threads. A picture that cannot be read is a reject, no failure: only the store's calls.
under=/db
whole people --threads 2 --size 64 --codec png
sweep_files
sweep alloc ENOMEM

# A store that was begun and broken off.
under=
whole faces.tsv --max-rejects 100% --threads 1 --codec raw --size 182 --shard-bytes 1M
fresh
fault write:12:INT run
[ $got = 130 ] || fail "an interrupted run: exit $got"
mv db begun
fresh() { rm -rf db && cp -r begun db; }
sweep_files
sweep_ends
sweep alloc ENOMEM
echo "$faults faults"
[ $bad = 0 ]

# Ten million records in a hundred thousand classes through the writer's interface: sealing time and memory,
# opening, random access, and fn-dump's list and stats of it. Needs 4 GB of disk.
"$FN_BIN/bench_store" scale 10000000 12 12 100000 keep
for command in stats "stats --json"; do
    begin=$(date +%s%N)
    fn-dump scale $command >out
    echo "fn-dump $command: $((($(date +%s%N) - begin) / 1000000)) ms"
done
begin=$(date +%s%N)
[ "$(fn-dump scale list | wc -l)" = 10000000 ]
echo "fn-dump list: $((($(date +%s%N) - begin) / 1000000)) ms"

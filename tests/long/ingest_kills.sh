# fn-ingest killed (kill -9) at FN_KILLS random moments, many times a run, while it reads, copies shards ahead
# and seals: no row is lost or doubled, and each store in the end has the bytes of an undisturbed run.
. "$TOOLS"
kills=${FN_KILLS:-1000}
expect 0 draw-faces --tsv one.tsv --people 20 --images 20 --size 96 --damage 15
for i in 0 1 2 3 4 5; do sed "s/^m\./m.$i/" one.tsv; done >faces.tsv
run() { exec fn-ingest faces.tsv --store db --codec raw --size 48 --shard-bytes 2M --max-rejects 100% --quiet --threads 2; }
begin=$(date +%s%N)
(run)
took=$((($(date +%s%N) - begin) / 1000000)) # milliseconds
mv db whole
rm whole/provenance.json
RANDOM=${FN_SEED:-1} killed=0 stores=0 most=0
while [ $killed -lt "$kills" ]; do
    again=0
    while :; do
        # Short of a whole run, so that there are several kills in each; now and then a longer one, so that it ends.
        after=$((RANDOM * (again % 5 == 4 ? took : took / 5) / 32768))
        set +e
        (run) >out 2>err &
        pid=$!
        sleep "$((after / 1000)).$(printf %03d $((after % 1000)))"
        kill -9 $pid 2>err2
        wait $pid 2>err2
        got=$?
        set -e
        [ $got = 137 ] || break
        killed=$((killed + 1)) again=$((again + 1))
    done
    [ $got = 0 ] || { echo "FAILED: exit $got after $again kills"; cat err; exit 1; }
    rm db/provenance.json
    diff -r db whole || { echo "FAILED: $again kills changed the bytes"; exit 1; }
    rm -rf db
    stores=$((stores + 1))
    [ $again -le $most ] || most=$again
done
echo "$killed kills, $stores stores, at most $most kills in one: the same bytes (a whole run takes $took ms)"

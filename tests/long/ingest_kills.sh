# fn-ingest killed (kill -9) at FN_KILLS random moments, many times a run, while it reads, copies shards ahead
# and seals: no row is lost or doubled, and each store in the end has the bytes of an undisturbed run.
. "$TOOLS"
. "$FN_SOURCE/tests/fault/kills.sh"
expect 0 draw-faces --tsv one.tsv --people 20 --images 20 --size 96 --damage 15
for i in 0 1 2 3 4 5; do sed "s/^m\./m.$i/" one.tsv; done >faces.tsv
run() { exec fn-ingest faces.tsv --store db --codec raw --size 48 --shard-bytes 2M --max-rejects 100% --quiet --threads 2; }
measure
mv db whole
rm whole/provenance.json
stores=0 most=0
while [ $count -lt "$kills" ]; do
    to_the_end 5 5
    rm db/provenance.json
    diff -r db whole || { echo "FAILED: $again kills changed the bytes"; exit 1; }
    rm -rf db
    stores=$((stores + 1))
    [ $again -le $most ] || most=$again
done
echo "$count kills, $stores stores, at most $most kills in one: the same bytes (a whole run takes $took ms)"

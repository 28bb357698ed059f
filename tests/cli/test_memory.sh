# What fn-ingest takes of memory, whatever the input: at most 256 MiB and 8 MiB a thread, anonymous. Long rows, many rows,
# many classes; tests/long/ingest_memory.sh runs this with more of everything.
. "$TOOLS"
command -v python3 >/dev/null || skip "no python3"
[ -r /proc/self/status ] && grep -q RssAnon /proc/self/status || skip "no RssAnon in /proc"
case $(readelf -d "$(command -v fn-ingest)") in *libasan* | *libtsan*) skip "sanitizers take memory of their own" ;; esac
rows=${FN_MEMORY_ROWS:-4000} classes=${FN_MEMORY_CLASSES:-20000} line=${FN_MEMORY_LINE:-150000000}
here=$FN_SOURCE/tests/python
measure() { # NAME THREADS OPTIONS...: stdin; $records
    name=$1 threads=$2
    shift 2
    rm -rf db
    expect 0 python3 "$here/peak_anon.py" fn-ingest - --store db --threads "$threads" --json "$@"
    peak=$(sed -n 's/^peak anonymous KiB: //p' err)
    records=$(sed -n 's/.*"records": \([0-9]*\).*/\1/p' out)
    echo "$name: $((peak / 1024)) MiB of anonymous memory, $threads threads, $records records"
    [ "$peak" -gt 1000 ] || { echo "FAILED: nothing was measured"; exit 1; }
    [ "$peak" -le $(((256 + 8 * threads) * 1024)) ] || { echo "FAILED: that is too much"; exit 1; }
}
expect 0 draw-faces --tsv faces.tsv --people 10 --images 10 --size 182
for threads in 2 8; do
    python3 "$here/make_rows.py" rows "$rows" faces.tsv | measure "$rows rows" $threads
done
python3 "$here/make_rows.py" classes "$classes" | measure "$classes classes" 2 --codec keep --size 0
fn-dump db stats --json | grep -q "\"classes\": $classes,"
python3 "$here/make_rows.py" line "$line" | measure "a row of $line bytes" 2 --codec keep --size 0 --max-rejects 1
fn-dump db rejects | grep -q long_row
fn-dump db stats --json | grep -q '"records": 2,'
python3 "$here/make_rows.py" picture 15500000 | measure "a row of 20 MB" 8
fn-dump db stats --json | grep -q '"records": 3,'

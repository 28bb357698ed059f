# fn-ingest stopped: by Ctrl-C, by kill -9 at many moments, by a full disk, by an input that breaks off, by a second
# run on the same folder. The same command goes on, and the sealed bytes are those of a run that was never stopped.
# ctest labels: slow
. "$TOOLS"
same_bytes() { # STORE
    rm -f "$1/provenance.json"
    diff -r "$1" whole || { echo "FAILED: $2 gave other bytes"; exit 1; }
    rm -rf "$1"
}
until_says() { # FILE TEXT: waits, 20 seconds at most
    for i in $(seq 200); do
        grep -qF -- "$2" "$1" 2>/dev/null && return
        sleep 0.1
    done
    echo "FAILED: '$2' did not come"
    exit 1
}
expect 0 draw-faces --tsv one.tsv --people 20 --images 20 --size 96
# Four thousand rows: the same pictures under other class names.
for i in 0 1 2 3 4 5 6 7 8 9; do sed "s/^m\./m.$i/" one.tsv; done >faces.tsv
half=$(($(wc -c <faces.tsv) / 2))
expect 0 fn-ingest faces.tsv --store whole
rm whole/provenance.json

# ---- Ctrl-C while the input is silent ----
mkfifo pipe
fn-ingest - --store db --verbose <pipe 2>err &
pid=$!
exec 3>pipe
head -c $half faces.tsv >&3
until_says err "layout aligned7"
sleep 0.5
kill -INT $pid
set +e
wait $pid
got=$?
set -e
exec 3>&-
same $got 130 "exit status after Ctrl-C"
says err "the same command goes on from there"
[ ! -e db/manifest.json ] || { echo "FAILED: sealed by a run that was stopped"; exit 1; }
expect 1 fn-ingest faces.tsv --store db --size 64
says err "size"
cat faces.tsv | expect 0 fn-ingest - --store db
same_bytes db "going on after Ctrl-C"

# ---- SIGTERM likewise, and going on from a plain file ----
fn-ingest pipe --store db 2>err &
pid=$!
exec 3>pipe
head -c $half faces.tsv >&3
until_says err "layout aligned7"
sleep 0.5
# A second run on the same folder is refused meanwhile.
expect 1 fn-ingest faces.tsv --store db
says err "db is being written by"
kill -TERM $pid
set +e
wait $pid
got=$?
set -e
exec 3>&-
same $got 130 "exit status after SIGTERM"
expect 0 fn-ingest faces.tsv --store db
says err "going on after row"
same_bytes db "going on after SIGTERM"

# stop SIGNAL SECONDS COMMAND...: runs it, sends the signal after that time; its exit status in $got. What is
# waited for is the command itself: when it is gone, so is its lock.
stop() {
    signal=$1 after=$2
    shift 2
    set +e
    "$@" >out 2>err &
    pid=$!
    sleep "$after"
    kill "-$signal" $pid 2>/dev/null
    wait $pid 2>/dev/null
    got=$?
    set -e
}

# ---- Ctrl-C at any moment ----
for after in 0.02 0.05 0.1 0.15 0.2 0.3; do
    stop INT $after fn-ingest faces.tsv --store db --threads 3
    [ $got = 130 ] || [ $got = 0 ] || { echo "FAILED: exit $got"; cat err; exit 1; }
done
expect 0 fn-ingest faces.tsv --store db
same_bytes db "Ctrl-C at any moment"

# ---- kill -9 at any moment, several times a run ----
expect 0 fn-ingest faces.tsv --store many --shard-bytes 4M
rm many/provenance.json
runs=0 killed=0
for round in 1 2 3 4 5 6; do
    for after in 0.01 0.03 0.07 0.12 0.2 0.35 0.5 0.8; do
        stop KILL "$(echo "$after $round" | awk '{ print $1 + $2 * 0.011 }')" \
            fn-ingest faces.tsv --store db --shard-bytes 4M
        runs=$((runs + 1))
        [ $got = 137 ] && killed=$((killed + 1))
        [ $got = 137 ] || [ $got = 0 ] || { echo "FAILED: exit $got"; cat err; exit 1; }
        [ $got = 137 ] || break
    done
    expect 0 fn-ingest faces.tsv --store db --shard-bytes 4M
    rm db/provenance.json
    diff -r db many || { echo "FAILED: kill -9 lost or changed something"; exit 1; }
    rm -rf db
done
echo "$killed of $runs runs were killed"
[ "$killed" -ge 6 ] || { echo "FAILED: too few runs were killed to say anything"; exit 1; }

# ---- an input that breaks off, and comes whole the next time ----
gzip -k faces.tsv
head -c $(($(wc -c <faces.tsv.gz) * 2 / 3)) faces.tsv.gz >cut.gz
expect 1 fn-ingest cut.gz --store db
says err "cut.gz: damaged, or it ends early"
says err "the same command goes on"
mv faces.tsv.gz cut.gz
expect 0 fn-ingest cut.gz --store db
says err "going on after row"
same_bytes db "an input that broke off"

# ---- a full disk, and a folder that cannot be written ----
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=6m fn-test small 2>/dev/null; then
    trap 'umount small' EXIT
    expect 1 fn-ingest faces.tsv --store small/db
    says err "small/db"
    says err "what was stored before is kept"
    [ ! -e small/db/manifest.json ] || { echo "FAILED: sealed on a full disk"; exit 1; }
    # Room for the rows, not for sealing them.
    mount -o remount,size=$(($(wc -c <whole/shard-00000.mdb) / 1024 + 300))k small
    expect 1 fn-ingest faces.tsv --store small/db
    says err "No space left on device"
    mount -o remount,size=200m small
    expect 0 fn-ingest faces.tsv --store small/db
    rm small/db/provenance.json
    diff -r small/db whole || { echo "FAILED: a full disk changed the bytes"; exit 1; }
    rm -rf small/db
    mount -o remount,ro small
    expect 1 fn-ingest faces.tsv --store small/db
    says err "Read-only file system"
    trap - EXIT
    umount small
else
    echo "SKIPPED full disk: no root, or no tmpfs may be mounted"
fi
if [ "$(id -u)" != 0 ]; then
    mkdir locked
    chmod a-w locked
    expect 1 fn-ingest faces.tsv --store locked/db
    says err "Permission denied"
fi

# A named pipe that nobody writes to: one Ctrl-C is enough.
mkfifo nobody
fn-ingest nobody --store never 2>waiting &
pid=$!
sleep 0.5
kill -INT $pid
wait $pid && exit 1 || same $? 130 "the exit of an interrupted wait"
says waiting "interrupted while waiting for nobody"
[ ! -e never ] || { echo "FAILED: a store of no input"; exit 1; }

# A sealed store where nothing can be written, opened by eight processes at once; copies of it; names in any encoding.
. "$TOOLS"
expect 0 draw-faces --tree people --people 5 --images 4 --size 48
mkdir "people/$(printf 'M\374ller')" "people/$(printf '\345\220\211')" "people/ two  blanks " "people/-dash"
for folder in people/M*ller people/$(printf '\345\220\211') "people/ two  blanks " people/-dash; do
    cp people/"$(ls people | head -n 1)"/*1.jpg "$folder/$(printf 'p\351\351').jpg" 2>/dev/null ||
        cp "$(find people -name '*.jpg' | head -n 1)" "$folder/$(printf 'p\351\351').jpg"
done
expect 0 fn-ingest people --store db --size 48 -q
expect 0 fn-dump db list
lines=$(wc -l <out)
cp out list.txt
expect 0 fn-dump db export back --format keep -q
(cd people && find . -type f | sed 's/\.[^.]*$//' | LC_ALL=C sort) >want.txt
(cd back && find . -type f | sed 's/\.[^.]*$//' | LC_ALL=C sort) >got.txt
cmp want.txt got.txt # every byte of every name

# ---- copies ----
cp -r db copied
expect 0 fn-dump copied verify
if command -v rsync >/dev/null; then
    rsync -a db/ synced/
    expect 0 fn-dump synced verify
else
    echo "SKIPPED a copy by rsync: it is not installed"
fi
tar -cf - db | (mkdir untarred && tar -xf - -C untarred)
expect 0 fn-dump untarred/db verify

# ---- no permission to write ----
chmod -R a-w copied
expect 0 fn-dump copied verify
expect 0 fn-ingest people --store copied --size 48
says err "nothing to do"
chmod -R u+w copied

# ---- a mount that is read-only, eight at once ----
eight() { # STORE
    pids=
    for i in 1 2 3 4 5 6 7 8; do
        case $i in
        [1234]) fn-dump "$1" verify --threads 2 >"out.$i" 2>&1 & ;;
        [56]) fn-dump "$1" list >"out.$i" 2>&1 & ;;
        *) fn-dump "$1" sheet - >"out.$i" 2>"err.$i" & ;;
        esac
        pids="$pids $!"
    done
    for pid in $pids; do wait "$pid" || { echo "FAILED: one of eight"; cat out.[1-6]; exit 1; }; done
    cmp out.5 list.txt
    cmp out.6 list.txt
    cmp out.7 out.8
}
eight db
mkdir mounted
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=16m fn-test mounted 2>/dev/null; then
    trap 'umount mounted' EXIT
    cp -r db mounted/db
    cp -r db mounted/broken
    dd if=/dev/zero of=mounted/broken/index.bin bs=1 seek=4100 count=9 conv=notrunc 2>/dev/null
    mount -o remount,ro mounted
    eight mounted/db
    same "$lines" "$(fn-dump mounted/db list | wc -l)" "records"
    expect 0 fn-ingest people --store mounted/db --size 48
    says err "nothing to do"
    expect 1 fn-ingest people --store mounted/db --size 40
    # A damaged one there can still be repaired, to another place.
    expect 1 fn-ingest --repair mounted/broken
    says err "Read-only file system"
    expect 0 fn-ingest --repair mounted/broken --store whole -q
    cmp whole/index.bin db/index.bin
    trap - EXIT
    umount mounted
else
    echo "SKIPPED a read-only mount: no root, or no tmpfs may be mounted"
fi

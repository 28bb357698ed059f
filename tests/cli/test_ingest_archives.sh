# Class folders as archives, RecordIO, and several inputs in one run: the bytes of a tree's store whatever the tree
# comes in, odd and evil names, what is left out, damage, and going on after every kind of end.
# ctest labels: threads
. "$TOOLS"
python=${FN_PYTHON:-python3}
people=$FN_SOURCE/samples/people
same_store() { # STORE OTHER WHAT: but for how they came to be
    rm -f "$1/provenance.json" "$2/provenance.json"
    diff -r "$1" "$2" || { echo "FAILED: $3 gave other bytes"; exit 1; }
}
rejects() { # STORE REASON: how many
    grep -v '^#' "$1/rejects.tsv" | cut -f 4 | grep -cx "$2" || true
}
has() { # PROGRAM...: 1 if they are all there
    for program in "$@"; do
        command -v "$program" >/dev/null || { echo "SKIPPED what needs $program"; return 1; }
    done
}
files() { (cd "$1" && find . -type f | cut -c 3- | LC_ALL=C sort); }
cp -r "$people" people
pictures=$(files people | wc -l)
expect 0 fn-ingest people --store tree

# ---- every wrapping, with and without a prefix, from a pipe, on any number of threads ----
tar --sort=name -cf people.tar people
tar --sort=name -cf bare.tar -C people $(ls people)
tar --sort=name --transform 's,^,a/deep/prefix/,' -cf deep.tar people
tar --sort=name --format=posix -cf posix.tar people
tar --sort=name --format=v7 -cf old.tar people
gzip -k people.tar
ways="people.tar bare.tar deep.tar posix.tar old.tar people.tar.gz"
for way in "bzip2 bz2" "xz xz" "zstd zst"; do
    set -- $way
    has "$1" && { $1 -c people.tar >people.tar.$2; ways="$ways people.tar.$2"; }
done
if has zip; then
    files people | sed 's,^,people/,' >list
    zip -q packed.zip -@ <list
    zip -q -0 stored.zip -@ <list
    zip -q - -@ <list >streamed.zip # sizes stand behind the data
    ways="$ways packed.zip stored.zip streamed.zip"
fi
for way in $ways; do
    expect 0 fn-ingest "$way" --store way --threads 3
    says err "$way: class folders in an archive ("
    same_store way tree "$way"
    rm -rf way
done
cat people.tar people.tar >twice.tar
expect 0 fn-ingest twice.tar --store twice
says out "$pictures records + $pictures duplicates"
cp people.tar misnamed.tsv
expect 0 fn-ingest misnamed.tsv --store way --threads 1
same_store way tree misnamed.tsv
rm -rf way
cat people.tar.gz | expect 0 fn-ingest - --store way
expect 0 fn-ingest people.tar.gz --store way # the same pictures: nothing to do
says err "nothing to do"
same_store way tree "a pipe"
rm -rf way

# ---- names: any bytes, and none that leads anywhere ----
mkdir -p "odd/Jürgen Ö" odd/plain outside
one=people/$(head -n 1 <<EOF
$(files people)
EOF
)
long=$(printf 'n%.0s' $(seq 251)).jpg
latin=$(printf 'caf\351').jpg
for name in "Jürgen Ö/1 (a b).jpg" "plain/日本語.jpg" "plain/$latin" "plain/$long" 'plain/tab$HOME.jpg'; do
    cp "$one" "odd/$name"
done
expect 0 fn-ingest odd --store oddtree
fn-dump oddtree list | cut -f 3,4 | LC_ALL=C sort >want
grep -q 'plain	caf.xe9$' want && grep -q 'Jürgen Ö	1 (a b)$' want
for format in gnu posix; do
    tar --sort=name --format=$format -cf odd-$format.tar odd
    expect 0 fn-ingest odd-$format.tar --store odd-$format
    same_store odd-$format oddtree "odd names in a $format tar"
done
if has zip; then
    (cd odd && files . | zip -q ../odd.zip -@)
    expect 0 fn-ingest odd.zip --store odd-zip
    fn-dump odd-zip list | cut -f 3,4 | LC_ALL=C sort >got
    cmp got want || { echo "FAILED: names in a zip"; diff got want; exit 1; }
fi
mkdir -p evil/Ann
cp "$one" evil/Ann/1.jpg
touch before
tar -P --transform 's,^evil/Ann/1,../../Ann/up,' -cf evil.tar evil/Ann/1.jpg
for to in /tmp/fn-abs/abs ../dots 'evil/../parent' "$(printf 'Ann/\001control')" "Ann/$(printf 'x%.0s' $(seq 300))"; do
    tar -P --transform "s,^evil/Ann/1,$to," -rf evil.tar evil/Ann/1.jpg
done
expect 0 fn-ingest evil.tar --store evilstore --max-rejects 90%
same "$(rejects evilstore bad_name)" 4 "names that cannot be names"
expect 0 fn-dump evilstore list
says out "	Ann	up	"
says out "	fn-abs	abs	"
expect 0 fn-dump evilstore export outside
same "$(find . .. -maxdepth 1 -newer before -name '*.jpg' | wc -l)" 0 "files outside"
[ ! -e /tmp/fn-abs ] || { echo "FAILED: an absolute path was followed"; exit 1; }

# ---- what is left out, and what is refused ----
mkdir -p mixed/Ann/.thumbs mixed/.cache/Bob mixed/__MACOSX/Ann mixed/Bob
cp "$one" mixed/Ann/1.jpg
for name in Ann/._1.jpg Ann/.2.jpg Ann/.thumbs/1.jpg .cache/Bob/1.jpg __MACOSX/Ann/1.jpg Ann/notes.txt README; do
    cp "$one" "mixed/$name"
done
: >mixed/Bob/empty.jpg
ln -s ../Ann/1.jpg mixed/Bob/soft.jpg
ln mixed/Ann/1.jpg mixed/Bob/hard.jpg
mkfifo mixed/Bob/pipe.jpg
head -c 68000000 /dev/zero >mixed/Bob/huge.jpg
tar --sort=name -czf mixed.tgz mixed
expect 0 fn-ingest mixed.tgz --store mixed-db --max-rejects 90% --json
says err "mixed.tgz: 7 other entries were left out"
says out '"records": 1,'
same "$(rejects mixed-db unreadable)" 3 "links and pipes"
same "$(rejects mixed-db empty_data)" 1 "empty files"
same "$(rejects mixed-db image_too_large)" 1 "files that are too long"
grep -q 'Bob/hard: a link or a device' mixed-db/rejects.tsv
if has zip; then # a bomb: 200 MB in 200 kB, size said or not
    for i in 1 2 3; do ln mixed/Bob/huge.jpg mixed/Ann/bomb$i.jpg; done
    files mixed | grep -E 'Ann/(1|bomb.)\.jpg' | (cd mixed && zip -q - -@) >bomb.zip
    expect 0 fn-ingest bomb.zip --store bomb --max-rejects 90%
    same "$(rejects bomb image_too_large)" 3 "bombs"
fi
mkdir words
seq 100 >words/list.txt
tar cf words.tar words
expect 1 fn-ingest words.tar --store none
says err "neither class folders with .jpg or .png pictures nor a face TSV are in it (1 entry, the first is words/list.txt)"
[ ! -e none ] || { echo "FAILED: a store was made of nothing"; exit 1; }
# Rows and pictures, each behind other files.
expect 0 fn-ingest "$FN_SOURCE/samples/faces.tsv" --store rows --max-rejects 10%
cp "$FN_SOURCE/samples/faces.tsv" words/z.tsv
tar --sort=name -cf words.tar words
expect 0 fn-ingest words.tar --store rows2 --max-rejects 10%
same_store rows2 rows "a TSV behind another file"
tar --sort=name -cf both.tar words/list.txt people
expect 0 fn-ingest both.tar --store way
says err "both.tar: 1 other entry was left out"
same_store way tree "pictures behind another file"
rm -rf way

# ---- damage: one picture of a zip, one header of a tar; and everything from some byte on ----
expect 0 draw-faces --tree many --people 12 --images 12 --size 96
for i in 0 1 2 3 4 5 6 7 8 9; do
    tar --sort=name --transform "s,^many/,many/m$i," -rf many.tar many
done
many=1440
expect 0 fn-ingest many.tar --store whole
says out "whole: $many records in 120 classes"
rm whole/provenance.json
python_has=0
"$python" -c 'import zipfile' 2>/dev/null && python_has=1 || echo "SKIPPED what needs $python"
if [ $python_has = 1 ] && has zip; then
    "$python" - <<'EOF'
import re
import zipfile
data = bytearray(open("stored.zip", "rb").read())
where = zipfile.ZipFile("stored.zip").infolist()[5]
data[where.header_offset + 30 + len(where.filename) + 40 + where.compress_size // 2] ^= 16
open("hurt.zip", "wb").write(data)
data = bytearray(open("many.tar", "rb").read())
at = re.search(rb"many/m5[^\0]+\.jpg", data).start()
data[at + 1] ^= 4  # a name: the sum of the header is wrong
open("hurt.tar", "wb").write(data)
data = bytearray(open("packed.zip", "rb").read())
data[zipfile.ZipFile("packed.zip").infolist()[5].header_offset] ^= 1  # an entry that seems not to be there
open("gone.zip", "wb").write(data)
data = bytearray(open("people.tar", "rb").read())
last = [m.start() for m in re.finditer(rb"people/[^\0]+\.jpg\0", data)][-1]
open("no-mark.tar", "wb").write(data[:last])  # cut between two entries
data[last] ^= 1
open("last.tar", "wb").write(data)
EOF
    expect 0 fn-ingest hurt.zip --store hurt --json
    says out "\"records\": $((pictures - 1)),"
    same "$(rejects hurt unreadable)" 1 "damaged entries"
    grep -q 'cannot be read out of the archive: .*CRC' hurt/rejects.tsv
    rm -rf hurt
    while read -r file says; do
        expect 0 fn-ingest $file --store hurt --json
        says out "\"records\": $((pictures - 1)),"
        grep -q "$says" hurt/rejects.tsv || { echo "FAILED: not '$says'"; cat hurt/rejects.tsv; exit 1; }
        rm -rf hurt
    done <<EOF
gone.zip the archive is damaged: $pictures entries are in its directory, but $((pictures - 1)) were found
no-mark.tar the archive has no end mark
last.tar the archive is damaged: behind [0-9]* entries no more were found
EOF
    head -c -1 packed.zip >cut
    expect 1 fn-ingest cut --store hurt
    says err "cut: damaged, or it ends early: the end of its directory is missing"
    rm -rf hurt
    expect 0 fn-ingest hurt.tar --store hurt --json
    says out "\"records\": $((many - 1)),"
    same "$(rejects hurt unreadable)" 1 "damaged headers"
    grep -q 'the archive is damaged: what stood in front of many/m5' hurt/rejects.tsv
    rm -rf hurt
fi
gzip -k many.tar
tar xf many.tar --one-top-level=tree-of-many
ways="tar tar.gz"
if has zip; then
    tar tf many.tar | grep '\.jpg$' | (cd tree-of-many && zip -q ../many.zip -@)
    ways="$ways zip"
fi
for way in $ways; do
    rm -rf db
    head -c $(($(wc -c <many.$way) * 2 / 3)) many.$way >cut
    expect 1 fn-ingest cut --store db
    says err "cut: damaged, or it ends early"
    says err "the same command goes on"
    stored=$(sed -n 's/^\([0-9]*\) rows, .*/\1/p' err | tail -n 1)
    [ "$stored" -gt $((many / 2)) ] || { echo "FAILED: only $stored rows before the cut"; exit 1; }
    # Another archive with the same beginning is not the same input.
    if [ $way = tar ] && [ $python_has = 1 ]; then
        "$python" -c 'd = bytearray(open("many.tar", "rb").read()); d[len(d) // 2] ^= 1; open("cut", "wb").write(d)'
        expect 1 fn-ingest cut --store db
        says err "cut is not the input it was: its first $stored pictures differ"
        cp people.tar cut
        expect 1 fn-ingest cut --store db
        says err "db was begun with input 1 being"
    fi
    cp many.$way cut
    expect 0 fn-ingest cut --store db
    says err "going on after row $stored"
    same_store db whole "a cut $way"
done

# ---- stopped by Ctrl-C and kill -9 at many moments ----
stop() { # SIGNAL SECONDS COMMAND...
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
for signal in INT KILL; do
    rm -rf db
    stopped=0
    for after in 0.05 0.1 0.15 0.2 0.3 0.4 0.5; do
        stop $signal $after fn-ingest many.tar.gz --store db
        case $got in
        130 | 137) stopped=$((stopped + 1)) ;;
        0) ;;
        *) echo "FAILED: exit $got"; cat err; exit 1 ;;
        esac
    done
    [ $stopped -ge 2 ] || echo "SKIPPED: only $stopped runs were stopped by $signal"
    expect 0 fn-ingest many.tar.gz --store db --threads 2
    same_store db whole "stopping by $signal"
done

# ---- RecordIO, and several kinds in one run ----
[ $python_has = 1 ] || skip "no $python to make a RecordIO file"
"$python" "$(dirname "$TOOLS")/../python/make_rec.py" people rec
classes=$(ls people | wc -l)
expect 0 fn-ingest rec --store named --codec keep --size 0
says err "rec: RecordIO, $((pictures + 1 + classes)) records in its index, names of $classes classes in its list"
says out "$pictures records + 0 duplicates + $((classes + 1)) skipped"
expect 0 fn-dump named export exported --format keep
for file in $(files people); do # picture n of all is called n
    n=$((${n:-0} + 1))
    cmp "people/$file" "exported/${file%%/*}/$n.jpg"
done
rm rec/train.lst
expect 0 fn-ingest rec/train.rec --store numbered --codec keep --size 0
expect 0 fn-ingest rec/train.idx --store numbered --codec keep --size 0
says err "nothing to do"
expect 0 fn-dump numbered list
says out "	00000000	1	"
says out "	0000000$((classes - 1))	$pictures	"
head -c $(($(wc -c <rec/train.rec) / 2)) rec/train.rec >half.rec
expect 1 fn-ingest half.rec --store half
says err "half.rec ends inside of record"
cp rec/train.idx half.idx
expect 1 fn-ingest half.rec --store half2
says err "is it still being copied?"
[ ! -e half2 ] || { echo "FAILED: a store was made of half a file"; exit 1; }
rm half.idx
cp rec/train.rec half.rec
expect 1 fn-ingest half.rec --store half # less than 1 MiB: another input altogether
expect 0 fn-ingest half.rec --store half --overwrite

"$python" "$(dirname "$TOOLS")/../python/make_rec.py" tree-of-many/many rec-of-many
expect 0 fn-ingest rec-of-many --store whole-rec
rm rec-of-many/train.idx # its records have the same numbers
cp rec-of-many/train.lst cut.lst
head -c $(($(wc -c <rec-of-many/train.rec) * 2 / 3)) rec-of-many/train.rec >cut.rec
expect 1 fn-ingest cut.rec --store db-rec
says err "it is cut short"
cp rec-of-many/train.rec cut.rec
expect 0 fn-ingest cut.rec --store db-rec
says err "going on after row"
same_store db-rec whole-rec "a cut RecordIO file"

rows=$(wc -l <"$FN_SOURCE/samples/faces.tsv")
expect 0 fn-ingest people people.tar "$FN_SOURCE/samples/faces.tsv" rec deep.tar --store all --max-rejects 10% --json
number() { sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" out; }
bad=$(grep -vc '^#' all/rejects.tsv)
same "$(number rows)" $((4 * pictures + classes + 1 + rows)) "rows of five inputs"
own=$(fn-dump rows list | grep -vc '^#\|^id')
same "$(number records)" $((2 * pictures + own)) "records of five inputs"
[ "$(number duplicates)" -ge $((2 * pictures)) ] || { echo "FAILED: $(number duplicates) duplicates"; exit 1; }
same $(($(number records) + $(number duplicates) + $(number skipped) + bad)) "$(number rows)" "sum of the rows"
# Interrupted in the second of three inputs.
expect 0 fn-ingest people many.tar.gz rec --store three
head -c $(($(wc -c <many.tar.gz) * 2 / 3)) many.tar.gz >cut
expect 1 fn-ingest people cut rec --store db3
cp many.tar.gz cut
expect 0 fn-ingest people cut rec --store db3
says err "going on after row"
same_store db3 three "an interruption in the second input"

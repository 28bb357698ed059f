# fn-ingest's manners: help, misuse, inputs that are none, what it prints, options that must agree between runs,
# codecs, selection, compressed input and stdin, the same bytes from any number of threads.
# ctest labels: threads
. "$TOOLS"
number() { # KEY of the JSON object in ./out
    sed -n "s/.*\"$1\": \([0-9.]*\).*/\1/p" out
}
nothing_made() {
    [ ! -e db ] || { echo "FAILED: db was made by a run that failed at once"; exit 1; }
}
expect 0 draw-faces --tsv faces.tsv --people 12 --images 10 --size 64
expect 0 draw-faces --tsv bad.tsv --people 12 --images 10 --size 64 --damage 6
expect 0 draw-faces --tree people --people 6 --images 5 --size 64
rows=$(wc -l <faces.tsv)

# ---- help and misuse ----
expect 0 fn-ingest --help
says out "usage: fn-ingest [OPTIONS] INPUT..."
says out "(default: 182)"
says out "(default: 5%)"
[ ! -s err ] || { echo "FAILED: --help wrote to stderr"; exit 1; }
expect 0 fn-ingest --version
expect 2 fn-ingest
says err "INPUT"
expect 2 fn-ingest --max-reject 5 faces.tsv
says err "--max-rejects"
expect 2 fn-ingest --max-rejects 5x faces.tsv
says err "option --max-rejects: '5x': neither a number of rows nor a percentage"
expect 2 fn-ingest --max-rejects 101% faces.tsv
expect 2 fn-ingest --codec jpg faces.tsv
says err "jpeg"
expect 2 fn-ingest --size -1 faces.tsv
expect 2 fn-ingest --size 70000 faces.tsv
expect 2 fn-ingest --quality 0 faces.tsv
expect 2 fn-ingest --layout other faces.tsv
nothing_made

# ---- what a message says to type can be typed ----
head -n 20 faces.tsv >"it's some.tsv"
echo bad >>"it's some.tsv"
expect 0 fn-ingest "it's some.tsv" --store "a b" --max-rejects 1
eval "$(grep -o 'fn-dump .* rejects$' out)" >listed
says listed columns
rm -r "a b"

# ---- what is no input gets a sentence, and no store ----
expect 1 fn-ingest nowhere.tsv
says err "nowhere.tsv"
says err "No such file"
: >empty
expect 1 fn-ingest empty
says err "empty is empty"
printf '%%PDF-1.7\n%%\342\343\n1 0 obj\n' >paper.tsv
expect 1 fn-ingest paper.tsv
says err "looks like a PDF document"
head -c 100000 /bin/sh >binary
expect 1 fn-ingest binary
says err "binary is not a face TSV"
printf 'a,b,c\n1,2,3\n' >table.csv
expect 1 fn-ingest table.csv
says err "its first row has 1 column"
cut -f 1-5 faces.tsv >five.tsv
expect 1 fn-ingest five.tsv
says err "its first row has 5 columns, not the 7 of layout aligned7 or the 6 of full6"
cut -f 1-6 faces.tsv >six.tsv
expect 1 fn-ingest six.tsv
says err "none of the first rows has a base64 JPEG or PNG in column 6"
expect 1 fn-ingest faces.tsv empty
mkdir hollow
expect 1 fn-ingest hollow
says err "not one of class folders"
mkdir -p one-class deep/people/someone
: >one-class/a.jpg
: >deep/people/someone/a.jpg
expect 1 fn-ingest one-class
says err "one-class holds 1 picture itself, but no folders of pictures: give the folder above it"
expect 1 fn-ingest deep
says err "(1 folder, 1 other entry, such as people/someone)"
expect 1 fn-ingest faces.tsv --store empty
says err "empty is a file, not the folder of a store"
expect 2 fn-ingest ""
says err "the name of an INPUT is empty"
gzip -c faces.tsv >inner.gz
tar -cf outer.tar inner.gz
expect 1 fn-ingest outer.tar
says err "inner.gz in outer.tar is not a face TSV: it looks like a gzip file: take it out first"
expect 1 fn-ingest faces.tsv --keep nowhere.txt
says err "nowhere.txt"
expect 1 fn-ingest faces.tsv --keep empty
says err "empty names nothing"
expect 1 fn-ingest faces.tsv --boxes nowhere.txt
nothing_made
expect 1 fn-ingest six.tsv --layout full6
says err "more than --max-rejects 5%"
rm -rf db

# ---- a run, and the same again ----
expect 0 fn-ingest faces.tsv
says err "faces.tsv: TSV, layout aligned7 (7 columns:"
says out "db: $rows records in 12 classes"
says out "$rows rows = $rows records + 0 duplicates + 0 skipped + 0 filtered + 0 rejected"
for file in manifest.json provenance.json index.bin rejects.tsv shard-00000.mdb; do
    [ -s "db/$file" ] || { echo "FAILED: no db/$file"; exit 1; }
done
same "$(ls db | wc -l)" 5 "files in the store"
cp -r db before
expect 0 fn-ingest faces.tsv
says err "nothing to do"
says out "db: $rows records"
diff -r db before
expect 1 fn-ingest faces.tsv --size 160
says err "size"
expect 1 fn-ingest faces.tsv --quality 90
says err "quality"
expect 1 fn-ingest faces.tsv --limit 50
says err "limit"
expect 1 fn-ingest people
says err "db"
cp faces.tsv grown.tsv
seq 10 >>grown.tsv
expect 1 fn-ingest grown.tsv
says err "input"
diff -r db before
expect 1 fn-ingest db
says err "db is a store, not a tree of pictures"
expect 0 fn-ingest faces.tsv --size 160 --overwrite -q
[ ! -s out ] && [ ! -s err ] || { echo "FAILED: --quiet was not quiet"; exit 1; }
expect 0 fn-ingest faces.tsv --overwrite --json
same "$(number rows)" "$rows" rows
same "$(number records)" "$rows" records
same "$(number classes)" 12 classes
same "$(number resumed_at)" 0 resumed_at
same "$(wc -l <out)" 1 "lines of --json"
for key in store content_id rejected duplicates skipped filtered payload_bytes store_bytes seconds rows_per_second; do
    says out "\"$key\": "
done
rm db/provenance.json before/provenance.json
diff -r db before
mkdir foreign
echo mine >foreign/notes.txt
expect 1 fn-ingest faces.tsv --store foreign
expect 1 fn-ingest faces.tsv --store foreign --overwrite
same "$(cat foreign/notes.txt)" mine "somebody's own file"
expect 1 fn-ingest faces.tsv --store faces.tsv
expect 1 fn-ingest faces.tsv --store faces.tsv/db
expect 1 fn-ingest faces.tsv --store /dev/full/db

# ---- the same bytes however it is run, and however the input is wrapped ----
gzip -k faces.tsv
tar cf faces.tar faces.tsv
for way in "--threads 1 faces.tsv" "--threads 2 faces.tsv" "--threads 7 faces.tsv" "faces.tsv.gz" "faces.tar"; do
    expect 0 fn-ingest $way --store way
    rm way/provenance.json
    diff -r way before || { echo "FAILED: '$way' gave other bytes"; exit 1; }
    rm -rf way
done
cat faces.tsv | expect 0 fn-ingest - --store way
rm way/provenance.json
diff -r way before
expect 0 fn-ingest - --store way --overwrite <faces.tsv.gz
rm -rf way

# ---- bad rows ----
expect 0 fn-ingest bad.tsv --store bad --max-rejects 10% --json
same "$(number rows)" "$(wc -l <bad.tsv)" "rows of a file with bad ones"
good=$(number records) dup=$(number duplicates) skip=$(number skipped)
bad=$(grep -vc '^#' bad/rejects.tsv)
same $((good + dup + skip + bad)) "$(wc -l <bad.tsv)" "sum of what became of the rows"
[ "$bad" -ge 4 ] || { echo "FAILED: only $bad rejects"; exit 1; }
head -n 3 bad.tsv | tr -d '\n' | tr '\t' ' ' >words
{ cat bad.tsv; cat words; } >worse.tsv # and a last row without a newline
expect 0 fn-ingest worse.tsv --store worse --max-rejects 10% --json
same "$(number rows)" $(($(wc -l <bad.tsv) + 1)) "rows with one that has no line end"
tail -n 1 worse/rejects.tsv | grep -q "	columns	1 column, want 7" || { echo "FAILED: last reject"; exit 1; }

# ---- codecs and sizes ----
for codec in jpeg png raw keep; do
    expect 0 fn-ingest faces.tsv --store c --codec $codec --size 64 --json
    same "$(number records)" "$rows" "records of $codec"
    [ $codec != raw ] || same "$(number payload_bytes)" $((rows * 64 * 64 * 3)) "bytes of raw"
    bytes=$(number payload_bytes)
    rm -rf c
done
sum=0 # keep: the very bytes of the input
for length in $(cut -f 7 faces.tsv | tr -d '\n' | tr '=' '\n' | awk '{ s += length($0) } END { print int(s * 6 / 8) }'); do
    sum=$((sum + length))
done
[ "$bytes" -le "$sum" ] && [ "$bytes" -ge $((sum - rows * 2)) ] || { echo "FAILED: keep stored $bytes bytes of $sum"; exit 1; }
expect 0 fn-ingest faces.tsv --store c --size 0 --codec keep --json
same "$(number payload_bytes)" "$bytes" "bytes of keep at any size"
rm -rf c

# ---- a tree, with boxes ----
expect 0 fn-ingest people --store tree
says err "people: tree of 30 pictures in 6 folders"
says out "tree: 30 records in 6 classes"
(cd people && ls */*.jpg) | sed 's/\.jpg$/.png 8 8 56 48/' >boxes.txt
sed -i '1s/.png.*/.png/; 2s/56/70/; 3d' boxes.txt # no face; outside the picture; not listed
expect 0 fn-ingest people --store boxed --boxes boxes.txt --size 0 --codec raw --max-rejects 3 --json
same "$(number records)" 27 "records with boxes"
same "$(number payload_bytes)" $((27 * 48 * 40 * 3)) "bytes of the boxes"
same "$(number no_face)" 2 "without a face"
same "$(number bad_box)" 1 "boxes outside"
expect 0 fn-ingest people faces.tsv --store both
says out "both: $((rows + 30)) records in 18 classes"

# ---- selection ----
first=$(head -n 1 faces.tsv | cut -f 1)
last=$(tail -n 1 faces.tsv | cut -f 1)
printf '%s\n%s/0-FaceId-0.jpg\n%s\t%s/1-FaceId-0.jpg\nm.none\n' "$first" "$last" "$last" "$last" >list.txt
expect 0 fn-ingest faces.tsv --store kept --keep list.txt --json
same "$(number records)" 12 "kept records"
same "$(number filtered)" $((rows - 12)) "filtered by --keep"
same "$(number keep)" 1 "entries that matched nothing"
says err "1 of the 4 entries of --keep list.txt matched nothing"
says err "  m.none"
expect 0 fn-ingest faces.tsv --store rest --exclude list.txt --json
same "$(number records)" $((rows - 12)) "records but those excluded"
same "$(number classes)" 11 "classes but the one excluded"
expect 0 fn-ingest faces.tsv --store many --exclude list.txt --min-images 9 --json
same "$(number classes)" 10 "classes with 9 pictures"
same "$(number filtered)" 20 "filtered by list and by number"
echo m.none >none.txt
expect 1 fn-ingest faces.tsv --store none --keep none.txt
says err "nothing to store: of $rows rows 0 are skipped, $rows filtered and 0 rejected"
expect 1 fn-ingest faces.tsv --store many2 --min-images 1000
says err "no class has 1000 pictures"
expect 0 fn-ingest faces.tsv --store few --limit 33 --json
same "$(number rows)" 33 "rows under --limit"
expect 0 fn-ingest people faces.tsv --store few2 --limit 33 --json
same "$(number rows)" 33 "rows of two inputs under --limit"
expect 0 fn-ingest bad.tsv --store dry --dry-run --max-rejects 10%
says out "dry run: "
[ ! -e dry ] || { echo "FAILED: a dry run made a store"; exit 1; }

# ---- where output goes ----
set +e
fn-ingest faces.tsv --json >/dev/full 2>err
got=$?
set -e
same $got 1 "exit status with a full stdout"
fn-ingest faces.tsv 2>/dev/null | true

# ---- what a decoder grumbles about and takes is counted, over interruptions and parts too ----
if command -v python3 >/dev/null; then
    expect 0 draw-faces --tsv calm.tsv --people 3 --images 4 --size 48
    python3 - <<'EOF'
import base64
with open("calm.tsv", "rb") as calm, open("grumbled.tsv", "wb") as out:
    for i, line in enumerate(calm):
        field = line.rstrip(b"\n").split(b"\t")
        picture = base64.b64decode(field[6])
        if i % 4 == 1:  # bytes of nothing between two segments
            end = 4 + int.from_bytes(picture[4:6], "big")
            picture = picture[:end] + b"\1\2\3" + picture[end:]
        out.write(b"\t".join(field[:6] + [base64.b64encode(picture)]) + b"\n")
EOF
    expect 0 fn-ingest calm.tsv --store calm --size 48 --json
    says out '"warned": 0'
    expect 0 fn-ingest grumbled.tsv --store grumbled --size 48 --json
    says out '"warned": 3'
    says out '"records": 12,'
    expect 0 fn-ingest grumbled.tsv --store grumbled --size 48
    says out "decoded with warnings, and taken: 3"
    grep -q '"warned": 3' grumbled/provenance.json
    for i in 1 2; do expect 0 fn-ingest grumbled.tsv --store g --size 48 --part $i/2 -q; done
    expect 0 fn-ingest --join g.1-of-2 g.2-of-2 --store joined --json
    says out '"warned": 3'
    expect 0 fn-ingest grumbled.tsv --dry-run --size 48 --json
    says out '"warned": 3'
fi

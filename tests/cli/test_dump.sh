# fn-dump: every command, --json, misuse, damage, unfinished stores, closed pipes.
. "$TOOLS"
number() { # KEY, the first one in ./out
    grep -o "\"$1\": [0-9.]*" out | head -n 1 | sed 's/.* //'
}
expect 0 draw-faces --tsv faces.tsv --people 12 --images 10 --size 64 --damage 6
expect 0 fn-ingest faces.tsv --max-rejects 20% --size 64 --store db
expect 0 draw-faces --tree people --people 5 --images 4 --size 60
expect 0 fn-ingest people --store tree --size 0 --codec keep
python=$(command -v python3 || true)
valid_json() { [ -z "$python" ] || "$python" -c 'import json,sys; json.load(open("out"))' || { echo "FAILED: no JSON: $*"; exit 1; }; }

# ---- help and misuse ----
expect 0 fn-dump --help
says out "STORE sheet FILE.png"
expect 2 fn-dump
expect 2 fn-dump db lst
says err "there is no command 'lst': stats, list, show"
expect 2 fn-dump diff db
says err "diff wants STORE and STORE2"
expect 2 fn-dump db sheet page.gif
says err "a sheet is a PNG: page.gif has another ending"
expect 2 fn-dump db show
says err "show wants ID or CLASS/NAME"
expect 2 fn-dump db list more
expect 2 fn-dump db stats --class x
says err "stats takes no --class"
expect 2 fn-dump db export out-dir --format gif
expect 2 fn-dump db show nobody
expect 1 fn-dump nowhere
says err "there is no store nowhere"
mkdir empty-dir
expect 1 fn-dump empty-dir
says err "is not a store"
expect 1 fn-dump faces.tsv
says err "faces.tsv is a file, not the folder of a store"

# ---- stats ----
expect 0 fn-dump db
says out "images per class"
says out " KiB " # every bin of sizes in one unit
sed "1,/bytes of the pictures/d" out | grep "[0-9]" | grep -v " KiB " && { echo "FAILED: units are mixed"; exit 1; }
cp out stats
expect 0 fn-dump db stats
cmp out stats
expect 0 fn-dump db --json
valid_json stats
same "$(wc -l <out)" 1 "lines of --json"
records=$(number records)
rows=$(number rows)
same "$rows" "$(wc -l <faces.tsv)" "rows"
same "$(number classes)" 12 classes

# ---- list ----
expect 0 fn-dump db list
same "$(wc -l <out)" "$records" "lines of list"
same "$(cut -f 1 out | sort -n | uniq | wc -l)" "$records" "ids"
same "$(awk -F '\t' 'NF != 9' out | wc -l)" 0 "lines without nine fields"
cut -f 3 out | sort -u | LC_ALL=C sort -c
cp out listed
class=$(sed -n 5p listed | cut -f 3)
name=$(sed -n 5p listed | cut -f 4)
expect 0 fn-dump db list --class "$class"
awk -F '\t' -v c="$class" '$3 == c' listed | cmp - out
expect 1 fn-dump db list --class nobody
says err "there is no class 'nobody'"
expect 0 fn-dump db list --json
valid_json list
same "$(grep -c '"id"' out)" "$records" "records of list --json"
fn-dump db list | head -n 1 >first
same "${PIPESTATUS[0]}" 0 "exit of a list whose reader went away"

# ---- show ----
expect 0 fn-dump db show 4
says out "$class"
says out "$name"
cp out shown
expect 0 fn-dump db show "$class/$name"
cmp out shown
expect 0 fn-dump db show 4 --json
valid_json show
same "$(number id)" 4 id
expect 0 fn-dump db show 4 -o four.jpg
same "$(head -c 3 four.jpg | od -An -tx1 | tr -d ' ')" ffd8ff "a JPEG"
same "$(wc -c <four.jpg)" "$(sed -n 5p listed | cut -f 8)" "bytes of the picture"
expect 0 fn-dump db show 4 -o -
cmp out four.jpg
expect 0 fn-dump db show 4 -o four.png
same "$(head -c 4 four.png | od -An -tx1 | tr -d ' ')" 89504e47 "a PNG"
expect 1 fn-dump db show "$records"
says err "there is no record $records"
expect 1 fn-dump db show "$class/nobody"
expect 2 fn-dump db show 4x

# ---- export ----
expect 0 fn-dump db export png
same "$(find png -name '*.png' | wc -l)" "$records" "exported pictures"
same "$(ls png | wc -l)" 12 "exported folders"
expect 1 fn-dump db export png
says err "is not empty"
expect 0 fn-dump db export jpg --format jpg --json
valid_json export
same "$(number pictures)" "$records" "exported pictures"
cmp "jpg/$class/$name.jpg" four.jpg
expect 0 fn-dump db export one --class "$class" --format keep --threads 3
same "$(ls one)" "$class" "the exported class"
# Lossless where the codec is: a kept tree comes back as it was.
expect 0 fn-dump tree export back --format keep
diff -r people back
expect 0 fn-ingest jpg --store again --size 0 --codec keep
expect 0 fn-dump again verify

# ---- sheet ----
expect 0 fn-dump db sheet sheet.png --rows 3 --cols 4
same "$(head -c 4 sheet.png | od -An -tx1 | tr -d ' ')" 89504e47 "a PNG"
expect 0 fn-dump db sheet same.png --rows 3 --cols 4 --seed 0
cmp sheet.png same.png
expect 0 fn-dump db sheet other.png --rows 3 --cols 3 --seed 1 --json
valid_json sheet
same "$(number pictures)" 9 "pictures of the sheet"
expect 0 fn-dump db sheet class.png --class "$class" -q
[ ! -s out ]
expect 0 fn-dump db sheet - --rows 3 --cols 4
cmp out sheet.png
expect 1 fn-dump db sheet no/such/folder.png
expect 0 draw-faces --tsv twice.tsv --people 4 --images 5 --size 48
cat twice.tsv >>twice.tsv.2
awk -F '\t' -v OFS='\t' 'NR == 7 { print $1, $2, $3, $4, $5, $6, last } NR == 12 { print $1, $2, $3, $4, $5, $6, last } { last = $7 }' \
    twice.tsv >>twice.tsv.2 # two names again, with other pictures
expect 0 fn-ingest twice.tsv.2 --store twice --size 48 --max-rejects 100% -q
expect 0 fn-dump twice sheet lost.png --rejects --json
valid_json sheet
same "$(sed 's/.*"lines": \[\([^]]*\)\].*/\1/' out)" "21, 22" "rows of the rejects' sheet"
expect 0 fn-dump twice sheet lost.png --rejects --rows 1 --cols 1
expect 0 fn-dump db sheet none.png --rejects
expect 2 fn-dump db sheet x.png --rejects --class "$class"
expect 2 fn-dump db sheet x.png --rows 0
[ ! -e x.png ]

# ---- rejects ----
expect 0 fn-dump db rejects
says out "#input"
sed '1,/^#input/d' out >rejected
sed 1d db/rejects.tsv | cmp - rejected
expect 0 fn-dump db rejects --json
valid_json rejects
same "$(grep -c '"line"' out)" "$(wc -l <rejected)" "rows of rejects --json"
expect 0 fn-dump tree rejects
says out "no row was rejected"

# ---- verify, and damage ----
expect 0 fn-dump db verify
says out "db is good"
expect 0 fn-dump db verify --json
valid_json verify
says out '"good": true'
cp -r db bad
size=$(stat -c %s bad/shard-00000.mdb)
printf '\252' | dd of=bad/shard-00000.mdb bs=1 seek=$((size / 2)) conv=notrunc 2>dd.log
expect 1 fn-dump bad verify
says out "shard-00000.mdb"
says out "record"
says err "bad is damaged"
bad_id=$(sed -n 's/.*: record \([0-9]*\),.*/\1/p' out | head -n 1)
expect 1 fn-dump bad verify --json
valid_json verify
says out '"good": false'
expect 1 fn-dump bad show "$bad_id"
says err "record $bad_id"
expect 1 fn-dump bad export partly
says err "1 record of bad could not be exported"
same "$(find partly -name '*.png' | wc -l)" "$((records - 1))" "pictures that could be exported"
expect 0 fn-dump bad list
expect 0 fn-dump bad sheet bad.png --rows 20 --cols 10
says err "record $bad_id"
head -c 5000 db/shard-00000.mdb >bad/shard-00000.mdb
expect 1 fn-dump bad
says err "has 5000 bytes, should have $size"
expect 1 fn-dump bad verify
rm bad/manifest.json
expect 1 fn-dump bad verify
says err "no manifest.json"

# ---- unfinished ----
expect 1 fn-ingest faces.tsv --max-rejects 0 --size 64 --store half
for command in "" list "show 0" "export x" verify "sheet x.png"; do
    case $command in "") continue ;; esac
    expect 1 fn-dump half $command
    says err "half is not finished"
    says err "fn-ingest"
done
expect 0 fn-dump half
says out "not finished"
says out "fn-ingest"
expect 0 fn-dump half --json
valid_json stats
says out '"sealed": false'
expect 0 fn-dump half rejects
says err "half is not finished"
[ ! -e x ] && [ ! -e x.png ]

# ---- names of any bytes ----
odd=$(printf 'm.\377\303\251\\')
head -n 1 faces.tsv | awk -F '\t' -v OFS='\t' '{ $1 = "MID"; print }' | sed "s/^MID/$(printf 'm.\377\303\251\\\\')/" >odd.tsv
expect 0 fn-ingest odd.tsv --store odd --size 64
expect 0 fn-dump odd list
same "$(cut -f 3 out)" "$(printf 'm.\\xff\303\251\\\\')" "an escaped name"
odd_name=$(cut -f 4 out)
expect 0 fn-dump odd show "$odd/$odd_name"
expect 0 fn-dump odd show 0 --json
valid_json show
expect 0 fn-dump odd export odd-tree
[ -f "odd-tree/$odd/$odd_name.png" ] || { echo "FAILED: export of odd names"; ls odd-tree; exit 1; }
expect 0 fn-dump odd sheet odd.png

# ---- stdout that cannot be written ----
if [ -w /dev/full ]; then
    set +e
    fn-dump db list >/dev/full 2>err
    code=$?
    set -e
    same $code 1 "exit with a full disk behind stdout"
    says err "standard output"
fi

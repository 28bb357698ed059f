# fn-dump report: the page of a store, also of hostile names, many classes, damage; misuse.
. "$TOOLS"
python=$(command -v "${FN_PYTHON:-python3}" || true)
page() { # FILE TEXT...: it parses strictly, needs nothing but itself, and has these texts
    [ -z "$python" ] || "$python" "$FN_SOURCE/tests/python/check_page.py" "$@" || { echo "FAILED: $1"; exit 1; }
}

expect 0 draw-faces --tsv faces.tsv --people 12 --images 10 --size 64 --damage 6
expect 0 fn-ingest faces.tsv --max-rejects 20% --size 64 --store db
expect 0 fn-dump db report pages
says out "pages/report.html: "
page pages/report.html "Face store" Classes Percentiles "Where the rows went" "fn-ingest faces.tsv"
fn-dump db rejects | grep -v '^#' | cut -f 4 -s | sort -u >reasons
same "$(grep -o 'Why rows were rejected' pages/report.html | wc -l)" 1 "charts of reasons"
[ "$(wc -l <reasons)" -gt 2 ]
same "$(grep -c '<th scope="row">' pages/report.html)" $((5 + $(wc -l <reasons) + 1)) "bars: rows, reasons, codecs"
same "$(grep -o '<img ' pages/report.html | wc -l)" "$((12 + $(fn-dump db --json | grep -o '"records": [0-9]*' | cut -d ' ' -f 2)))" \
    "faces: one a class, then all of each class"
# The same store, the same page; another seed, other faces.
expect 0 fn-dump db report again.html
cmp pages/report.html again.html
expect 0 fn-dump db report other.html --seed 5 --json
says out '"pictures"'
cmp -s again.html other.html && { echo "FAILED: --seed changes nothing"; exit 1; }
page other.html

# ---- names from strangers ----
evil='<script>alert("1")</script>'
mkdir -p "tree/<img src=x onerror=alert(1)>" tree/"a'\"&amp;"
expect 0 draw-faces --tree drawn --people 2 --images 3 --size 48
set -- drawn/*
cp "$1"/* "tree/<img src=x onerror=alert(1)>/"
cp "$2"/* "tree/a'\"&amp;/"
bad=$(printf 'tree/caf\303\251 \377\300\257')
mkdir -p "$bad" && cp "$1"/* "$bad/"
cp "$(find "$2" -type f | head -n 1)" "tree/a'\"&amp;/${evil%%/*}.jpg"
expect 0 fn-ingest tree --store evil --size 48
expect 0 fn-dump evil report evil.html
page evil.html '<img src=x onerror=alert(1)>' "a'\"&amp;" '<script>alert("1")<' "$(printf 'caf\303\251 \\xff\\xc0\\xaf')"
grep -qi '<script' evil.html && { echo "FAILED: a script"; exit 1; }

# ---- many classes: bounded ----
"${python:-python3}" - <<'PY' >many.tsv
import base64
row = open("faces.tsv", encoding="latin-1").readline().rstrip("\n").split("\t")
for i in range(20000):
    print(f"m.{i // (1 + i % 3):06d}", i, "u", "p", "FaceId-0", row[5], row[6], sep="\t")
PY
expect 0 fn-ingest many.tsv --store many --size 64 --codec keep
expect 0 fn-dump many report many.html
page many.html "chosen by chance" "Largest classes"
[ "$(wc -c <many.html)" -lt 2000000 ]

# ---- damage is shown, and does not end it ----
cp -r db broken
"${python:-python3}" - <<'PY'
import glob
path = glob.glob("broken/shard-*.mdb")[0]
data = bytearray(open(path, "rb").read())
data[data.rindex(b"\xff\xd9") - 40] ^= 0x55
open(path, "wb").write(data)
PY
expect 0 fn-dump broken report broken.html --json
page broken.html damaged
says out '"bad": 1'
says err "checksum"

# ---- misuse ----
expect 2 fn-dump db report
says err "report wants DIR or FILE.html"
expect 2 fn-dump db report x.html --class nobody
says err "report takes no --class"
expect 1 fn-dump nowhere report x.html
[ ! -e x.html ]
expect 1 fn-dump db report /dev/null/x
expect 0 fn-dump db report --help
says out "report   a page"

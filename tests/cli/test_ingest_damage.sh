# Every row of a file with a fifth of its rows damaged is judged as the list of damages says: accepted, rejected
# with line, offset and reason, skipped or duplicate. Needs the real data, and Python with Pillow to make the file.
# ctest labels: slow
. "$TOOLS"
python=${FN_PYTHON:-python3}
tools=$FN_TEST_DATA/../tools
[ -r "$FN_TEST_DATA/lfw-part.tar" ] && [ -r "$tools/make_tsv.py" ] || skip "no lfw-part.tar or make_tsv.py near $FN_TEST_DATA"
"$python" -c 'import PIL' 2>/dev/null || skip "$python has no Pillow"

check() { # LAYOUT BOXES ROWS
    expect 0 "$python" "$tools/make_tsv.py" "$FN_TEST_DATA/lfw-part.tar" "$FN_TEST_DATA/$2" faces.tsv \
        --rows "$3" --layout "$1" --shuffle --damage 0.2 --seed 7
    rm -rf db
    expect 1 fn-ingest faces.tsv --size 64
    says err "faces.tsv: TSV, layout $1 ("
    says err "rows were rejected"
    says err "more than --max-rejects 5%"
    says err "the same command with a higher --max-rejects goes on"
    expect 0 fn-ingest faces.tsv --size 64 --max-rejects 20% --json
    says err "going on after row 1000"
    mv out summary.json
    expect 0 fn-dump db list
    mv out list.tsv
    expect 0 "$python" "$(dirname "$TOOLS")/../python/check_damage.py" faces.tsv db summary.json list.tsv
    cat out
    # In one go: the same bytes. A number of rejects as limit, too.
    rejects=$("$python" -c 'import json; print(sum(json.load(open("summary.json"))["rejected"].values()))')
    expect 0 fn-ingest faces.tsv --size 64 --max-rejects "$rejects" --store other --threads 3
    rm db/provenance.json other/provenance.json
    diff -r db other || { echo "FAILED: an interrupted run gave other bytes"; exit 1; }
    rm -rf other
    expect 1 fn-ingest faces.tsv --size 64 --max-rejects "$((rejects - 1))" --store other
    rm -rf other
}
check aligned7 bounding_boxes-part.txt 2500
check full6 bounding_boxes-part.txt 1200

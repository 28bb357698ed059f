# fn-dump diff: nothing, records that are gone, new, moved or changed; JSON; both orders of the words.
. "$TOOLS"
number() { # KEY of the last line of ./out
    tail -n 1 out | sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p"
}
expect 0 draw-faces --tsv faces.tsv --people 5 --images 6 --size 48
expect 0 fn-ingest faces.tsv --store a --size 48 -q
expect 0 fn-ingest faces.tsv --store b --size 48 -q --threads 1

# ---- the same ----
expect 0 fn-dump diff a b
same "$(cat out)" "a and b have the same content: 30 records" "two equal stores"
expect 0 fn-dump a diff b -q
[ ! -s out ] || { echo "FAILED: -q says something"; exit 1; }
expect 0 fn-dump diff a b --json
says out '"equal": true'
same "$(number same)" 30 "equal records"
mkdir d && cp -r a d/diff && (cd d && expect 0 fn-dump diff stats --json && expect 0 fn-dump diff diff ../b)

# ---- one record gone, one new, one moved, one changed ----
first=$(head -n 1 faces.tsv | cut -f 1)
last=$(tail -n 1 faces.tsv | cut -f 1)
awk -F '\t' -v OFS='\t' -v to="$last" '
    NR == 1 { next }
    NR == 2 { $1 = to; $5 = "moved" }
    NR == 3 { seventh = $7 }
    NR == 4 { $7 = seventh }
    { print }
    END { $1 = "m.new"; $2 = 99; $5 = "x"; $7 = seventh; print }' faces.tsv >other.tsv
sed -i 's/^\('"$first"'\t1\t.*\t\)FaceId-0\t/\1moved\t/' faces.tsv # its record name stays what it is
expect 0 fn-ingest faces.tsv --store a --size 48 -q --overwrite
expect 0 fn-ingest other.tsv --store c --size 48 -q
expect 1 fn-dump diff a c
says err "fn-dump: a and c differ"
grep -v ' the same\|^manifests' out | cut -c 1-2 | tr -d ' \n' >marks
same "$(fold -w 1 marks | sort | tr -d '\n')" "$(printf '%s\n' '<' '>' '~' '!' | sort | tr -d '\n')" "marks of the findings"
says out "< $first/0-FaceId-0"
says out "~ $first/1-moved	now in $last"
says out "! $first/3-FaceId-0	48 x 48 jpeg of "
says out "> m.new/99-x"
says out "27 records the same, 1 changed, 1 in another class, 1 only in a, 1 only in c"
grep '^manifests differ in' out | grep -q ' index' || { echo "FAILED: the index is not named"; exit 1; }
grep '^[<>~!]' out | cut -c 3- | LC_ALL=C sort -c || { echo "FAILED: not in order"; exit 1; }
expect 1 fn-dump diff a c --json
for what in only_1 only_2 moved changed; do
    same "$(number $what)" 1 "$what"
    says out "\"what\": \"$what\""
done
says out '"equal": false'
if command -v python3 >/dev/null; then
    python3 -c 'import json, sys; assert len(json.load(open("out"))["findings"]) == 4'
fi

# ---- the same pictures under other options ----
expect 0 fn-ingest faces.tsv --store most --size 48 -q --max-per-class 6
expect 1 fn-dump diff a most
says out "30 records the same, 0 changed"
grep -q '^manifests differ in .*content' out

# ---- what cannot be compared ----
expect 2 fn-dump diff a
expect 1 fn-dump diff a nowhere
says err "nowhere"
expect 2 fn-dump a diff c --class x
expect 1 fn-dump diff a a/..

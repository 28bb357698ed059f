# fn-ingest --max-per-class and --dedupe: what stays, what is counted, conflicts.tsv, the same bytes however it came.
# ctest labels: threads
. "$TOOLS"
number() { # KEY of the JSON object in ./out
    sed -n "s/.*\"$1\": \([0-9.]*\).*/\1/p" out
}
expect 0 draw-faces --tsv plain.tsv --people 6 --images 8 --size 64
rows=$(wc -l <plain.tsv)
first=$(head -n 1 plain.tsv | cut -f 1)
second=$(cut -f 1 plain.tsv | grep -vxF "$first" | head -n 1)
{
    cat plain.tsv
    head -n 3 plain.tsv | awk -F '\t' -v OFS='\t' '{ $5 = "again"; print }' # other names, same pictures, same class
    head -n 2 plain.tsv | awk -F '\t' -v OFS='\t' -v mid="$second" '{ $1 = mid; $5 = "stray"; print }' # in another
    head -n 1 plain.tsv                                                                       # a plain duplicate
} >faces.tsv

# ---- by names: only the plain duplicate goes ----
expect 0 fn-ingest faces.tsv --store names --size 64 --dedupe names --json
same "$(number records)" $((rows + 5)) "records by names"
same "$(number duplicates)" 1 "duplicates by names"
[ ! -e names/conflicts.tsv ] || { echo "FAILED: conflicts that nobody asked for"; exit 1; }
expect 0 fn-ingest faces.tsv --store default --size 64
rm names/provenance.json default/provenance.json
diff -r names default

# ---- by pixels ----
expect 2 fn-ingest faces.tsv --dedupe picture
expect 0 fn-ingest faces.tsv --store pixels --size 64 --dedupe pixels --json
same "$(number rows)" $((rows + 6)) "rows"
same "$(number records)" $((rows + 2)) "records by pixels"
same "$(number duplicates)" 4 "duplicates by pixels"
same "$(number same_pixels)" 3 "of them by pixels alone"
same "$(number label_conflicts)" 4 "records in conflict"
same "$(wc -l <pixels/conflicts.tsv)" 5 "lines of conflicts.tsv"
same "$(grep -c "	$second	.*-stray$" pixels/conflicts.tsv)" 2 "strays that are listed"
same "$(sed 1d pixels/conflicts.tsv | cut -f 1 | sort -u | wc -l)" 2 "pictures in conflict"
expect 0 fn-dump pixels list
grep -q stray out || { echo "FAILED: a picture in conflict is gone"; exit 1; }
! grep -q again out || { echo "FAILED: an equal picture stayed"; exit 1; }
expect 0 fn-dump pixels stats
says out "3 images with the pixels of another in the class; in several classes: 4 (conflicts.tsv)"
expect 0 fn-dump pixels verify
grep -q '"dedupe": "pixels"' pixels/manifest.json
expect 0 fn-ingest faces.tsv --store pixels --size 64 --dedupe pixels
says out "duplicates: 3 with the pixels of another in their class"
says out "labels in conflict: 4 pictures stand in several classes; pixels/conflicts.tsv"
expect 1 fn-ingest faces.tsv --store pixels --size 64
says err "dedupe"
expect 0 fn-ingest faces.tsv --store one --size 64 --dedupe pixels --threads 1
for file in manifest.json index.bin shard-00000.mdb rejects.tsv conflicts.tsv; do
    cmp pixels/$file one/$file
done

# The file is part of the content: a flip is found, its loss is.
printf X | dd of=one/conflicts.tsv bs=1 seek=60 conv=notrunc 2>/dev/null
expect 1 fn-dump one verify
says out "conflicts.tsv"
rm one/conflicts.tsv
expect 1 fn-dump one list
says err "conflicts.tsv is missing"
expect 0 fn-ingest faces.tsv --store one --size 64 --overwrite
[ ! -e one/conflicts.tsv ] || { echo "FAILED: --overwrite left conflicts.tsv"; exit 1; }

# ---- at most so many of a class, the first of the input ----
expect 2 fn-ingest faces.tsv --max-per-class -1
expect 0 fn-ingest faces.tsv --store most --size 64 --max-per-class 3 --json
same "$(number records)" 18 "records at 3 a class"
same "$(number filtered)" $((rows + 5 - 18)) "filtered at 3 a class"
expect 0 fn-dump most verify
expect 0 fn-dump most stats
says out "images behind the first 3 of their class"
cut -f 1,2,5 faces.tsv | awk -F '\t' '++n[$1] <= 3 { print $1 "/" $2 "-" $3 }' >want
fn-dump most list | grep -v '^#' | awk -F '\t' '{ print $3 "/" $4 }' >got
cmp want got
# Equal pictures go first, small classes next, and then the rest is cut.
expect 0 fn-ingest faces.tsv --store all --size 64 --dedupe pixels --min-images 10 --max-per-class 9 --json
same "$(number classes)" 1 "classes with 10 different pictures"
same "$(number records)" 9 "of them 9"
same "$(number filtered)" $((rows + 2 - 9)) "filtered by both"
expect 0 fn-dump all verify

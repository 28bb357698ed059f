# fn-ingest --part and --join: the parts joined have the bytes of a single run, whatever the number of parts, for rows,
# trees, archives and RecordIO, with bad rows, blank ones, duplicates and collisions; so has a run of any number of
# threads; launchers; what does not fit together.
# ctest labels: threads
. "$TOOLS"
python=${FN_PYTHON:-python3}
joined() { # SINGLE: the store `one` has its bytes, all but the provenance
    for file in "$1"/*; do
        case $file in */provenance.json) continue ;; esac
        cmp "$file" "one/${file##*/}" || { echo "FAILED: joined, ${file##*/} is another"; exit 1; }
    done
    same "$(ls one | wc -l)" "$(ls "$1" | wc -l)" "files of the joined store"
}
expect 0 draw-faces --tsv bad.tsv --people 9 --images 8 --size 48 --damage 10
{
    cat bad.tsv
    echo
    head -n 4 bad.tsv | awk -F '\t' -v OFS='\t' 'NR == 1 { seventh = $7 } { if (NR == 3) $7 = seventh; print }'
    printf '\r\n'
    head -c 100000 /dev/zero | tr '\0' 'x' # a row that spans several parts
    echo
    head -n 2 bad.tsv | tr -d '\n'
} >faces.tsv
first=$(head -n 1 faces.tsv | cut -f 1)
printf '%s/1-FaceId-0\n' "$first" >exclude.txt
options="--size 48 --max-rejects 100 --exclude exclude.txt --min-images 3 --max-per-class 7 --dedupe pixels -q"
expect 0 fn-ingest faces.tsv --store single $options
for of in 1 2 3 4 5 6 7; do
    for i in $(seq $of); do
        expect 0 fn-ingest faces.tsv --store p $options --part $i/$of --threads $((i % 2 + 1))
    done
    expect 0 fn-ingest --join p.*-of-$of --store one --json
    same "$(sed -n 's/.*"rows": \([0-9]*\).*/\1/p' out)" "$(($(wc -l <faces.tsv) + 1))" "rows of all parts"
    joined single
    expect 0 fn-ingest --join p.*-of-$of --store one
    says err "nothing to do"
    rm -r one
done
expect 0 fn-dump p.1-of-7 verify
grep -q '"number": 2' p.2-of-7/manifest.json

# ---- a tree: every n-th picture; more parts than pictures ----
expect 0 draw-faces --tree people --people 4 --images 3 --size 48
expect 0 fn-ingest people --store tree --size 48 -q
for i in $(seq 14); do
    expect 0 fn-ingest people --store t --size 48 -q --part $i/14
done
expect 0 fn-ingest --join $(ls -d t.*-of-14 | sort -r) --store one -q
joined tree
expect 0 fn-dump one verify
rm -r one

# ---- every kind of input, in parts and by threads: the bytes of one run ----
# What can only be read from its start (compressed, archives, RecordIO): every n-th row or picture.
every() { # SINGLE ARGUMENTS...: of fn-ingest, for the parts in $parts
    local single=$1 of i threads
    shift
    for of in $parts; do
        for i in $(seq $of); do
            expect 0 fn-ingest "$@" --store z --part $i/$of --threads $((i + 1))
        done
        expect 0 fn-ingest --join z.*-of-$of --store one -q
        joined $single
        rm -r one z.*
    done
    for threads in 1 2 3 4 5 6 7 8; do
        expect 0 fn-ingest "$@" --store one --threads $threads
        joined $single
        rm -r one
    done
}
gzip -k faces.tsv
tar -cf people.tar --sort=name people
"$python" "$FN_SOURCE/tests/python/make_rec.py" people rec
expect 0 fn-ingest rec/train.rec --store rec-store --size 48 -q
same "$(fn-dump rec-store list | wc -l)" "$(fn-dump tree list | wc -l)" "pictures of the RecordIO pair"
parts="1 2 3 4 5 6 7" every single faces.tsv.gz $options
parts="2 7" every tree people --size 48 -q
parts="1 2 3 4 5 6 7" every tree people.tar --size 48 -q
parts="1 2 3 4 5 6 7" every rec-store rec/train.rec --size 48 -q
parts= every single faces.tsv $options

# ---- interrupted, again and again ----
for delay in 0.01 0.02 0.03 0.04 0.05 0.1; do
    timeout -s INT $delay fn-ingest faces.tsv --store q $options --part 2/3 2>>stopped || true
    timeout -s INT $delay fn-ingest --join p.*-of-3 --store one -q 2>>stopped || true
done
expect 0 fn-ingest faces.tsv --store q $options --part 2/3
for file in manifest.json index.bin rejects.tsv shard-00000.mdb conflicts.tsv; do
    cmp p.2-of-3/$file q.2-of-3/$file
done
expect 0 fn-ingest --join p.*-of-3 --store one
joined single
rm -r one

# ---- launchers ----
auto() { # STORE ENVIRONMENT...
    made=$1
    shift
    expect 0 env "$@" fn-ingest people --store a --size 48 -q --part auto
    [ -d "$made" ] || { echo "FAILED: $* did not make $made: $(ls)"; exit 1; }
    rm -r "$made"
}
auto a.3-of-4 SLURM_PROCID=2 SLURM_NTASKS=4
auto a.2-of-3 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=3 SLURM_PROCID=0 SLURM_NTASKS=1
auto a.1-of-2 PMI_RANK=0 PMI_SIZE=2
auto a.3-of-5 SLURM_ARRAY_TASK_ID=12 SLURM_ARRAY_TASK_COUNT=5 SLURM_ARRAY_TASK_MIN=10 SLURM_PROCID=0 SLURM_NTASKS=1
auto a.2-of-2 SLURM_ARRAY_TASK_ID=20 SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_MIN=10 SLURM_ARRAY_TASK_STEP=10
expect 2 env -u SLURM_PROCID -u SLURM_ARRAY_TASK_ID -u PMI_RANK -u OMPI_COMM_WORLD_RANK \
    fn-ingest people --store a --part auto
says err "no launcher has put a rank and a size"
for bad in 0/3 4/3 1 1/ /3 1/0 x/3 1/3x -1/3 1/200000; do
    expect 2 fn-ingest people --store a --part=$bad
    says err "want I/N"
done
[ ! -e a ] || exit 1

# ---- what cannot be divided, what does not fit ----
expect 2 fn-ingest - --store a --part 1/2 <faces.tsv
says err "stdin"
expect 2 fn-ingest people faces.tsv --part 1/2
expect 2 fn-ingest people --part 1/2 --limit 3
expect 2 fn-ingest --join p.*-of-2 --size 48
says err "--join takes no --size"
expect 1 fn-ingest --join p.1-of-3 p.3-of-3 --store a
says err "part 2 of 3 is missing"
expect 1 fn-ingest --join p.1-of-3 p.2-of-3 --store a
says err "part 3 of 3 is missing"
expect 1 fn-ingest --join p.1-of-2 p.2-of-2 p.2-of-2 --store a
says err "are the same part"
expect 1 fn-ingest --join p.1-of-2 p.2-of-3 --store a
says err "are not parts of one store"
expect 1 fn-ingest --join single --store a
says err "single is a whole store"
expect 1 fn-ingest faces.tsv --store p $options --size 64 --part 1/2
says err "size"
[ ! -e a ] || { echo "FAILED: a join that cannot be left something"; exit 1; }

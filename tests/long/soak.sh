# A long training, softmax and then triplets, with everything that happens now and then happening all the time: epochs,
# validation, LFW, checkpoints, histograms, corrupt pictures. Memory, descriptors and threads stay flat; then Ctrl-C, and
# it goes on. FN_SOAK_SECONDS: of both together, default 3600, at least 60.
. "$TOOLS"
total=${FN_SOAK_SECONDS:-3600}
draw-faces --tsv faces.tsv --people 30 --images 20 --size 96
fn-ingest faces.tsv --store db --size 88 --shard-bytes 1M >/dev/null 2>&1
draw-faces --tree people --pairs pairs.txt --people 10 --images 4 --first 500 --pair-count 100 --size 88
# A few records go bad: read, named once, replaced, again and again.
shard=db/shard-00000.mdb
for at in 3 5 7; do
    printf '\252\125' | dd of=$shard bs=1 seek=$(($(stat -c %s $shard) * at / 10)) conv=notrunc 2>/dev/null
done

# field NAME PID: a number of /proc/PID/status
field() { sed -n "s/^$1:[ \t]*\([0-9]*\).*/\1/p" "/proc/$2/status"; }

# soak NAME SECONDS OPTION...: trains so long, a sample every second: resident kB, descriptors, threads.
soak() {
    name=$1 seconds=$2
    shift 2
    fn-train --store db --model_def models.shrunken --image_size 80 --epoch_size 50 --max_nrof_epochs 100000000 \
        --embedding_size 32 --random_crop --random_flip --keep_probability 0.8 --optimizer ADAM --learning_rate 0.001 \
        --weight_decay 1e-4 --save_every_n_steps 20 --log_histograms --threads 1 --nrof_preprocess_threads 3 \
        --lfw_dir people --lfw_pairs pairs.txt --models_base_dir "$name" --logs_base_dir logs "$@" >"$name.out" 2>"$name.err" &
    pid=$!
    for second in $(seq "$seconds"); do
        sleep 1
        kill -0 $pid 2>/dev/null || { echo "FAILED: $name ended by itself"; tail -n 5 "$name.err"; exit 1; }
        echo "$second $(field VmRSS $pid) $(ls /proc/$pid/fd | wc -l) $(field Threads $pid)"
    done >"$name.samples"
    kill -INT $pid
    set +e
    wait $pid
    got=$?
    set -e
    same "$got" 130 "exit status of $name after Ctrl-C"
    flat "$name"
    steps=$(ls -d "$name"/2*/checkpoint-* | tail -n 1 | sed 's/.*checkpoint-0*//')
    expect 0 fn-train --resume "$name"/2* --max_steps $((steps + 10)) --threads 1
    says err "Going on from step $steps"
    # Every step stands once in the table, and three checkpoints and perhaps the best are kept.
    awk -F '\t' -v last=$((steps + 10)) 'NR > 1 && $1 != NR - 1 {exit 1} END {exit NR != last + 1}' logs/"$(ls -d "$name"/2* |
        sed 's/.*\///')"/steps.tsv || { echo "FAILED: $name: steps.tsv"; exit 1; }
    [ "$(ls -d "$name"/2*/checkpoint-* | wc -l)" -le 4 ] || { echo "FAILED: $name: too many checkpoints"; exit 1; }
    echo "$name: $steps steps, $(grep -c "^Validation rate" "$name.err") times LFW, $(grep -c "^Saved" "$name.err") checkpoints"
}

# The last quarter against the second: the most of each, and the middle of the memory (1 MB and 1 % are let pass).
flat() {
    n=$(wc -l <"$1.samples")
    quarter() { sed -n "$((n * ($2 - 1) / 4 + 1)),$((n * $2 / 4))p" "$1.samples"; }
    most() { quarter "$1" "$2" | cut -d ' ' -f "$3" | sort -n | tail -n 1; }
    middle() { quarter "$1" "$2" | cut -d ' ' -f 2 | sort -n | sed -n "$((n / 8))p"; }
    echo "$1: resident kB by quarter: $(for q in 1 2 3 4; do printf '%s ' "$(middle "$1" $q)"; done)(middle);" \
        "descriptors $(most "$1" 2 3) -> $(most "$1" 4 3), threads $(most "$1" 2 4) -> $(most "$1" 4 4)"
    [ "$(middle "$1" 4)" -le $(($(middle "$1" 2) * 101 / 100 + 1024)) ] || { echo "FAILED: $1: memory grows"; exit 1; }
    [ "$(most "$1" 4 3)" -le "$(most "$1" 2 3)" ] || { echo "FAILED: $1: descriptors grow"; exit 1; }
    [ "$(most "$1" 4 4)" -le "$(most "$1" 2 4)" ] || { echo "FAILED: $1: threads grow"; exit 1; }
}

soak softmax $((total / 2)) --batch_size 16 --center_loss_factor 1e-2 --validation_set_split_ratio 0.1 \
    --validate_every_n_epochs 1 --random_rotate
grep -q "another takes its place" softmax.err || { echo "FAILED: no picture was bad"; exit 1; }
soak triplet $((total / 2)) --loss triplet --batch_size 15 --people_per_batch 6 --images_per_person 10

# fn-train killed (kill -9) at FN_KILLS random moments: the last checkpoint always loads, the steps and their
# losses are those of an undisturbed run, bit for bit, and no step stands twice in a table or an event file.
. "$TOOLS"
. "$FN_SOURCE/tests/fault/kills.sh"
expect 0 draw-faces --tsv faces.tsv --people 6 --images 6 --size 64
expect 0 fn-ingest faces.tsv --store db --size 88
options="--store db --model_def models.shrunken --image_size 80 --batch_size 4 --epoch_size 12 --max_nrof_epochs 5
    --embedding_size 16 --threads 1 --validation_set_split_ratio 0.2 --validate_every_n_epochs 1
    --save_every_n_steps 2 --random_crop --random_flip --keep_probability 0.7 --center_loss_factor 1e-2
    --optimizer ADAM --learning_rate 0.01 --logs_base_dir logs --models_base_dir models --quiet"
run() {
    if ls -d models/*/checkpoint-0* >ls.out 2>&1; then
        exec fn-train --resume models/* --threads 1 --quiet
    else
        rm -rf models logs
        exec fn-train $options
    fi
}
measure
mv models/* whole
mv logs/* wholelogs
last=checkpoint-00000060

# Tag and step of all scalars of the event files in a folder, in their order; none may stand there twice. How
# long saving took is written after the checkpoint, so a kill in between loses it.
event_steps() {
    "$FN_PYTHON" "$FN_SOURCE/tests/python/event_steps.py" "$1" >"$2.all"
    [ -z "$(sort "$2.all" | uniq -d)" ] || { echo "FAILED: twice in $1:"; sort "$2.all" | uniq -d; return 1; }
    grep -v '^time/' "$2.all" >"$2"
}
have_python=$("$FN_PYTHON" -c 'import tensorboard' 2>err && echo 1 || echo 0)
[ $have_python = 1 ] || echo "SKIPPED event files: no tensorboard for $FN_PYTHON"

equal() {
    diff -r -x state.json whole/$last models/*/$last || return 1
    for table in steps.tsv validation.tsv; do
        cmp wholelogs/$table logs/*/$table || return 1
    done
    cut -f 1-4 logs/*/epochs.tsv | diff - <(cut -f 1-4 wholelogs/epochs.tsv) || return 1
    [ $have_python = 0 ] || { event_steps wholelogs want && event_steps logs/* have && diff want have; }
}
runs=0 fresh=0
killed() { ls -d models/*/checkpoint-0* >ls.out 2>&1 || fresh=$((fresh + 1)); }
while [ $count -lt "$kills" ]; do
    to_the_end 3 4
    equal || { echo "FAILED: $again kills left something else"; exit 1; }
    rm -rf models logs
    runs=$((runs + 1))
done
echo "$count kills ($fresh before the first checkpoint), $runs runs: the same bits, every step once (a whole run takes $took ms)"

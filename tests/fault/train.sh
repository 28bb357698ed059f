# fn-train with failing calls. At a checkpoint or in a log training goes on, and that is said; elsewhere a
# sentence and exit 1. Either way the run, gone on with where it ended, leaves the same bits and every row once.
. "$TOOLS"
. "$FN_SOURCE/tests/fault/tools.sh"
expect 0 draw-faces --tsv faces.tsv --people 4 --images 6 --size 40
expect 0 fn-ingest faces.tsv --store db --size 88
options="--store db --model_def models.shrunken --image_size 80 --batch_size 4 --epoch_size 3 --max_nrof_epochs 2
    --embedding_size 16 --threads 1 --logs_base_dir logs --models_base_dir models --validation_set_split_ratio 0.2
    --validate_every_n_epochs 1 --save_every_n_steps 2 --quiet"
fresh() { rm -rf models logs; }
run() {
    if ls -d models/*/checkpoint-0* >ls.out 2>&1; then
        $inject fn-train --resume models/* --threads 1 --quiet
    else
        rm -rf models logs
        $inject fn-train $options
    fi
}
fresh
run >out
mv models/* whole
mv logs/* wholelogs
tables="steps.tsv validation.tsv lfw_result.txt"
same() {
    diff -r -x state.json whole/checkpoint-00000006 models/*/checkpoint-00000006 >diff.out || return 1
    local table
    for table in $tables; do
        [ ! -e wholelogs/$table ] || cmp wholelogs/$table logs/*/$table >diff.out || return 1
    done
    cut -f 1-4 logs/*/epochs.tsv | diff - <(cut -f 1-4 wholelogs/epochs.tsv) >diff.out
}
sweep_files
# A log that cannot be written from the last checkpoint on: exit 0 would hide that a row is missing.
under=epochs.tsv
last=$(calls write)
fresh
fault "write:$last:ENOSPC+" run
[ $got = 1 ] && grep -q 'trained and saved, but the logs lack their end (make room, then: fn-train --resume' err || fail "exit $got"
under=
fault write:0:EIO again
same || fail "the last row is missing after going on"
sweep_ends
sweep alloc ENOMEM
echo "$faults faults"
[ $bad = 0 ]

# Power cuts during fn-train with checkpoints: once a checkpoint was reported there always is one, the newest
# loads, and the run gone on with from it leaves the same bits and every row once.
. "$TOOLS"
. "$FN_SOURCE/tests/fault/tools.sh"
. "$FN_SOURCE/tests/fault/power.sh"
expect 0 draw-faces --tsv faces.tsv --people 4 --images 6 --size 40
expect 0 fn-ingest faces.tsv --store db --size 88
options="--store db --model_def models.shrunken --image_size 80 --batch_size 4 --epoch_size 5 --max_nrof_epochs 2
    --embedding_size 16 --threads 1 --logs_base_dir box/logs --models_base_dir box/models
    --validation_set_split_ratio 0.2 --validate_every_n_epochs 1 --save_every_n_steps 2"
run() {
    if ls -d box/models/*/checkpoint-0* >ls.out 2>&1; then
        $inject fn-train --resume box/models/* --threads 1
    else
        rm -rf box/*
        $inject fn-train $options
    fi
}
mkdir box
run >out 2>err
mv box/models/* whole
mv box/logs/* wholelogs
rm -r box/*
same() {
    diff -r -x state.json whole/checkpoint-00000010 box/models/*/checkpoint-00000010 >diff.out || return 1
    local table
    for table in steps.tsv validation.tsv; do
        cmp wholelogs/$table box/logs/*/$table >diff.out || return 1
    done
    cut -f 1-4 box/logs/*/epochs.tsv | diff - <(cut -f 1-4 wholelogs/epochs.tsv) >diff.out
}
record "$PWD/story" "$PWD/box" run
[ $got = 0 ] && same || fail "the run on record: exit $got"

had=0 least=0
after_cut() {
    local newest
    newest=$(ls -d box/models/*/checkpoint-0* 2>ls.out | tail -n 1)
    # Seed 0, which loses all it may, says what must be there from now on.
    [ "$2" != 0 ] || least=${newest##*-}
    [ -z "$least" ] || [[ ! ${newest##*-} < $least ]] || fail "cut after $1, seed $2: checkpoint $least is gone"
    [ "$2" != 0 ] || [ -z "$least" ] || had=$((had + 1))
    run >out 2>err || fail "cut after $1, seed $2: the run does not go on"
    same || fail "cut after $1, seed $2: another result"
}
cuts story box
[ $had -gt 0 ] && [ $bad = 0 ]

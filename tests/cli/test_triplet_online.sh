# fn-train --loss triplet --mining online: batches of people, one pass a step; lines, tables, any number of loader workers,
# resumed with the same bits; collapse is noticed; refusals.
. "$TOOLS"
expect 0 draw-faces --tsv faces.tsv --people 8 --images 12 --size 96
expect 0 fn-ingest faces.tsv --store db --size 88
common="--loss triplet --mining online --store db --model_def models.shrunken --image_size 80 --embedding_size 32
    --random_crop --random_flip --keep_probability 0.8 --batch_norm_decay 0.9 --optimizer ADAM --learning_rate 0.02
    --threads 1 --logs_base_dir logs"
set -- $common --people_per_batch 4 --images_per_person 3 --epoch_size 8 --max_nrof_epochs 2

expect 0 fn-train "$@" --models_base_dir whole
run=$(ls whole)
says err "Mining: online, semi-hard, batches of 4 people with 3 images each"
says err "Memory for batches of 12"
says err "Epoch: [0][1/8]	Time "
says err "	Active "
says err "%	Mean distance "
grep -qx "mining: online" "logs/$run/arguments.txt"
grep -qx "batch_size: 12" "logs/$run/arguments.txt"
same "$(head -n 1 "logs/$run/steps.tsv")" "step	loss	reg_loss	active	triplets	learning_rate	mean_distance" "columns"
# 4 people x 3 x 2 ordered pairs, each with a negative.
awk -F '\t' 'NR > 1 && ($5 != 24 || $4 < 0 || $4 > 1 || $7 <= 0 || $7 > 4) { exit 1 } END { exit NR != 17 }' \
    "logs/$run/steps.tsv" || { echo "FAILED: steps.tsv"; cat "logs/$run/steps.tsv"; exit 1; }

# equal WHAT: the run in other/ ended as the whole one.
equal() {
    other=$(ls other)
    for file in model.safetensors ema.safetensors state.safetensors; do
        cmp "whole/$run/checkpoint-00000016/$file" "other/$other/checkpoint-00000016/$file" ||
            { echo "FAILED: $1: another $file"; exit 1; }
    done
    cmp "logs/$run/steps.tsv" "logs/$other/steps.tsv"
    rm -rf other "logs/$other"
}
expect 0 fn-train "$@" --models_base_dir other --nrof_preprocess_threads 5 --quiet
equal "5 loader workers"
for k in 1 7 8 13; do
    expect 0 fn-train "$@" --models_base_dir other --max_steps $k --quiet
    expect 0 fn-train --resume other/* --max_steps 0 --threads 1
    says err "Going on from step $k"
    equal "resumed after step $k"
done

expect 0 fn-train "$@" --models_base_dir hard --triplet_selection hard --max_steps 2
says err "Mining: online, hard"
# Embeddings that come to lie within the margin of each other are warned of, with advice, once.
expect 0 fn-train "$@" --models_base_dir folded --optimizer MOM --learning_rate 1 --triplet_selection hard --alpha 0.5 \
    --max_nrof_epochs 12 --max_steps 96
says err "folding into one point"
# Nothing to learn: a margin that every negative keeps.
expect 0 fn-train "$@" --models_base_dir starved --alpha -4 --epoch_size 60 --max_nrof_epochs 1
says err "50 batches in a row have no active triplet"

# ---- refusals ----
expect 2 fn-train "$@" --batch_size 9
says err "a batch is --people_per_batch x --images_per_person = 12 images"
expect 2 fn-train "$@" --triplet_selection vgg
says err "--triplet_selection vgg is for --mining offline"
expect 2 fn-train $common --people_per_batch 1 --images_per_person 3
says err "two people and two images of each"
expect 2 fn-train --store db --mining online
says err "--mining online goes with --loss triplet"
expect 1 fn-train --resume "whole/$run" --mining offline
says err "--mining was online when this run began"

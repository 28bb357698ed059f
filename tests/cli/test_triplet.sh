# fn-train --loss triplet: a run and what it leaves; resumed, interrupted and killed runs end with the same bits; refusals.
# ctest labels: slow
. "$TOOLS"
. "${TOOLS%/*}/runs.sh"
expect 0 draw-faces --tsv faces.tsv --people 8 --images 12 --size 96
expect 0 fn-ingest faces.tsv --store db --size 88
expect 0 draw-faces --tree people --pairs pairs.txt --people 8 --images 3 --first 500 --pair-count 40 --size 88

# Groups of 30 images do not divide by 9, nor do their triplets: odd batches everywhere.
set -- --loss triplet --store db --model_def models.shrunken --image_size 80 --batch_size 9 --epoch_size 20 \
    --max_nrof_epochs 3 --people_per_batch 5 --images_per_person 6 --embedding_size 32 --random_crop --random_flip \
    --keep_probability 0.7 --batch_norm_decay 0.9 --optimizer ADAM --learning_rate 0.02 --weight_decay 1e-4 \
    --threads 1 --lfw_dir people --lfw_pairs pairs.txt --lfw_nrof_folds 5 --logs_base_dir logs

# ---- a run from beginning to end ----
expect 0 fn-train "$@" --models_base_dir whole --json
for key in run logs step epoch images_per_second loss lfw_accuracy lfw_val; do says out "\"$key\""; done
says err "Plan: epochs 0 to 2 of 20 steps (the last group's end), 60 steps of 9 images in all"
says err "(nrof_random_negs, nrof_triplets) = ("
says err "): time="
says err "Mean distance "
says err "Epoch: [0][1/"
# The number of a batch never passes that of its epoch's batches, and comes to it: 20, or where the last group ends.
sed -n 's/^Epoch: \[\([0-9]*\)\]\[\([0-9]*\)\/\([0-9]*\)\].*/\1 \2 \3/p' err >batches
awk '{ if ($2 > $3 || $3 < 20) bad = 1; at[$1] = $2; of[$1] = $3; if ($3 > 20) longer = 1 }
    END { for (e in at) if (at[e] != of[e]) bad = 1; exit bad || !longer }' batches ||
    { echo "FAILED: numbers of batches"; cat batches; exit 1; }
says err "Accuracy: 0."
run=$(ls whole)
logs=logs/$run
last=$(cd "whole/$run" && ls -d checkpoint-* | tail -n 1)
steps=$((10#${last#checkpoint-}))
for file in arguments.txt revision_info.txt lfw_result.txt steps.tsv groups.tsv epochs.tsv; do
    [ -s "$logs/$file" ] || { echo "FAILED: no $file"; exit 1; }
done
[ ! -e "$logs/validation.tsv" ] || { echo "FAILED: a table of validations that there are none of"; exit 1; }
grep -qx "triplet_selection: original" "$logs/arguments.txt"
grep -qx "lfw_batch_size: 9" "$logs/arguments.txt"
same "$(sed 1d "$logs/steps.tsv" | cut -f 1 | tr '\n' ' ')" "$(seq -s ' ' 1 $steps) " "steps in steps.tsv"
for tag in loss time/selection triplets/active triplets/mean_distance lfw/accuracy time/save_variables; do
    grep -qaF "$tag" "$logs"/events.out.tfevents.* || { echo "FAILED: no tag $tag"; exit 1; }
done
# Every group: 5 people x 15 pairs; its triplets make its batches; an epoch ends with a group.
awk -F '\t' 'NR > 1 && ($3 != 75 || $4 > $3 || $4 < 1) {bad = 1} END {exit bad || NR < 4}' "$logs/groups.tsv" ||
    { echo "FAILED: figures of the groups"; cat "$logs/groups.tsv"; exit 1; }
same "$(awk -F '\t' 'NR > 1 {n += int(($4 * 3 + 8) / 9)} END {print n}' "$logs/groups.tsv")" "$steps" "batches of all groups"
same "$(awk -F '\t' 'NR > 1 {n += $5} END {print n}' "$logs/steps.tsv")" \
    "$(awk -F '\t' 'NR > 1 {n += $4} END {print n}' "$logs/groups.tsv")" "triplets trained on"
# Epochs begin where a group ended, at or past 20 batches; their number is that step / 20.
awk -F '\t' 'FNR == 1 {file++} file == 1 {starts[$1] = 1; next} file == 2 && FNR > 1 {groups[$2] = 1}
    END {for (s in starts) if (!(s in groups)) exit 1}' "$logs/lfw_result.txt" "$logs/groups.tsv" ||
    { echo "FAILED: an epoch begins within a group"; exit 1; }
same "$(cut -f 1 "$logs/lfw_result.txt" | awk '{print int($1 / 20)}' | tr '\n' ' ')" \
    "$(sed 1d "$logs/epochs.tsv" | cut -f 1 | tr '\n' ' ')" "numbers of epochs"

whole=whole/$run tables="steps.tsv lfw_result.txt" columns="groups.tsv 1-6"

expect 0 fn-train "$@" --models_base_dir four --nrof_preprocess_threads 4 --quiet
equal four "4 loader workers"

# ---- stopped within a group, at its end, at an epoch's; saved within a group ----
for k in 1 11 24 25 26 $((steps - 1)); do
    expect 0 fn-train "$@" --models_base_dir cut --max_steps $k
    same "$(grep -c "^Saved checkpoint of step $k in" err)" 1 "checkpoints at the end, $k"
    expect 0 fn-train --resume cut/* --max_steps 0 --threads 1
    says err "Going on from step $k"
    equal cut "resumed after step $k"
done
expect 0 fn-train "$@" --models_base_dir often --save_every_n_steps 7 --quiet
other=$(ls often)
back=$(cd "often/$other" && ls -d checkpoint-* | tail -n 2 | head -n 1)
expect 0 fn-train --resume "often/$other/$back" --threads 1 --quiet
equal often "resumed from $back"

# ---- Ctrl-C ----
interrupt "0.2 0.35 0.5 0.65 0.8" "$@"

# ---- the other rules, the other standardization, the other start ----
for rule in vgg semi-hard hard; do
    expect 0 fn-train "$@" --models_base_dir rule --lfw_dir "" --max_nrof_epochs 1 --triplet_selection $rule
    says err "(nrof_random_negs, nrof_triplets) = ("
    rm -rf rule
done
expect 0 fn-train "$@" --models_base_dir next --pretrained_model "whole/$run" --max_steps 2 --lfw_dir ""
says err "0 reset, 0 missing"
expect 0 fn-train "$@" --models_base_dir fixed --max_steps 2 --use_fixed_image_standardization --pretrained_model "whole/$run"
says err "per-image standardization, this run has fixed"
expect 0 fn-train --store db --model_def models.shrunken --image_size 80 --batch_size 9 --embedding_size 32 --max_steps 2 \
    --threads 1 --logs_base_dir logs --models_base_dir soft
expect 0 fn-train "$@" --models_base_dir fromsoft --pretrained_model soft/* --max_steps 2
expect 0 fn-train --store db --model_def models.shrunken --image_size 80 --batch_size 9 --embedding_size 32 --max_steps 2 \
    --threads 1 --logs_base_dir logs --models_base_dir soft2 --pretrained_model fromsoft/*
# A margin that no negative is within: nothing to learn, said, and a good end.
expect 0 fn-train "$@" --models_base_dir starved --alpha -4 --lfw_dir ""
says err "nothing to train on in this group"
says err "10 groups in a row have no triplet"

# Embeddings that come to lie within the margin of each other are warned of, with advice, once.
expect 0 fn-train "$@" --models_base_dir folded --optimizer MOM --learning_rate 1 --triplet_selection hard --alpha 0.5 \
    --max_nrof_epochs 9 --max_steps 120 --lfw_dir ""
says err "folding into one point"
same "$(grep -c "folding into one point" err)" 1 "warnings of it"

# ---- refusals ----
expect 2 fn-train "$@" --batch_size 10
says err "--batch_size 10 must be divisible by 3"
expect 2 fn-train "$@" --images_per_person 4
says err "is 20: it must be divisible by 3"
expect 1 fn-train "$@" --people_per_batch 9 --images_per_person 12
says err "too few pictures for a group of 108: 8 classes have 96"
for flag in "--random_rotate" "--validation_set_split_ratio 0.2" "--lfw_use_flipped_images" "--lfw_distance_metric 1" \
    "--lfw_subtract_mean" "--center_loss_factor 0.1"; do
    expect 2 fn-train "$@" $flag
    says err "is for --loss softmax"
done
expect 1 fn-train --resume "whole/$run" --alpha 0.3
says err "--alpha was 0.2 when this run began"
expect 1 fn-train --resume "whole/$run" --loss softmax
says err "--loss was triplet when this run began"

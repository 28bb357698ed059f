# fn-train beyond the originals: margins, smoothed labels, warm-up and cosine, batches in parts, clipping, frozen
# parameters. They are said, recorded, and part of what is resumed bit for bit; refusals.
. "$TOOLS"
expect 0 draw-faces --tsv faces.tsv --people 8 --images 12 --size 96
expect 0 fn-ingest faces.tsv --store db --size 88
common="--store db --model_def models.shrunken --image_size 80 --batch_size 8 --epoch_size 6 --max_nrof_epochs 2
    --embedding_size 32 --validation_set_split_ratio 0.2 --validate_every_n_epochs 1 --random_crop --random_flip
    --keep_probability 0.7 --batch_norm_decay 0.9 --optimizer MOM --learning_rate 0.05 --weight_decay 1e-4 --threads 1
    --logs_base_dir logs"
set -- $common --margin arcface --margin_scale 16 --margin_size 0.3 --label_smoothing 0.05 --warmup_steps 4 \
    --cosine_steps 12 --cosine_floor 0.1 --gradient_accumulation 2 --clip_gradient_norm 0.7 --center_loss_factor 1e-2 \
    --trainable '^(repeat_|block8|last_|logits)'

# ---- said and recorded ----
expect 0 fn-train "$@" --models_base_dir whole
run=$(ls whole)
for line in "Margin: arcface of 0.3, cosines times 16" "Label smoothing: 0.05" "over the first 4 batches" \
    "to 0.1 of its value at batch 12" "Batches of 8 in 2 parts" "of a norm of 0.7 at most" "	Gradient " \
    "Trained by --trainable ^(repeat_|block8|last_|logits): " "Validation Epoch: 2"; do says err "$line"; done
for line in "margin: arcface" "margin_scale: 16" "margin_size: 0.3" "label_smoothing: 0.05" "warmup_steps: 4" \
    "cosine_steps: 12" "cosine_floor: 0.1" "gradient_accumulation: 2" "clip_gradient_norm: 0.7" \
    "trainable: ^(repeat_|block8|last_|logits)"; do
    grep -qxF "$line" "logs/$run/arguments.txt" || { echo "FAILED: arguments.txt lacks '$line'"; exit 1; }
done
# The rate: 4 steps up to 0.05, then down half a cosine to a tenth at step 12 (printed with the step's number - 1).
sed 1d "logs/$run/steps.tsv" | awk -F '\t' '{ s = $1 - 1; pi = atan2(0, -1)
    want = s < 4 ? 0.05 * (s + 1) / 4 : 0.05 * (0.1 + 0.9 * (1 + cos(pi * (s - 4) / 8)) / 2)
    d = $8 - want; if (d < 0) d = -d; if (d > 1e-8) { print "FAILED: rate of step " $1 ": " $8 ", want " want; exit 1 } n++ }
    END { exit n != 12 }'

# ---- resumed: the same bits ----
for k in 1 5 6 9; do
    expect 0 fn-train "$@" --models_base_dir cut --max_steps $k --quiet
    expect 0 fn-train --resume cut/* --max_steps 0 --threads 1
    says err "Margin: arcface of 0.3"
    other=$(ls cut)
    for file in model.safetensors ema.safetensors state.safetensors; do
        cmp "whole/$run/checkpoint-00000012/$file" "cut/$other/checkpoint-00000012/$file" ||
            { echo "FAILED: resumed after step $k: another $file"; exit 1; }
    done
    cmp "logs/$run/steps.tsv" "logs/$other/steps.tsv"
    rm -rf cut "logs/$other"
done

# ---- the papers' margins; a head that begins at random where the model has none of these classes ----
expect 0 fn-train $common --models_base_dir next --margin cosface --max_steps 2 --pretrained_model "whole/$run"
says err "Margin: cosface of 0.35, cosines times 64"
expect 0 fn-train $common --models_base_dir next --margin arcface --max_steps 2 --embedding_size 16
says err "Margin: arcface of 0.5, cosines times 64"

# ---- refusals ----
expect 2 fn-train $common --margin_size 0.2
says err "--margin_size goes with --margin arcface or cosface"
expect 2 fn-train $common --gradient_accumulation 3
says err "--batch_size 8 cannot be computed in so many equal parts"
expect 2 fn-train $common --warmup_steps 9 --cosine_steps 9
says err "the cosine begins after --warmup_steps 9"
expect 2 fn-train $common --cosine_floor 0.5
says err "--cosine_floor goes with --cosine_steps"
expect 2 fn-train $common --clip_gradient_norm -1
says err "a norm is not below 0"
expect 2 fn-train $common --models_base_dir none --trainable '^nobody$'
says err "no parameter has such a name; they are conv2d_1a.conv.weight"
expect 2 fn-train $common --models_base_dir none --trainable '('
says err "no regular expression"
expect 1 fn-train --resume "whole/$run" --margin none
says err "--margin was arcface when this run began"
for flag in "--margin arcface" "--label_smoothing 0.1" "--gradient_accumulation 2"; do
    expect 2 fn-train $common --loss triplet --validation_set_split_ratio 0 --batch_size 6 $flag
    says err "is for --loss softmax"
done

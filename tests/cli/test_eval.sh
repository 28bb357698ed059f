# fn-eval: the original's lines, the same figures as the trainer's own evaluation, from a tree or a store; refusals.
. "$TOOLS"
expect 0 draw-faces --tsv faces.tsv --people 6 --images 8 --size 96
expect 0 fn-ingest faces.tsv --store db --size 88
expect 0 draw-faces --tree people --pairs pairs.txt --people 8 --images 3 --first 500 --pair-count 40 --size 88
expect 0 fn-train --store db --model_def models.shrunken --image_size 80 --batch_size 8 --epoch_size 4 --max_nrof_epochs 1 \
    --embedding_size 32 --batch_norm_decay 0.8 --optimizer ADAM --learning_rate 0.02 --threads 1 --models_base_dir models \
    --logs_base_dir logs --lfw_dir people --lfw_pairs pairs.txt --lfw_nrof_folds 5 --lfw_batch_size 7
run=models/$(ls models)
grep '^Accuracy\|^Validation rate' err >trained
set -- --model "$run" --lfw_pairs pairs.txt --lfw_nrof_folds 5 --threads 1

# ---- the figures of the trainer, at any batch size ----
for batch in 1 10 100; do
    expect 0 fn-eval "$@" --lfw_dir people --lfw_batch_size $batch
    head -n 2 out | cmp - trained || { echo "FAILED: not what the trainer measured"; exit 1; }
done
says out "Area Under Curve (AUC): "
says out "Equal Error Rate (EER): "
says err "shrunken, 80 pixels, per-image standardization, embedding 32"

# ---- JSON, flips, the other metric; the originals' spelling of it all ----
expect 0 fn-eval "$@" --lfw_dir people --json --use_flipped_images --distance_metric 1 --subtract_mean
for key in accuracy accuracy_std val val_std far auc eer pairs skipped folds threshold; do says out "\"$key\""; done
says out '"pairs": 40'
cp out first
expect 0 fn-eval --lfw_pairs pairs.txt --lfw_nrof_folds 5 --threads 1 --json --lfw_use_flipped_images \
    --lfw_distance_metric=1 --lfw-subtract-mean people "$run"
cmp out first
expect 0 fn-eval "$@" --lfw_dir people --ema
says err "ema.safetensors"

# ---- from a store: lossless, so the same figures ----
expect 0 fn-ingest --store lfw --size 0 --codec png people
expect 0 fn-eval "$@" --store lfw
head -n 2 out | cmp - trained

# ---- pictures that are missing or damaged: skipped and counted ----
cp -r people holes
rm "$(find holes -name '*_0001.*' | sort | head -n 1)"
expect 0 fn-eval "$@" --lfw_dir holes --json
says err "pairs are skipped"
! grep -qF '"skipped": 0' out || { echo "FAILED: nothing was skipped"; exit 1; }
broken=$(find holes -name '*_0002.*' | sort | head -n 1)
head -c 300 "$broken" >cut && mv cut "$broken"
expect 0 fn-eval "$@" --lfw_dir holes
says err "cannot be read"

# ---- photographs that nobody has aligned ----
expect 0 draw-faces --tree raw --pairs raw.txt --people 8 --images 3 --first 500 --pair-count 20 --size 160
expect 0 fn-eval --model "$run" --lfw_dir raw --lfw_pairs raw.txt --lfw_nrof_folds 2 --threads 1
says err "raw photographs need the aligner's boxes"

# ---- refusals ----
expect 2 fn-eval --lfw_dir people
says err "no --model"
expect 2 fn-eval --model "$run"
says err "either --lfw_dir or --store"
expect 2 fn-eval people
says err "go together"
expect 2 fn-eval "$@" --lfw_dir people --lfw_distance_metric 2
says err "lfw_distance_metric"
expect 2 fn-eval "$@" --lfw_dir people --lfw_nrof_folds 1000
says err "there are only 40 pairs"
! grep -qF "embedding " err || { echo "FAILED: embedded first, refused then"; exit 1; }
expect 2 fn-eval "$@" --store lfw --boxes pairs.txt
says err "--boxes is for --lfw_dir"
expect 1 fn-eval "$@" --lfw_dir people --image_size 160
says err "trained on images of 80 pixels, not 160"
expect 1 fn-eval "$@" --lfw_dir people --use_fixed_image_standardization
says err "per-image standardization, not fixed"
expect 1 fn-eval "$@" --lfw_dir nowhere
says err "nowhere"
expect 1 fn-eval --model nowhere --lfw_dir people --lfw_pairs pairs.txt
says err "nowhere"
expect 1 fn-eval --model faces.tsv --lfw_dir people --lfw_pairs pairs.txt
says err "faces.tsv"
expect 1 fn-eval --model "$run/$(ls "$run" | grep checkpoint)/model.safetensors" --ema --lfw_dir people --lfw_pairs pairs.txt
says err "moving averages stand in checkpoints"
printf '10\t300\nAda 1\n' >bad.txt
expect 1 fn-eval --model "$run" --lfw_dir people --lfw_pairs bad.txt
says err "bad.txt:2"
expect 1 fn-eval --model "$run" --lfw_dir people
says err "data/pairs.txt"

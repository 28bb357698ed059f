# fn-train: what TensorBoard shows of a run, by TensorBoard's own reader; the counts of prelogits, also of a resumed run.
. "$TOOLS"
expect 0 draw-faces --tsv faces.tsv --people 5 --images 8 --size 96
expect 0 fn-ingest faces.tsv --store db --size 88 --codec png
expect 0 draw-faces --tree people --pairs pairs.txt --people 8 --images 3 --first 500 --pair-count 40 --size 88
set -- --store db --model_def models.shrunken --image_size 80 --batch_size 8 --epoch_size 100 --max_nrof_epochs 2 \
    --embedding_size 16 --optimizer ADAM --learning_rate 0.01 --weight_decay 1e-3 --threads 1 --log_histograms \
    --prelogits_hist_max 4 --prelogits_norm_loss_factor 1e-3 --validation_set_split_ratio 0.1 --lfw_dir people \
    --lfw_pairs pairs.txt --logs_base_dir logs
expect 0 fn-train "$@" --models_base_dir whole
run=$(ls whole)
same "$(head -n 1 "logs/$run/prelogits_hist.tsv")" "epoch	low	count" "head of prelogits_hist.tsv"
same "$(awk -F '\t' 'NR > 1 {n[$1] += $3} END {print n[1], n[2]}' "logs/$run/prelogits_hist.tsv")" "12800 12800" "prelogits"
expect 0 fn-train "$@" --models_base_dir parts --gradient_accumulation 4 --max_steps 10
same "$(awk -F '\t' 'NR > 1 {n += $3} END {print n}' "logs/$(ls parts)/prelogits_hist.tsv")" 1280 "prelogits of parts"
expect 0 fn-train "$@" --models_base_dir cut --max_steps 137 --quiet
expect 0 fn-train --resume cut/* --max_steps 0 --threads 1
cmp "logs/$run/prelogits_hist.tsv" "logs/$(ls cut)/prelogits_hist.tsv"

python=${FN_PYTHON:-python3}
"$python" -c 'import numpy, PIL, tensorboard' 2>/dev/null ||
    skip "$python cannot import numpy, PIL and tensorboard (set FN_PYTHON)"
expect 0 fn-dump db export tree --format png
for logs in "logs/$run" "logs/$(ls cut)"; do
    "$python" "$FN_SOURCE/tests/python/check_board.py" "$logs" "whole/$run/checkpoint-00000200" tree 2>err ||
        { echo "FAILED: $logs"; tail -n 5 err; exit 1; }
done

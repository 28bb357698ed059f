# Fine-tuning on real faces: 62 people with 20 or more pictures, from the published weights, 200 steps of 16.
. "$TOOLS"
real_faces
fn-train --store db --pretrained_model "$FN_TEST_DATA/irv1-vggface2.safetensors" --embedding_size 512 \
    --use_fixed_image_standardization --random_crop --random_flip --optimizer MOM --learning_rate 0.01 \
    --weight_decay 5e-4 --keep_probability 0.8 --validation_set_split_ratio 0.1 --validate_every_n_epochs 1 \
    --batch_size 16 --epoch_size 50 --max_nrof_epochs 4 --batch_norm_decay 0.95 --models_base_dir models \
    --logs_base_dir logs --json >out
accuracy=$(sed -n 's/.*"validation_accuracy": \([0-9.e-]*\).*/\1/p' out)
echo "validation accuracy after 200 steps of 16: $accuracy"
awk -v a="$accuracy" 'BEGIN { exit !(a >= 0.97) }' || { echo "FAILED: below 0.97"; exit 1; }

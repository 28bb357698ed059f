# Fine-tuning on real faces with ArcFace: 62 people with 20 or more pictures, from the published weights, 200 steps of 24,
# the upper layers alone. Validation pictures are answered at least as well as LFW's pairs were before (0.99375).
. "$TOOLS"
real_faces
fn-train --store db --pretrained_model "$FN_TEST_DATA/irv1-vggface2.safetensors" --embedding_size 512 \
    --use_fixed_image_standardization --random_crop --random_flip --optimizer MOM --learning_rate 0.01 \
    --weight_decay 5e-4 --keep_probability 0.8 --validation_set_split_ratio 0.1 --validate_every_n_epochs 1 \
    --batch_size 24 --epoch_size 200 --max_nrof_epochs 1 --models_base_dir models --logs_base_dir logs --json \
    --margin arcface --margin_scale 32 --margin_size 0.3 --trainable '^(logits|last_|block8|repeat_3)' \
    --warmup_steps 40 --cosine_steps 200 --clip_gradient_norm 5 >out
accuracy=$(sed -n 's/.*"validation_accuracy": \([0-9.e-]*\).*/\1/p' out)
echo "validation accuracy after 200 steps of 24 with ArcFace: $accuracy"
awk -v a="$accuracy" 'BEGIN { exit !(a >= 0.99375) }' || { echo "FAILED: below 0.99375"; exit 1; }

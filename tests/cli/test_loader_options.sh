# fn-train: --bench-loader measures and leaves nothing; --shuffle window trains, resumes with the same bits, refuses.
. "$TOOLS"
expect 0 draw-faces --tsv faces.tsv --people 6 --images 12 --size 96
expect 0 fn-ingest faces.tsv --store db --size 88

expect 0 fn-train --store db --bench-loader --image_size 80 --batch_size 8 --random_crop --random_flip --max_steps 20 \
    --models_base_dir none --logs_base_dir none
for line in "72 pictures of" "loader" "decoding alone" "share" "checksum" "crop"; do says out "$line"; done
expect 0 fn-train --store db --bench-loader --image_size 80 --batch_size 8 --max_steps 20 --nrof_preprocess_threads 2 --json
for key in workers images_per_second ceiling_per_second share share_of_processor memory_bytes microseconds; do
    says out "\"$key\""
done
same "$(wc -l <out)" 1 "lines on stdout with --json"
[ ! -e none ] || { echo "FAILED: measuring left a folder"; exit 1; }

set -- --store db --model_def models.shrunken --image_size 80 --batch_size 8 --epoch_size 10 --max_nrof_epochs 1 \
    --embedding_size 32 --random_crop --random_flip --threads 1 --logs_base_dir logs --shuffle window
expect 0 fn-train "$@" --models_base_dir whole --nrof_preprocess_threads 3
expect 0 fn-train "$@" --models_base_dir parts --max_steps 4
expect 0 fn-train --resume parts/* --max_steps 0 --threads 1
cmp whole/*/checkpoint-00000010/model.safetensors parts/*/checkpoint-00000010/model.safetensors || { echo "FAILED: other bits after resuming"; exit 1; }
expect 1 fn-train --resume parts/* --shuffle full
says err "--shuffle was window"
expect 2 fn-train --store db --loss triplet --batch_size 9 --shuffle window
says err "--shuffle window is for --loss softmax"
expect 0 fn-train "$@" --shuffle full --models_base_dir full
cmp -s whole/*/checkpoint-00000010/model.safetensors full/*/checkpoint-00000010/model.safetensors && { echo "FAILED: the order is the same"; exit 1; }
exit 0

# A checkpoint of ours in facenet-pytorch: strict key matching, equal embeddings. FN_PYTHON: a Python that has it.
. "$TOOLS"
python=${FN_PYTHON:-python3}
"$python" -c 'import facenet_pytorch, safetensors, torch' 2>/dev/null ||
    skip "$python cannot import facenet_pytorch, safetensors and torch (set FN_PYTHON)"
expect 0 draw-faces --tsv faces.tsv --people 4 --images 6 --size 96
expect 0 fn-ingest faces.tsv --store db --size 80 --codec png
expect 0 fn-train --store db --image_size 80 --batch_size 6 --epoch_size 3 --max_nrof_epochs 1 --embedding_size 512 \
    --use_fixed_image_standardization --random_flip --optimizer ADAM --learning_rate 0.01 --batch_norm_decay 0.8 \
    --models_base_dir models --logs_base_dir logs
expect 0 fn-dump db export pictures --format png
images=$(find pictures -name '*.png' | LC_ALL=C sort)
expect 0 fn-embed --model models/* -o rows.npy $images
"$python" "$FN_SOURCE/tests/python/check_facenet.py" models/*/checkpoint-00000003 rows.npy $images

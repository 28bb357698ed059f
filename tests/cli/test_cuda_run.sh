# fn-train on the pretend GPU (tests/cuda/pretend.h): what is missing or too small is a sentence and exit 1; a GPU that is
# lost in mid-run leaves the last checkpoint whole, and the run goes on from there to the same bits; so it does op by op.
# ctest labels: slow
. "$TOOLS"
[ -x "$FN_BIN/fn-train-pretend" ] || skip "fn-train-pretend was not built"
expect 0 draw-faces --tsv faces.tsv --people 4 --images 6 --size 88
expect 0 fn-ingest faces.tsv --store db --size 88
set -- --store db --model_def models.shrunken --image_size 80 --batch_size 3 --epoch_size 2 --max_nrof_epochs 3 \
    --embedding_size 16 --logs_base_dir logs --optimizer ADAM --learning_rate 0.01 --keep_probability 0.7 --random_crop \
    --batch_norm_decay 0.9 --device cuda
pretend() { # pretend HOW ARGUMENTS...
    how=$1
    shift
    env FN_PRETEND="$how" fn-train-pretend "$@"
}

expect 1 pretend devices=0 "$@" --models_base_dir none
says err "no NVIDIA driver is installed"
expect 1 pretend driver=11080 "$@" --models_base_dir none
says err "the NVIDIA driver is too old: it is for CUDA 11.8"
expect 1 pretend capability=75 "$@" --precision bf16 --models_base_dir none
says err "bf16 needs 8.0 or newer: use --precision fp32"
expect 1 pretend capability=70 "$@" --models_base_dir none
says err "has compute capability 7.0: 7.5 to 12 are supported"
expect 1 pretend memory=500000000 "$@" --models_base_dir none
says err "too little to begin with"
expect 1 pretend memory=700000000 "$@" --batch_size 4000 --models_base_dir none
says err "the largest batch that fits is "
[ ! -e none ] || { echo "FAILED: a run was begun"; exit 1; }

expect 0 pretend order=3,seed=5 "$@" --models_base_dir whole
says err "Device: cuda (pretend GPU, compute capability 9.0"
says err "operations agree with plain loops"
for launches in 2000 2300 2600; do # the first that is after a checkpoint: kernels come and go
    rm -rf lost
    expect 1 pretend order=1,lose_after=$launches "$@" --models_base_dir lost
    says err "the GPU is lost"
    if [ -e lost/*/checkpoint-00000002 ]; then break; fi
done
same "$(ls lost/*/ | grep checkpoint-)" checkpoint-00000002 "what the lost run left"
run=$(ls -d lost/*)
expect 0 pretend order=2 --resume "$run" --no_graph
says err "Going on from step 2"
for file in model ema state; do
    cmp whole/*/checkpoint-00000006/$file.safetensors "$run"/checkpoint-00000006/$file.safetensors
done

# An engine that computes wrongly is found, named and passed over.
expect 0 pretend bad_engine=102 "$@" --max_steps 1 --models_base_dir passed
says err "of cuDNN's algorithms compute wrongly on this device and are not used"

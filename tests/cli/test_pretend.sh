# fn-train on a pretend GPU: what is missing is a sentence; the same bits in every order of work, recorded or not;
# a GPU lost in mid-run leaves the last checkpoint, from which the run goes on to the same end; the self-test
# takes another engine in the place of one that computes wrongly.
# ctest labels: slow
. "$TOOLS"
FN_CUDA_MODULE=$FN_BIN/libfn_cuda_pretend.so
export FN_CUDA_MODULE
[ -e "$FN_CUDA_MODULE" ] || skip "no pretend GPU was built"
if ldd "$FN_BIN/fn-train" | grep -q lib[at]san; then skip "a module is not checked for leaks"; fi
expect 0 draw-faces --tsv faces.tsv --people 4 --images 4 --size 88
expect 0 fn-ingest faces.tsv --store db --size 80
set -- --store db --model_def models.shrunken --image_size 80 --batch_size 4 --epoch_size 2 --max_nrof_epochs 3 \
    --embedding_size 32 --seed 5 --keep_probability 0.8 --random_flip --logs_base_dir logs --device cuda

# refused OPTIONS SENTENCE ARGUMENTS...
refused() {
    sentence=$2 options=$1
    shift 2
    expect 1 env FN_PRETEND="$options" fn-train "$@" --models_base_dir refused
    says err "$sentence"
    same "$(grep -c '^fn-train: ' err)" 1 "sentences"
    [ ! -e refused ] || { echo "FAILED: a run was begun"; exit 1; }
}
refused driver=0 "no NVIDIA driver is installed" "$@"
refused devices=0 "the NVIDIA driver sees no GPU" "$@"
refused driver=11040 "the NVIDIA driver is too old: it is for CUDA 11.4" "$@"
refused capability=70 "has compute capability 7.0: 7.5 to 12 are supported" "$@"
refused capability=75 "bf16 needs 8.0 or newer: use --precision fp32" "$@" --precision bf16
refused memory=536000000 "too little to begin with" "$@"
refused memory=560000000 "the largest batch that fits is" "$@" --batch_size 400

# whole FOLDER OPTIONS ARGUMENTS...: a run from beginning to end, with the bits of the first one.
whole() {
    folder=$1 options=$2
    shift 2
    expect 0 env FN_PRETEND="$options" fn-train "$@" --models_base_dir "$folder"
    ! grep -q '^pretend: ' err || { cat err; exit 1; }
    for file in model state; do
        cmp first/*/checkpoint-00000006/$file.safetensors "$folder"/*/checkpoint-00000006/$file.safetensors
    done
}
whole first order=0 "$@"
says err "Device: cuda (pretend GPU, compute capability 9.0"
says err "operations agree with plain loops"
whole lazy order=1 "$@"
whole copies order=2 "$@" --no_graph
whole random order=3,seed=4 "$@" --nrof_preprocess_threads 3

# A device that is done at once waits for the host; one that takes a minute a step does not.
# waits OPTIONS LOW HIGH: the share, more than LOW, at most HIGH
waits() {
    rm -rf waits
    expect 0 env FN_PRETEND="order=1,$1" fn-train --store db --model_def models.shrunken --image_size 80 --batch_size 4 \
        --epoch_size 12 --max_nrof_epochs 1 --embedding_size 32 --logs_base_dir waits --models_base_dir waits --device cuda --json
    says err "A step is one graph of "
    says err "	Host-wait "
    share=$(sed 's/.*"host_wait": \([0-9.e-]*\).*/\1/' out)
    echo "$share $2 $3" | awk '{ exit !($1 > $2 && $1 <= $3) }' || { echo "FAILED: host-wait $share with $1"; exit 1; }
    head -n 1 waits/*/epochs.tsv | grep -q "	host_wait$"
}
waits kernel_ns=0 0.02 1
waits kernel_ns=100000000 -1 0

# Lost after the first checkpoint, and while the second is being written or read.
lost=0
for at in 2000 2300 2500; do
    expect 1 env FN_PRETEND=order=1,lose_after=$at fn-train "$@" --models_base_dir lost$at
    says err "the GPU is lost: unspecified launch failure (cudaErrorLaunchFailure)"
    says err "go on from the last checkpoint"
    last=$(cd lost$at/* && ls -d checkpoint-0* 2>/dev/null | tail -n 1)
    [ -n "$last" ] || continue
    lost=$((lost + 1))
    for file in model ema state; do cmp first/*/"$last"/$file.safetensors lost$at/*/"$last"/$file.safetensors; done
    expect 0 env FN_PRETEND=order=2 fn-train --resume lost$at/* --no_graph
    for file in model ema state; do
        cmp first/*/checkpoint-00000006/$file.safetensors lost$at/*/checkpoint-00000006/$file.safetensors
    done
done
[ $lost -ge 2 ] || { echo "FAILED: only $lost runs were lost after a checkpoint"; exit 1; }

# Engine 102 is the best of those that keep fp32; 103 is the next.
expect 0 env FN_PRETEND=order=1,bad_engine=102 fn-train --selftest --device cuda --json
says out '"retries": 1'
! grep -q '"retries": [2-9]' out || { echo "FAILED: the next engine was not taken"; cat out; exit 1; }
expect 0 env FN_PRETEND=order=1,bad_engine=102 fn-train "$@" --max_steps 1 --models_base_dir passed
says err "of cuDNN's algorithms compute wrongly on this device and are not used"

# fn-train --device cuda where there is no GPU: one sentence, exit 1; auto goes on without, and says why only where it was asked for.
. "$TOOLS"
if [ -e /dev/nvidiactl ] || [ -e /dev/dxg ] || grep -qs 0x10de /sys/bus/pci/devices/*/vendor; then skip "there is a GPU here"; fi
expect 0 draw-faces --tsv faces.tsv --people 4 --images 4 --size 88
expect 0 fn-ingest faces.tsv --store db --size 80
set -- --store db --model_def models.shrunken --image_size 80 --batch_size 4 --epoch_size 1 --max_nrof_epochs 1 \
    --embedding_size 32 --models_base_dir models --logs_base_dir logs

for precision in fp32 bf16; do
    expect 1 fn-train "$@" --device cuda --precision $precision
    same "$(grep -c '^fn-train: device cuda: ' err)" 1 "sentences"
    same "$(tail -n 1 err | cut -d : -f 1-2)" "fn-train: device cuda" "the last line"
    [ ! -e models ] || { echo "FAILED: a run was begun"; exit 1; }
done
if [ -e "$FN_BIN/libfn_cuda.so" ]; then
    says err "no NVIDIA driver is installed"
else
    says err "this program was built without CUDA"
fi

# A module whose libraries are missing, or that is none.
expect 1 env FN_CUDA_MODULE=/no/such.so fn-train "$@" --device cuda
says err "fn-train: device cuda: FN_CUDA_MODULE=/no/such.so: no such file"
expect 1 env FN_CUDA_MODULE="$FN_SOURCE/LICENSE" fn-train "$@" --device cuda
says err "LICENSE cannot be loaded: "

expect 0 fn-train "$@" --device auto --quiet
expect 0 fn-train "$@" --device auto
says err "Device: "
grep -q "cuda" err && { echo "FAILED: a machine without a GPU is told of CUDA"; exit 1; }
expect 0 env FN_CUDA_MODULE=/no/such.so fn-train "$@" --device auto
says err "device cuda: FN_CUDA_MODULE=/no/such.so: no such file"

# The self-test: a line an operation, or one object; no store is needed.
expect 0 fn-train --selftest --device cpu --json
says out '"operation": "batch norm backward"'
says out '"retries": 0'
same "$(wc -l <out)" 1 "lines on stdout with --json"
expect 1 fn-train --selftest --device cuda
says err "fn-train: device cuda: "
same "$(wc -c <out)" 0 "bytes on stdout of a device that is not there"

# --batch_size auto: all that fits, no more than there are pictures; recorded as what it came to.
expect 0 fn-train "$@" --device ref --batch_size auto
says err "Memory for batches of 16, the largest:"
expect 0 fn-train --resume "$(ls -d models/* | tail -n 1)" --max_nrof_epochs 2
says err "Memory for batches of 16:"
expect 2 fn-train "$@" --batch_size 0
says err "option --batch_size: '0': neither auto nor a whole number from 1 to 65536"

# fn-train in bf16 on a processor: refused with a reason where it cannot be; elsewhere said, resumed with the same bits
# (batches in parts, clipped gradients), and not resumed in fp32. fn-embed: nearly what fp32 gives.
. "$TOOLS"
fn-train --selftest --device cpu >/dev/null 2>err || { grep -q "no device cpu" err && skip "built without oneDNN"; }
expect 0 draw-faces --tsv faces.tsv --people 6 --images 8 --size 118
expect 0 fn-ingest faces.tsv --store db --size 118
set -- --store db --model_def models.shrunken --image_size 112 --batch_size 8 --epoch_size 4 --max_nrof_epochs 1 \
    --embedding_size 32 --optimizer MOM --learning_rate 0.05 --gradient_accumulation 2 --clip_gradient_norm 1 \
    --threads 1 --device cpu

# ---- where the processor has none, or oneDNN may not use it ----
case $(uname -m) in x86_64)
    for isa in AVX2 AVX512_CORE; do
        expect 1 env ONEDNN_MAX_CPU_ISA=$isa fn-train "$@" --precision bf16
        says err "device cpu: this processor has no AVX-512 with bf16 (oneDNN may use"
        says err "here): use fp32"
    done ;;
esac
fn-train --selftest --device cpu --precision bf16 >out 2>err ||
    { grep -q "has no AVX-512 with bf16" err && skip "$(cat err)" || { cat out err; exit 1; }; }
grep -q "^conv 1x7 data, added  *[0-9.e-]*  *1.0e-02" out

# ---- the same bits, straight through and resumed; never in another precision ----
expect 0 fn-train "$@" --precision bf16 --models_base_dir whole
says err "AVX-512 with bf16, 1 thread), bf16"
expect 0 fn-train "$@" --precision bf16 --models_base_dir cut --max_steps 3
expect 1 fn-train --resume cut/* --max_steps 0 --threads 1 --precision fp32
says err "--precision was bf16 when this run began and cannot become fp32"
expect 0 fn-train --resume cut/* --max_steps 0 --threads 1
for file in model state; do
    cmp whole/*/checkpoint-00000004/$file.safetensors cut/*/checkpoint-00000004/$file.safetensors
done

# ---- triplets mined in the batch: chosen from embeddings in bf16, and nearly those of fp32; the same bits resumed ----
online() { # PRECISION MODELS OPTION...: 4 batches of 6 people
    expect 0 fn-train --store db --model_def models.shrunken --image_size 112 --embedding_size 32 --loss triplet \
        --mining online --triplet_selection semi-hard --people_per_batch 6 --images_per_person 4 --batch_size 24 \
        --epoch_size 4 --max_nrof_epochs 1 --threads 1 --device cpu --precision "$1" --models_base_dir "$2" \
        --logs_base_dir "logs-$2" "${@:3}"
}
online fp32 wide && online bf16 narrow && online bf16 part --max_steps 2
expect 0 fn-train --resume part/* --max_steps 0 --threads 1
cmp narrow/*/checkpoint-00000004/model.safetensors part/*/checkpoint-00000004/model.safetensors
cmp logs-narrow/*/steps.tsv logs-part/*/steps.tsv
paste logs-wide/*/steps.tsv logs-narrow/*/steps.tsv | awk -F '\t' 'NR == 2 { # loss and active share of the first batch
    d = $2 - $9; s = $4 - $11; exit !($4 > 0 && $9 != $2 && d * d < 1e-4 && s * s < 0.01 * $4 * $4) }' ||
    { echo "FAILED: another course"; head -n 3 logs-*/*/steps.tsv; exit 1; }

# ---- embeddings ----
command -v python3 >/dev/null || skip "no python3"
for precision in fp32 bf16; do
    expect 0 fn-embed --model whole/* --store db -o $precision.npy --precision $precision --threads 1 --device cpu
    says err "), $precision"
done
python3 - <<'END'
import struct
def rows(name):
    data = open(name, 'rb').read()
    body = data[10 + struct.unpack('<H', data[8:10])[0]:]
    return list(struct.iter_unpack('<32f', body))
a, b = rows('fp32.npy'), rows('bf16.npy')
least = min(sum(x * y for x, y in zip(p, q)) for p, q in zip(a, b))
print('embeddings of %d pictures: least cosine of bf16 with fp32 %.5f' % (len(a), least))
assert len(a) == len(b) == 48 and a != b and 0.995 < least < 1.0001
END

# fn-train --profile: every kind of operation and every layer, in a table or as JSON; nothing is left behind.
. "$TOOLS"
expect 0 draw-faces --tsv faces.tsv --people 6 --images 12 --size 170
expect 0 fn-ingest faces.tsv --store db --size 164
set -- --store db --model_def models.shrunken --image_size 80 --batch_size 8 --embedding_size 32 --max_steps 2 \
    --models_base_dir none --logs_base_dir none --threads 1
expect 0 fn-train "$@" --profile
for line in "batches of 8:" "waiting for the loader" "conv forward" "conv backward" "batch norm backward" "update" \
    "conv2d_1a" "conv2d_1a (backward)" "mixed_7a.branch2.2" "last"; do says out "$line"; done
expect 0 fn-train "$@" --profile --json
same "$(wc -l <out)" 1 "lines on stdout with --json"
"${FN_PYTHON:-python3}" - <<'P'
import json
p = json.load(open('out'))
kinds = {k['name']: k for k in p['kinds']}
assert p['batch_size'] == 8 and p['steps'] == 2 and p['planned_bytes'] > 3e7, p['planned_bytes']
assert p['used_bytes'] > 0.95 * p['planned_bytes'], p['used_bytes'] # test_plan knows the other side
assert kinds['conv backward']['flops'] < 2 * kinds['conv forward']['flops']
assert kinds['conv backward']['flops'] > 1.8 * kinds['conv forward']['flops']
for name in ('conv forward', 'conv backward', 'batch norm forward', 'batch norm backward', 'residual', 'pool', 'update'):
    assert kinds[name]['seconds'] > 0 and kinds[name]['bytes'] > 0, name
total = sum(k['seconds'] for k in p['kinds'])
layers = sum(l[w]['seconds'] for l in p['layers'] for w in ('forward', 'backward'))
rest = sum(kinds[k]['seconds'] for k in ('input', 'loss', 'update'))
assert layers <= total - rest + 1e-9 and layers > 0.5 * (total - rest), (layers, total, rest)
P
# The published network: 1.418 G multiply-adds an image forward, of which the bottleneck is 1792 x 512.
expect 0 fn-train --store db --batch_size 2 --embedding_size 512 --max_steps 1 --threads 1 --profile --json
"${FN_PYTHON:-python3}" - <<'P'
import json
flops = {k['name']: k['flops'] for k in json.load(open('out'))['kinds']}
assert abs(flops['conv forward'] / 4 + 1792 * 512 - 1.418e9) < 1e6, flops['conv forward']
P
[ ! -e none ] || { echo "FAILED: profiling left a folder"; exit 1; }
expect 0 fn-train "$@" --profile --loss triplet --batch_size 9 --people_per_batch 3 --images_per_person 4
says out "batches of 9:"
expect 0 fn-train "$@" --profile --device ref

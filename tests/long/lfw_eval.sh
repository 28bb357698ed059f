# The original's evaluation on folds 1-4 of LFW, from raw pictures with the aligner's boxes and the published weights,
# against what the original code gives on the same crops (golden/lfw-part.json).
. "$TOOLS"
[ -r "$FN_TEST_DATA/lfw-part.tar" ] || skip "no $FN_TEST_DATA/lfw-part.tar (set FN_TEST_DATA)"
tar -xf "$FN_TEST_DATA/lfw-part.tar"

# within NAME VALUE TRUTH
within() {
    awk -v name="$1" -v a="$2" -v b="$3" 'BEGIN { d = a - b; if (d < 0) d = -d
        printf "%s %.5f, the original %.5f\n", name, a, b; exit d > 0.001 }' || { echo "FAILED: $1"; exit 1; }
}
field() { sed 's/"folds": \[[^]]*\]//' out | sed -n "s/.*\"$1\": \([-0-9.e]*\)[,}].*/\1/p"; }

set -- --model "$FN_TEST_DATA/irv1-vggface2.safetensors" --lfw_dir lfw --boxes "$FN_TEST_DATA/bounding_boxes-part.txt" \
    --lfw_pairs "$FN_TEST_DATA/pairs-part.txt" --lfw_nrof_folds 4 --distance_metric 1 --subtract_mean --json
expect 0 fn-eval "$@"
within accuracy "$(field accuracy)" 0.99375
within accuracy_std "$(field accuracy_std)" 0.00320
within val "$(field val)" 0.97583
within val_std "$(field val_std)" 0.00433
within auc "$(field auc)" 0.99965
within eer "$(field eer)" 0.0062
expect 0 fn-eval "$@" --use_flipped_images
within "accuracy with flips" "$(field accuracy)" 0.99417

# The same pictures as a lossless store: cropped and resized once, by fn-ingest.
expect 0 fn-ingest --store store --size 160 --codec png --boxes "$FN_TEST_DATA/bounding_boxes-part.txt" lfw
expect 0 fn-eval --model "$FN_TEST_DATA/irv1-vggface2.safetensors" --store store \
    --lfw_pairs "$FN_TEST_DATA/pairs-part.txt" --lfw_nrof_folds 4 --distance_metric 1 --subtract_mean --json
within "accuracy from a store" "$(field accuracy)" 0.99375

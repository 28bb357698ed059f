# fn-eval --report: the page of an evaluation, from a tree and from a store, with hostile names and bad pictures.
. "$TOOLS"
python=$(command -v "${FN_PYTHON:-python3}" || true)
page() { # FILE TEXT...
    [ -z "$python" ] || "$python" "$FN_SOURCE/tests/python/check_page.py" "$@" || { echo "FAILED: $1"; exit 1; }
}
expect 0 draw-faces --tsv faces.tsv --people 5 --images 8 --size 80
expect 0 fn-ingest faces.tsv --store db --size 80
expect 0 fn-train --store db --model_def models.shrunken --image_size 76 --batch_size 9 --max_steps 3 --output_dir . \
    --models_base_dir models --logs_base_dir logs --threads 1 --embedding_size 16 --batch_norm_decay 0.5 --quiet
run=$(ls -d models/*)
expect 0 draw-faces --tree people --pairs pairs.txt --people 6 --images 4 --first 100 --pair-count 60 --size 80

# Someone's name is markup.
evil='"><script>alert(1)<!--&'
victim=$(ls people | head -n 1)
mv "people/$victim" "people/$(printf '%s' "$evil" | tr / _)"
for file in "people/$evil"/*; do
    mv "$file" "people/$evil/$evil${file##*"$victim"}"
done
awk -F '\t' -v OFS='\t' -v from="$victim" -v to="\"><script>alert(1)<!--\\\\&" \
    '{ for (i = 1; i <= NF; i++) if ($i == from) { $i = to; sub(/\\/, "", $i) } print }' pairs.txt >evil.txt

common="--model $run --lfw_dir people --lfw_nrof_folds 4 --threads 1"
# shellcheck disable=SC2086
expect 0 fn-eval $common --lfw_pairs evil.txt --report page.html
says out "Accuracy: "
says err "page.html: open it in a browser"
page page.html Evaluation ROC Distances "Accuracy by fold" "Different people, nearest together" "One person, farthest apart" "$evil"
grep -qi '<script' page.html && { echo "FAILED: a script"; exit 1; }
same "$(grep -o '<img ' page.html | wc -l)" 48 "pictures of the hardest pairs"
grep -q "skipped" err && { echo "FAILED: the names were not found"; cat err; exit 1; }

# The same figures as on stdout; with --json nothing else is there.
accuracy=$(sed -n 's/^Accuracy: \([0-9.]*\)+.*/\1/p' out)
page page.html "$(awk -v a="$accuracy" 'BEGIN { printf "%.2f%%", 100 * a }')"
# shellcheck disable=SC2086
expect 0 fn-eval $common --lfw_pairs evil.txt --report page2.html --json
same "$(wc -l <out)" 1 "lines of --json"

# From a store; few pairs; a folder that is none.
expect 0 fn-ingest people --store pstore --size 80 --codec png
expect 0 fn-eval --model "$run" --store pstore --lfw_pairs evil.txt --lfw_nrof_folds 3 --distance_metric 1 --subtract_mean \
    --use_flipped_images --report store.html
page store.html "angle, as a share of 180 degrees, mean of the other folds subtracted" "each with its mirror image" pstore
head -n 3 evil.txt >few.txt
# shellcheck disable=SC2086
expect 0 fn-eval --model "$run" --lfw_dir people --lfw_nrof_folds 2 --lfw_pairs few.txt --report few.html
page few.html "does not exist here"
# shellcheck disable=SC2086
expect 1 fn-eval $common --lfw_pairs evil.txt --report nowhere/page.html
says err "nowhere"

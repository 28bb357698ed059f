# The page of a run: written while it trains, shows where it was resumed, made again from its logs; triplets too.
. "$TOOLS"
python=$(command -v "${FN_PYTHON:-python3}" || true)
page() { # FILE TEXT...
    [ -z "$python" ] || "$python" "$FN_SOURCE/tests/python/check_page.py" "$@" || { echo "FAILED: $1"; exit 1; }
}
hasnt() { grep -qF -- "$2" "$1" && { echo "FAILED: '$2' is in $1"; exit 1; } || true; }

expect 0 draw-faces --tsv faces.tsv --people 8 --images 12 --size 80
expect 0 fn-ingest faces.tsv --store 'd<b>&' --size 80
expect 0 draw-faces --tree people --pairs pairs.txt --people 6 --images 4 --first 100 --pair-count 40 --size 80
common="--model_def models.shrunken --image_size 76 --random_crop --batch_size 9 --epoch_size 4 --output_dir . --models_base_dir models"
common="$common --logs_base_dir logs --lfw_dir people --lfw_pairs pairs.txt --threads 1 --embedding_size 16 --quiet"

# shellcheck disable=SC2086
expect 0 fn-train --store 'd<b>&' $common --max_nrof_epochs 4 --max_steps 8 --validation_set_split_ratio 0.2 \
    --validate_every_n_epochs 3 --use_fixed_image_standardization
run=$(ls -d models/*)
says out "report: "
hasnt "$run/report.html" "resumed</li>"
expect 0 fn-train --resume "$run" --threads 1 --quiet # nothing is left to do, and nothing is lost
hasnt "$run/report.html" "nan%" # the speed is that of the last epoch that trained
keys() { sed 1d logs/*/$1.tsv | cut -f 1 | tr '\n' ' '; }
same "$(keys epochs)| $(keys validation)" "1 2 | 2 " "epochs and validations of a run that --max_steps ends with the second"
page "$run/report.html" "Training run" Loss Accuracy "Learning rate" "Same person or not" "Images a second" "d<b>&"
expect 0 fn-train --resume "$run" --max_steps 0 --quiet --json
says out '"report"'
hasnt "$run/report.html" "went back"
same "$(keys epochs)| $(keys validation)" "1 2 3 4 | 3 4 " "epochs and validations after going on"
page "$run/report.html" "--resume $run" resumed "12" "$(pwd)/d<b>&"
same "$(grep -c . logs/*/starts.tsv)" 4 "lines of starts.tsv"
same "$(grep "	nan	nan	nan$" logs/*/epochs.tsv | cut -f 1)" 2 "epochs trained before the resume, and that have no speed"
same "$(grep -o 'resumed</li>' "$run/report.html" | sort -u)" "resumed</li>" "a mark for the resume"

# From the logs alone, by either folder: the same page.
cp "$run/report.html" before.html
rm "$run/report.html"
expect 0 fn-train --report "$run"
says out "$run/report.html"
cmp "$run/report.html" before.html
expect 0 fn-train --report logs/* --json
cmp "$(ls logs/*/report.html)" before.html
expect 1 fn-train --report people
says err "people"
says err "name its folder of logs"
expect 1 fn-train --report nowhere

# A log that is torn, a value that is none, a hostile word: a page all the same.
log=$(ls -d logs/*)
printf '13\tnan\tnan\tnan\tnan\tnan\tnan\tnan\n14\t' >>"$log/steps.tsv"
printf 'x<script>: </style><script>alert(1)</script>\377\n' >>"$log/arguments.txt"
expect 0 fn-train --report "$log"
page "$log/report.html" "1 step not finite" '</style><script>alert(1)'
rm "$log"/*.tsv
expect 0 fn-train --report "$log"
page "$log/report.html" Options

# Triplets have figures of their own.
rm -rf models logs
# shellcheck disable=SC2086
expect 0 fn-train --store 'd<b>&' $common --loss triplet --max_nrof_epochs 2 --people_per_batch 6 --images_per_person 6
page models/*/report.html "Active triplets" "Mean distance" "Triplets of a group" "triplet loss" "Epochs begin at 0"
hasnt models/*/report.html ">Accuracy<"
hasnt models/*/report.html ">Regularization<"

# Mined in the batch: no groups, and how far embeddings are apart all the same.
rm -rf models logs
# shellcheck disable=SC2086
expect 0 fn-train --store 'd<b>&' $common --loss triplet --mining online --triplet_selection semi-hard --people_per_batch 3 \
    --images_per_person 3 --max_nrof_epochs 1
page models/*/report.html "Active triplets" "Mean distance" "1 of 1 epochs"
hasnt models/*/report.html "Triplets of a group"

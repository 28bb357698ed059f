# fn-embed --class_distance, fn-train --filter_filename: against the original's rule in numpy; resumed; refused.
. "$TOOLS"
expect 0 draw-faces --tsv faces.tsv --people 8 --images 9 --size 96
expect 0 fn-ingest faces.tsv --store db --size 88
set -- --store db --model_def models.shrunken --image_size 80 --batch_size 6 --epoch_size 2 --max_nrof_epochs 1 \
    --embedding_size 16 --threads 1 --models_base_dir models --logs_base_dir logs
expect 0 fn-train "$@"
model=$(echo models/2*)
expect 0 fn-embed --model "$model" --threads 1 -o e.npy --store db --class_distance d.tsv
same "$(head -n 1 d.tsv)" "distance	class	name" "head of the distances"
same "$(wc -l <d.tsv)" 73 "lines of the distances"
# Class folders give the same distances as a store of them; classes lie in any order of the operands.
expect 0 fn-dump db export people
expect 0 fn-ingest people --store people.db --size 0 --codec keep
expect 0 fn-embed --model "$model" --threads 1 -o rows.npy --store people.db --class_distance p.tsv
expect 0 fn-embed --model "$model" --threads 1 -o rows.npy --class_distance f.tsv people
cmp p.tsv f.tsv
expect 0 fn-embed --model "$model" --threads 1 -o rows.npy --class_distance m.tsv $(ls people/*/*.png | sort -t / -k 3)
same "$(sort m.tsv | cksum)" "$(sort f.tsv | cksum)" "distances of mixed operands"

python=${FN_PYTHON:-python3}
if "$python" -c 'import numpy' 2>/dev/null; then
    for case in "100 0" "90 0" "60 0" "60 6" "20 3" "0 0"; do
        read -r percentile least <<<"$case"
        read -r threshold gone classes <<<"$("$python" "$FN_SOURCE/tests/python/check_filter.py" e.npy e.tsv d.tsv $case)"
        set +e
        fn-train "$@" --max_steps 1 --filter_filename d.tsv --filter_percentile "$percentile" \
            --filter_min_nrof_images_per_class "$least" >out 2>err
        set -e
        says err "Filter: d.tsv has 72 pictures, "
        says err "at a distance of $threshold or more; $gone are left out, with $classes classes"
        [ "$gone" = 72 ] || says err "Number of examples in training set: $((72 - gone))"
    done
else
    echo "SKIPPED comparison with numpy: $python cannot import it (set FN_PYTHON)"
fi

# ---- a run keeps its filter; it is bound; the file may be named in another way ----
rm -rf models
expect 0 fn-train "$@" --max_steps 1 --filter_filename d.tsv --filter_percentile 80
says err "are left out, with 0 classes"
run=$(echo models/2*)
(cd people && expect 0 fn-train --resume "../$run" --max_steps 2 --threads 1
    says err "Filter: /")
expect 0 fn-train --resume "$run" --filter_filename d.tsv --max_steps 2 --threads 1
expect 1 fn-train --resume "$run" --filter_percentile 70
says err "--filter_percentile was 80 when this run began"
sed '$d' d.tsv >shorter.tsv
expect 1 fn-train --resume "$run" --filter_filename shorter.tsv
says err "--filter_filename was "

# ---- refusals ----
printf '\211HDF\r\n\032\n rest' >old.hdf5
expect 1 fn-train "$@" --filter_filename old.hdf5
says err "old.hdf5 is an HDF5 file"
says err "fn-embed --model RUN --store DB -o E.npy --class_distance FILE.tsv"
expect 1 fn-train "$@" --filter_filename faces.tsv
says err "faces.tsv:1: want a distance, a class and a name"
expect 1 fn-train "$@" --filter_filename d.tsv --filter_percentile 0 --filter_min_nrof_images_per_class 10
says err "after filtering"
sed 's/\tm\./\tn./' d.tsv >others.tsv
expect 1 fn-train "$@" --filter_filename others.tsv
says err "it was made of other pictures"
expect 1 fn-embed --model "$run" -o rows.npy --store db --class_distance nowhere/d.tsv
says err "nowhere/d.tsv"

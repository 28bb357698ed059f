# fn-embed: rows and names, from trees, folders, files and stores; what cannot be read is left out; refusals.
. "$TOOLS"
expect 0 draw-faces --tsv faces.tsv --people 6 --images 8 --size 96
expect 0 fn-ingest faces.tsv --store db --size 88
expect 0 draw-faces --tree people --pairs pairs.txt --people 5 --images 3 --first 500 --pair-count 20 --size 88
expect 0 fn-train --store db --model_def models.shrunken --image_size 80 --batch_size 8 --epoch_size 2 --max_nrof_epochs 1 \
    --embedding_size 32 --threads 1 --models_base_dir models --logs_base_dir logs
run=models/$(ls models)
set -- --model "$run" --threads 1

# rows FILE: number of rows by the header of a .npy.
rows() { head -c 128 "$1" | tr -d '\0' | sed -n "s/.*'shape': (\([0-9]*\), .*/\1/p"; }

expect 0 fn-embed "$@" -o tree.npy people
same "$(rows tree.npy)" 15 "rows of a tree"
same "$(wc -c <tree.npy)" $((128 + 15 * 32 * 4)) "bytes of a tree's rows"
same "$(wc -l <tree.tsv)" 16 "lines of a tree's table"
same "$(head -n 1 tree.tsv)" "row	class	name" "head of the table"
same "$(sed -n 2p tree.tsv | cut -f 2)" "$(ls people | LC_ALL=C sort | head -n 1)" "first class"

# More loader threads, folders of pictures, files, and a store: the same rows. On ref, in any batch.
expect 0 fn-embed "$@" -o other.npy --nrof_preprocess_threads 3 people
cmp tree.npy other.npy
cmp tree.tsv other.tsv
expect 0 fn-embed "$@" -o ref.npy --device ref people
expect 0 fn-embed "$@" -o ref4.npy --device ref --batch_size 4 people
cmp ref.npy ref4.npy
expect 0 fn-embed "$@" -o flat.npy people/*/
cmp tree.npy flat.npy
cmp tree.tsv flat.tsv
expect 0 fn-embed "$@" -o files.npy $(find people -name '*.jpg' -o -name '*.png' | LC_ALL=C sort)
cmp tree.npy files.npy
expect 0 fn-ingest --store lfw --size 0 --codec keep people
expect 0 fn-embed "$@" -o store.npy --store lfw
cmp tree.npy store.npy
same "$(cut -f 2 store.tsv | sort -u | wc -l)" 6 "classes of a store"

expect 0 fn-embed "$@" -o flips.npy --use_flipped_images --json people
same "$(wc -c <flips.npy)" $((128 + 15 * 64 * 4)) "bytes with flips"
says out '"embeddings": 15'
says out '"dims": 64'
expect 0 fn-embed "$@" -o ema.npy --ema people

# ---- what cannot be read ----
cp -r people holes
broken=$(find holes -name '*_0002.*' | LC_ALL=C sort | head -n 1)
head -c 300 "$broken" >cut && mv cut "$broken"
expect 0 fn-embed "$@" -o holes.npy holes
says err "1 pictures could not be read"
says err "$(basename "$broken")"
same "$(rows holes.npy)" 14 "rows with a broken picture"
mkdir junk && echo junk >junk/a.jpg
expect 1 fn-embed "$@" -o junk.npy junk
says err "none of the 1 pictures could be read"
[ ! -e junk.npy ] || { echo "FAILED: a file without rows"; exit 1; }

# ---- refusals ----
expect 2 fn-embed -o x.npy people
says err "no --model"
expect 2 fn-embed "$@" people
says err "no -o"
expect 2 fn-embed "$@" -o x.npy
says err "nothing to embed"
expect 2 fn-embed "$@" -o - people
says err "a file, not to standard output"
expect 2 fn-embed "$@" -o x.npy --class_distance x.tsv people
says err "-o writes a file of that name"
expect 2 fn-embed "$@" -o x.npy --store lfw people
says err "exclude each other"
expect 1 fn-embed "$@" -o x.npy nowhere
says err "nowhere"
mkdir empty
expect 1 fn-embed "$@" -o x.npy empty
says err "empty: no picture"
expect 1 fn-embed "$@" -o nowhere/x.npy people
says err "nowhere/x.npy"
expect 1 fn-embed "$@" -o x.npy --image_size 96 people
says err "80 pixels, not 96"
expect 1 fn-embed --model "$run" --device cuda -o x.npy people
says err "cuda"

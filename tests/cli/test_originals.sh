# fn-train: the command lines of the original example as they stand, on folders of pictures; upstream's form of them.
# ctest labels: slow
. "$TOOLS"
mkdir D
expect 0 draw-faces --tree D/msceleb --pairs unused.txt --people 6 --images 12 --first 7
expect 0 draw-faces --tree D/lfw_mtcnnpy_160 --pairs pairs.txt --people 8 --images 3 --first 500 --pair-count 40 --size 160
printf '0: 0.05\n100: 0.005\n200: 0.0005\n276: -1\n' >lr.txt
# Behind the command line, what makes it a matter of seconds: the later option counts.
small="--model_def models.shrunken --batch_size 6 --epoch_size 3 --max_nrof_epochs 2 --threads 1"

softmax=(
    fn-train --logs_base_dir logs/facenet --models_base_dir models/facenet/ --data_dir D --data_path msceleb/
    --image_size 160 --model_def models.inception_resnet_v1 --lfw_dir lfw_mtcnnpy_160/ --learning_rate -1
    --optimizer ADAM --max_nrof_epochs 150 --keep_probability 0.4 --random_flip
    --use_fixed_image_standardization --weight_decay 5e-4 --embedding_size 512 --output_dir O --log_dir L
    --num_gpus 1 --lfw_distance_metric 1 --lfw_use_flipped_images --lfw_subtract_mean
    --validation_set_split_ratio 0.01 --validate_every_n_epochs 5
    --learning_rate_schedule_file lr.txt --lfw_pairs pairs.txt
)
softmax() { "${softmax[@]}" "$@"; }
triplet() {
    fn-train --loss triplet --logs_base_dir logs/facenet --models_base_dir models/facenet/ --data_dir D --data_path msceleb/ \
        --image_size 160 --model_def models.inception_resnet_v1 --lfw_dir lfw_mtcnnpy_160/ \
        --optimizer ADAM --max_nrof_epochs 150 --keep_probability 0.8 --random_crop --random_flip --weight_decay 5e-4 \
        --embedding_size 512 --output_dir O --log_dir L --num_gpus 1 --learning_rate_schedule_file=lr.txt \
        --lfw_pairs=pairs.txt "$@"
}
# leaves RUN FILE...: checkpoints below output_dir, logs beside it where logs_base_dir says, with these tables.
leaves() {
    run=$1
    shift
    for file in model.safetensors ema.safetensors state.safetensors state.json classes.tsv; do
        ls "O/models/facenet/$run"/checkpoint-*/$file >/dev/null || { echo "FAILED: $run has no $file"; exit 1; }
    done
    for file in arguments.txt revision_info.txt lfw_result.txt steps.tsv epochs.tsv "$@"; do
        [ -s "logs/facenet/$run/$file" ] || { echo "FAILED: $run has no $file"; exit 1; }
    done
    ls "logs/facenet/$run"/events.out.tfevents.* >/dev/null
}

# ---- softmax; the store is made, once ----
expect 0 softmax $small
says err "D/msceleb/ is a folder of pictures: a store is made of it, once, in O/models/facenet/stores/msceleb-"
says err "sealing"
says err "Number of classes in training set: 6"
says err "Number of examples in training set: 66"
says err "Number of classes in validation set: 6"
says err "Number of examples in validation set: 6"
says err "Model directory: O/models/facenet/2"
says err "Log directory: logs/facenet/2"
says err "Pre-trained model: none"
says err "LFW directory: D/lfw_mtcnnpy_160/"
says err "Epoch: [1][1/3]	Time "
says err "	Lr 0.05000	Cl "
says err "Validation Epoch: 2	Time "
says err "Accuracy: 0."
says err "Validation rate: 0."
first=$(cd O/models/facenet && ls -d 2*)
leaves "$first" validation.tsv
grep -qx "embedding_size: 512" "logs/facenet/$first/arguments.txt"
grep -qx "data_path: msceleb/" "logs/facenet/$first/arguments.txt"
same "$(cut -f 1 "logs/facenet/$first/lfw_result.txt" | tr '\n' ' ')" "0 3 " "steps in lfw_result.txt"
same "$(ls O/models/facenet/stores | wc -l)" 1 "stores"
store=$(echo O/models/facenet/stores/msceleb-*)
# As they were: the same bytes that stood in the tree.
expect 0 fn-dump "$store" stats --json
says out '"records": 72'
expect 0 fn-dump "$store" export tree --format keep
diff -r tree D/msceleb || { echo "FAILED: the store has other pictures than the tree"; exit 1; }

# ---- triplets; the store is found. Its rate is the constant 0.1: the file is not read ----
before=$(cat "$store/provenance.json" | cksum)
expect 0 triplet $small --people_per_batch 5 --images_per_person 6
says err "D/msceleb/ is a folder of pictures: its store is there, O/models/facenet/stores/msceleb-"
same "$(cat "$store/provenance.json" | cksum)" "$before" "provenance of a store that was there"
says err "(nrof_random_negs, nrof_triplets) = (75, "
says err "Accuracy: "
says err "Lr 0.10000"
second=$(cd O/models/facenet && ls -d 2* | tail -n 1)
leaves "$second" groups.tsv
grep -qx "learning_rate: 0.1" "logs/facenet/$second/arguments.txt"
same "$(head -n 1 "logs/facenet/$second/lfw_result.txt" | cut -f 1)" 0 "first step in lfw_result.txt"

# ---- resumed from elsewhere, and where the tree is gone: the store is what counts ----
mv D/msceleb D/gone
(cd tree && expect 0 fn-train --resume "../O/models/facenet/$first" --max_nrof_epochs 3 --threads 1
    says err "Epoch: [3][1/3]")
mv D/gone D/msceleb

# ---- --work_dir; a tree that has changed since; a killed ingest is gone on with ----
expect 0 softmax $small --max_steps 1 --work_dir=W --lfw_dir= --quiet
[ ! -s out ] || [ "$(head -c 4 out)" = run: ] || { echo "FAILED: fn-ingest wrote to stdout"; exit 1; }
store=$(echo W/stores/msceleb-*)
[ -s "$store/manifest.json" ] || { echo "FAILED: no store below --work_dir"; exit 1; }
touch -d '+1 hour' D/msceleb/*
expect 0 softmax $small --max_steps 1 --work_dir=W --lfw_dir=
says err "was changed after its store was made: remove W/stores/msceleb-"
rm "$store/manifest.json"
expect 1 softmax $small --max_steps 1 --work_dir=W --lfw_dir=
says err "fn-ingest made no store of D/msceleb/, and said why above"

# ---- Ctrl-C while the store is made: passed on to fn-ingest; the same command goes on ----
mkdir D/big
for copy in $(seq 40); do for class in D/msceleb/*; do cp -rl "$class" "D/big/$(basename "$class")-$copy"; done; done
"${softmax[@]}" $small --data_path big --max_steps 1 --lfw_dir= >out 2>err &
pid=$!
while ! grep -q "a store is made of it" err && kill -0 $pid 2>/dev/null; do sleep 0.02; done
sleep 0.1
kill -INT $pid
set +e; wait $pid; got=$?; set -e
if [ $got = 130 ] && grep -qF "interrupted before the first batch" err; then
    echo "SKIPPED Ctrl-C while the store is made: it was made already"
elif [ $got = 130 ]; then
    says err "interrupted while D/big was stored; the same command goes on from there"
    expect 0 softmax $small --data_path big --max_steps 1 --lfw_dir=
    says err "Store: O/models/facenet/stores/big-"
    says err "2880 pictures of 240 classes"
else
    same $got 0 "exit status after Ctrl-C"
    echo "SKIPPED Ctrl-C while the store is made: it was made already"
fi

# ---- upstream's form: --data_dir is the tree, --lfw_dir stands by itself; --json keeps stdout to itself ----
expect 0 fn-train --logs_base_dir l --models_base_dir m --data_dir D/msceleb --image_size 160 --lfw_dir D/lfw_mtcnnpy_160 \
    --lfw_pairs pairs.txt --gpu_memory_fraction=0.9 --nrof_preprocess_threads 4 --log_histograms $small --max_steps 2 --json
same "$(wc -l <out)" 1 "lines on stdout with --json"
says out '"step": 2'
expect 0 fn-train --resume m/2* --max_steps 3 --threads 1
says err "LFW directory: "
says err "Going on from step 2"

# ---- what cannot be: each with its sentence ----
mkdir D/empty D/junk D/junk/a
echo "no picture" >D/junk/a/a.png
expect 1 softmax $small --data_path empty
says err "fn-ingest made no store of D/empty"
expect 1 softmax $small --data_path junk
says err "fn-ingest made no store of D/junk"
expect 1 softmax $small --data_path nothing
says err "D/nothing"
expect 1 softmax $small --store D/msceleb
says err "'fn-ingest --store db D/msceleb'"
# Every flag is known, also where its data is not there.
expect 1 fn-train --data_dir nowhere --data_path casia --gpu_memory_fraction=0.9 --work_dir=/data --center_loss_alfa 0.9 \
    --prelogits_norm_p 2 --prelogits_hist_max 5 --nrof_preprocess_threads 4 --log_histograms --filter_percentile 90 \
    --filter_min_nrof_images_per_class 2 --min_nrof_val_images_per_class 0.5 --learning_rate_decay_epochs 10 \
    --learning_rate_decay_factor 0.9 --moving_average_decay 0.99 --seed 1 --people_per_batch 45 --images_per_person 40 \
    --alpha 0.2 --lfw_nrof_folds 10 --lfw_batch_size 100 --random-rotate
says err "nowhere"

# fn-train: a run and what it leaves; resumed, interrupted and killed runs end with the same bits; refusals.
# ctest labels: slow
. "$TOOLS"
. "${TOOLS%/*}/runs.sh"
expect 0 draw-faces --tsv faces.tsv --people 8 --images 12 --size 96
expect 0 fn-ingest faces.tsv --store db --size 88
expect 0 draw-faces --tree people --pairs pairs.txt --people 8 --images 3 --first 500 --pair-count 40 --size 88

# Everything that has a state is on: dropout, center loss, EMA, slots, augmentation.
set -- --store db --model_def models.shrunken --image_size 80 --batch_size 8 --epoch_size 7 --max_nrof_epochs 3 \
    --embedding_size 32 --validation_set_split_ratio 0.2 --validate_every_n_epochs 2 --random_crop --random_flip \
    --random_rotate --keep_probability 0.7 --center_loss_factor 1e-2 --prelogits_norm_loss_factor 1e-4 \
    --batch_norm_decay 0.9 --optimizer ADAM --learning_rate 0.02 --weight_decay 1e-4 --threads 1 \
    --lfw_dir people --lfw_pairs pairs.txt --lfw_nrof_folds 5 --lfw_batch_size 10 --logs_base_dir logs

# ---- a run that goes on between a checkpoint and its evaluation knows that it may be the best ----
expect 0 fn-train "$@" --models_base_dir short --epoch_size 2 --max_nrof_epochs 1 --quiet
rm -r logs
mv short/* short-run
expect 0 fn-train --resume short-run --logs_base_dir logs --quiet --json
says out '"best_lfw_step": 2'

# ---- a run from beginning to end ----
expect 0 fn-train "$@" --models_base_dir whole --json
cp out summary
for key in run logs step epoch images seconds train_seconds validate_seconds evaluate_seconds save_seconds images_per_second \
    data_wait host_wait loss accuracy validation_loss validation_accuracy lfw_accuracy lfw_val best_lfw_accuracy best_lfw_step \
    bad_pictures skipped_steps saved; do says out "\"$key\""; done
says out '"images": 168'
says out '"skipped_steps": 0'
says out '"step": 21'
same "$(wc -l <out)" 1 "lines on stdout with --json"
says err "Number of classes in training set: 8"
says err "Number of examples in validation set: 24"
says err "Network: shrunken"
says err "activations"
says err "Model directory: whole/"
says err "Pictures: 80 x 80, random crop, random flip, random rotation, per-image standardization; 1 loader thread"
says err "Optimizer: ADAM, learning rate 0.02, weight decay 0.0001, dropout keeps 0.7"
says err "Plan: epochs 1 to 3 of 7 steps, 21 steps of 8 images in all, 2.3 times the training set"
same "$(grep -c "Estimated time: .* for the 15 steps left at " err)" 1 "estimates of the time"
says err "Epoch: [1][1/7]	Time "
says err "	Lr 0.02000	Cl "
says err "images/s	Data-wait "
says err "Validation Epoch: 2	Time "
says err "Validation Epoch: 3	Time "
says err "Accuracy: 0."
says err "Validation rate: 0."
! grep -qF "Validation Epoch: 1" err || { echo "FAILED: validated after epoch 1"; exit 1; }
run=$(ls whole)
logs=logs/$run
[ -d "$logs" ] || { echo "FAILED: logs are not in a folder of the run's name"; exit 1; }
for file in arguments.txt revision_info.txt lfw_result.txt steps.tsv validation.tsv epochs.tsv; do
    [ -s "$logs/$file" ] || { echo "FAILED: no $file"; exit 1; }
done
ls "$logs"/events.out.tfevents.* >/dev/null
grep -qx "batch_size: 8" "$logs/arguments.txt"
grep -qx "random_crop: True" "$logs/arguments.txt"
same "$(cut -f 1 "$logs/lfw_result.txt" | tr '\n' ' ')" "0 7 14 " "steps in lfw_result.txt"
same "$(sed 1d "$logs/steps.tsv" | cut -f 1 | tr '\n' ' ')" "$(seq -s ' ' 1 21) " "steps in steps.tsv"
same "$(sed 1d "$logs/validation.tsv" | cut -f 1 | tr '\n' ' ')" "2 3 " "epochs in validation.tsv"
same "$(cd "whole/$run" && echo checkpoint-*)" "checkpoint-00000007 checkpoint-00000014 checkpoint-00000021" checkpoints
for file in model.safetensors ema.safetensors state.safetensors state.json classes.tsv; do
    [ -s "whole/$run/checkpoint-00000021/$file" ] || { echo "FAILED: no $file"; exit 1; }
done
same "$(wc -l <"whole/$run/checkpoint-00000021/classes.tsv")" 9 "lines of classes.tsv"

whole=whole/$run last=checkpoint-00000021
tables="steps.tsv validation.tsv lfw_result.txt prelogits_hist.tsv" columns="epochs.tsv 1-4"

# ---- runs that start in one second, with other models and the same logs ----
for models in side1 side2 side3; do
    fn-train "$@" --models_base_dir $models --logs_base_dir sidelogs --max_steps 1 --quiet >/dev/null &
done
wait
same "$(ls side1 side2 side3 | grep -c '^20' || true)" 3 "runs side by side"
same "$(ls sidelogs | wc -l)" 3 "logs of runs side by side"

# ---- any number of loader workers ----
expect 0 fn-train "$@" --models_base_dir four --nrof_preprocess_threads 4 --quiet
equal four "4 loader workers"

# ---- stopped after any step, with --max_steps, and resumed ----
for k in 1 5 7 8 13 14 20; do
    expect 0 fn-train "$@" --models_base_dir cut --max_steps $k
    # Saved and evaluated once, also where the last step is an epoch's last; validated where a longer run would not be, too.
    same "$(grep -c "^Saved checkpoint of step $k in" err) $(grep -c "^Validation Epoch: $(((k + 6) / 7))	" err)" "1 1" "at the end, $k"
    same "$(wc -l <"logs/$(ls cut)/lfw_result.txt")" $(((k + 6) / 7)) "evaluations after step $k"
    (cd people && expect 0 fn-train --resume ../cut/* --max_steps 0 --threads 1 # from anywhere
        says err "Going on from step $k")
    rm -f people/out people/err
    equal cut "resumed after step $k"
done

# ---- the same on the reference backend ----
expect 0 fn-train "$@" --models_base_dir refwhole --device ref --max_nrof_epochs 2 --quiet
expect 0 fn-train "$@" --models_base_dir refcut --device ref --max_nrof_epochs 2 --max_steps 9 --quiet
expect 0 fn-train --resume refcut/* --max_steps 0 --threads 1 --quiet
for file in model.safetensors ema.safetensors state.safetensors; do
    cmp refwhole/*/checkpoint-00000014/$file refcut/*/checkpoint-00000014/$file
done

# ---- where the processor has other instructions: it goes on, and says what that means ----
expect 0 fn-train "$@" --models_base_dir isa --max_steps 8 --quiet
expect 0 env DNNL_MAX_CPU_ISA=SSE41 ONEDNN_MAX_CPU_ISA=SSE41 fn-train --resume isa/* --max_steps 0 --threads 1
if grep -qF "(oneDNN " err; then
    says err "results can differ in the last bits"
else
    echo "SKIPPED other instructions: this build has no oneDNN to keep from them"
fi
[ -s isa/*/checkpoint-00000021/model.safetensors ]
rm -rf isa

# ---- a checkpoint within an epoch; going back to an older one cuts what came after it ----
expect 0 fn-train "$@" --models_base_dir often --save_every_n_steps 3 --quiet
other=$(ls often)
expect 0 fn-train --resume "often/$other/checkpoint-00000018" --threads 1
says err "Going on from step 18"
equal often "resumed from an older checkpoint"

# ---- Ctrl-C: finishes the batch, saves, says how to go on ----
interrupt "0.3 0.6 0.9 1.2" "$@"

# ---- kill -9 again and again, until it is done ----
killed=0
fn-train "$@" --models_base_dir kill --save_every_n_steps 2 >out 2>err &
pid=$!
for after in 1.0 0.8 1.1 0.9 1.3 1.6 2 3 5 60; do
    set +e
    sleep $after & sleeper=$!
    while kill -0 $pid 2>/dev/null && kill -0 $sleeper 2>/dev/null; do sleep 0.05; done
    kill $sleeper 2>/dev/null
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    got=$?
    set -e
    [ $got = 137 ] || { same $got 0 "exit status of a killed run"; break; }
    killed=$((killed + 1))
    if ls -d kill/*/checkpoint-0* >/dev/null 2>&1; then
        fn-train --resume kill/* --threads 1 >out 2>err &
    else
        rm -rf kill
        fn-train "$@" --models_base_dir kill --save_every_n_steps 2 >out 2>err &
    fi
    pid=$!
done
wait $pid 2>/dev/null || true
echo "killed $killed times"
equal kill "kill -9"

# ---- what a run cannot change ----
resume="whole/$run"
expect 1 fn-train --resume "$resume" --batch_size 9
says err "--batch_size was 8 when this run began"
expect 1 fn-train --resume "$resume" --use_fixed_image_standardization
says err "--use_fixed_image_standardization was False when this run began"
expect 0 draw-faces --tsv other.tsv --people 8 --images 12 --size 96 --first 100
expect 0 fn-ingest other.tsv --store other --size 88
expect 1 fn-train --resume "$resume" --store other
says err "a run cannot go on with another store"
expect 1 fn-train --resume nowhere
says err "nowhere"
expect 1 fn-train --resume people
says err "people has no checkpoint"
(exec 9>"$resume/lock"; flock 9; expect 1 fn-train --resume "$resume" --max_nrof_epochs 4; says err "another fn-train is at work")
cp -r "$resume" damaged
printf x | dd of="damaged/checkpoint-00000021/model.safetensors" bs=1 seek=9000 conv=notrunc 2>/dev/null
expect 1 fn-train --resume damaged
says err "damaged/checkpoint-00000021/model.safetensors"

# ---- refusals, each with its sentence ----
expect 2 fn-train --stor db
says err "did you mean --store?"
expect 2 fn-train
says err "give --store DIR"
expect 1 fn-train --store nowhere
says err "nowhere"
expect 1 fn-train --store people
says err "'fn-ingest --store db people'"
cat faces.tsv people/*/*1.jpg | head -c 600000 >odd.tsv
expect 1 fn-ingest odd.tsv --store begun --max-rejects 0
expect 1 fn-train --store begun
says err "begun is not finished; run this"
expect 1 fn-train --store db --random_crop --image_size 96
says err "too small for random crops of 96"
expect 0 fn-train --store db --model_def models.shrunken --image_size 96 --batch_size 4 --epoch_size 1 --max_nrof_epochs 1 \
    --filter_percentile 90 --models_base_dir padded --logs_base_dir logs
says err "nothing is filtered: --filter_filename is not given"
says err "smaller than --image_size 96, so black is put around them"
expect 1 fn-train --store db --image_size 60
says err "75 is the least"
expect 2 fn-train --store db --model_def models.squeezenet
says err "models.squeezenet"
expect 1 fn-train --store db --loss triplet
says err "too few pictures for a group of 1800"
expect 1 fn-train --store db --validation_set_split_ratio 0.5 --min_nrof_val_images_per_class 50
says err "class"
expect 1 fn-train --store db --learning_rate -1
says err "learning_rate_schedule.txt"
printf '1: 0.1\n2 0.01\n' >lr.txt
expect 1 fn-train --store db --learning_rate -1 --learning_rate_schedule_file lr.txt
says err "lr.txt:2"
expect 1 fn-train --store db --lfw_dir people --lfw_pairs nopairs.txt
says err "nopairs.txt"
expect 1 fn-train --store db --lfw_dir nopeople --lfw_pairs pairs.txt
says err "nopeople"
expect 1 fn-train --store db --pretrained_model faces.tsv
says err "faces.tsv"
expect 1 fn-train --store db --pretrained_model "$resume" --image_size 80 # the full network
says err "is a shrunken, this run trains a inception_resnet_v1"
if [ "$(id -u)" != 0 ]; then
    mkdir locked && chmod a-w locked
    expect 1 fn-train "$@" --models_base_dir locked/models
    says err "locked/models"
else
    expect 1 fn-train "$@" --models_base_dir faces.tsv/models
    says err "faces.tsv"
fi
ls people >/dev/null && [ ! -e models ] # nothing was left lying about

# ---- a schedule that ends training before an epoch; weights of an earlier run ----
printf '# made for this\n0: 0.02\n2: -\n' >lr.txt
expect 0 fn-train "$@" --models_base_dir short --learning_rate -1 --learning_rate_schedule_file lr.txt \
    --pretrained_model "$resume" --embedding_size 16
says err "Plan: epochs 1 to 1 of 7 steps, 7 steps of 8 images in all"
says err "learning rate 0.02 (lr.txt)"
says err "The schedule ends training before epoch 2"
says err "last_linear and last_bn begin anew"
same "$(cd short/* && echo checkpoint-*)" "checkpoint-00000007" "checkpoints of a run that ended by schedule"

# ---- steps that are not finite: skipped, then back to the checkpoint once, then the end ----
expect 1 fn-train "$@" --models_base_dir hot --learning_rate 1e30
says err "values are not finite; the step is skipped (record "
says err "there is no checkpoint yet"
expect 0 fn-train "$@" --models_base_dir warm --max_steps 7 --quiet
expect 1 fn-train --resume warm/* --max_steps 0 --learning_rate 1e30 --threads 1
says err "going back to "
says err "try a lower --learning_rate"
expect 0 fn-train --resume warm/* --max_steps 0 --learning_rate 0.02 --threads 1
same "$(sed 1d "logs/$(ls warm)/steps.tsv" | cut -f 1 | tr '\n' ' ')" "$(seq -s ' ' 1 21) " "steps after going back"

# ---- a full disk at a checkpoint: training goes on, the last checkpoint stands; at the end it is a failure ----
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=6m fn-test small 2>/dev/null; then
    trap 'umount small' EXIT
    expect 1 fn-train "$@" --models_base_dir small
    says err "training goes on, the last checkpoint stands"
    says err "No space left on device"
    mount -o remount,size=64m small
    expect 0 fn-train --resume small/* --threads 1
    cmp "small/$(ls small)/checkpoint-00000021/model.safetensors" "whole/$run/checkpoint-00000021/model.safetensors"
    trap - EXIT
    umount small
else
    echo "SKIPPED full disk: no root, or no tmpfs may be mounted"
fi

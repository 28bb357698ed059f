# Two at one thing: a store while it is made, a run while it trains. Each a sentence that names the folder.
. "$TOOLS"
until_there() { # PATTERN: a file of that name, 20 seconds at most
    for i in $(seq 200); do
        ! ls -d $1 >ls.out 2>&1 || return 0
        sleep 0.1
    done
    echo "FAILED: $1 did not come"
    exit 1
}
expect 0 draw-faces --tsv one.tsv --people 8 --images 20 --size 96
for i in 0 1 2 3 4 5 6 7; do sed "s/^m\./m.$i/" one.tsv; done >faces.tsv

# ---- a store that is being made is opened by nobody else ----
mkfifo pipe
fn-ingest - --store db --size 88 <pipe >first.out 2>first &
maker=$!
exec 3>pipe
head -c 4000000 faces.tsv >&3
until_there db/build/content.json
for command in "fn-ingest faces.tsv --store db --size 88" "fn-dump db list" "fn-dump db verify" "fn-dump db export tree" \
    "fn-dump db sheet x.png" "fn-train --store db"; do
    expect 1 $command
    says err "db"
done
expect 1 fn-dump db list
says err "db is being written by process"
expect 1 fn-ingest faces.tsv --store db --size 88
says err "db is being written by process $maker"
tail -c +4000001 faces.tsv >&3
exec 3>&-
wait $maker
expect 0 fn-dump db verify

# ---- a run that trains is gone on with by nobody else ----
fn-train --store db --model_def models.shrunken --image_size 80 --batch_size 4 --epoch_size 100000 --embedding_size 16 \
    --threads 1 --save_every_n_steps 5 --logs_base_dir logs --models_base_dir models --quiet 2>first &
trainer=$!
until_there 'models/*/checkpoint-0*'
for i in 1 2 3; do
    expect 1 fn-train --resume models/* --threads 1
    grep -qE "another fn-train is at work in .*$(basename models/*)" err || grep -qF "checkpoint" err # thinned out meanwhile
done
expect 1 fn-train --resume models/* --threads 1
kill -INT $trainer
set +e
wait $trainer
got=$?
set -e
same $got 130 "exit status after Ctrl-C"
steps=$(($(tail -n 1 logs/*/steps.tsv | cut -f 1) + 5))
expect 0 fn-train --resume models/* --threads 1 --max_steps $steps
sed 1d logs/*/steps.tsv | cut -f 1 >have
seq "$steps" | cmp - have || { echo "FAILED: a step is lost or doubled"; exit 1; }

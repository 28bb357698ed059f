# Power cuts, after tools.sh: what a run did to a folder is recorded, and folders as a cut at any moment
# may leave them are made of it (fault-replay says what may be missing).
#
# record FILE FOLDER COMMAND...: the command, with the folder's changes going to FILE; $got
record() {
    local file=$1 folder=$2
    shift 2
    set +e
    inject="env FN_FAULT=${spec:-write:0:EIO} FN_FAULT_RECORD=$file FN_FAULT_FOLDER=$folder FN_FAULT_UNDER=${under:-/}
        LD_PRELOAD=$FN_BIN/fn-fault.so ASAN_OPTIONS=$asan"
    "$@" >out 2>err
    got=$?
    inject=
    set -e
}

# cuts FILE FOLDER: after each operation (or every so many-th: FN_FAULT_EVERY) a cut that loses all that was
# not synced, one that loses nothing, and FN_FAULT_SEEDS that draw; after each `after_cut N SEED` looks.
cuts() {
    local file=$1 folder=$2 total n seed
    total=$(fault-replay "$file")
    cut=0
    for ((n = 1; ; n += every)); do
        [ $n -lt "$total" ] || n=$total # the end, always
        for ((seed = 0; seed < 2 + ${FN_FAULT_SEEDS:-3}; seed++)); do
            rm -rf "$folder"
            fault-replay "$file" $n $seed "$folder"
            after_cut $n $seed
            cut=$((cut + 1))
        done
        [ $n != "$total" ] || break
    done
    echo "$cut power cuts in $total operations"
}

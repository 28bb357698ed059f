# Sourced by tests of training, after tools.sh. A run from beginning to end stands in $whole, its logs in $logs, its last
# checkpoint is called $last; $tables are the tables that must be the same bytes, $columns "FILE FIELDS" the part of one
# that must (times are never the same).

# equal DIR WHAT: the one run in DIR ended as the whole one did. Removes it and its logs.
equal() {
    other=$(ls "$1")
    for file in model.safetensors ema.safetensors state.safetensors classes.tsv; do
        cmp "$whole/$last/$file" "$1/$other/$last/$file" || { echo "FAILED: $2: another $file"; exit 1; }
    done
    for file in $tables; do
        cmp "$logs/$file" "logs/$other/$file" || { echo "FAILED: $2: another $file"; exit 1; }
    done
    fields=${columns#* }
    file=${columns% *}
    same "$(sed 1d "logs/$other/$file" | cut -f "$fields")" "$(sed 1d "$logs/$file" | cut -f "$fields")" "$2: $file"
    rm -rf "$1" "logs/$other"
}

# interrupt "SECONDS..." OPTION...: runs that get Ctrl-C after so long go on by the command that they name, to the same
# end. One may be too fast, or not yet have begun.
interrupt() {
    interrupted=0
    for after in $1; do
        set +e
        fn-train "${@:2}" --models_base_dir int >out 2>err &
        pid=$!
        sleep "$after"
        kill -INT $pid 2>/dev/null
        wait $pid
        got=$?
        set -e
        if [ $got = 130 ] && grep -qF "go on with: fn-train --resume int/" err; then
            interrupted=$((interrupted + 1))
            expect 0 $(sed -n 's/.*go on with: //p' err) --threads 1
        elif [ $got = 130 ]; then
            says err "interrupted"
            rm -rf int
            continue
        else
            same $got 0 "exit status after Ctrl-C"
        fi
        equal int "Ctrl-C after $after s"
    done
    echo "$interrupted of $(echo "$1" | wc -w) runs were interrupted while training"
}

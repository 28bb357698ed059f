# Ten minutes of each fuzz target (FN_FUZZ_SECONDS to change that), from the corpus of the project.
. "$TOOLS"
seconds=${FN_FUZZ_SECONDS:-600}
cmake -S "$FN_SOURCE" -B fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=RelWithDebInfo -DFN_FUZZ=ON \
    -DFN_ONEDNN=OFF >/dev/null
cmake --build fuzz >/dev/null
bad=0
for target in fuzz/bin/fuzz_*; do
    name=${target##*/fuzz_}
    mkdir -p "corpus/$name"
    if "$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 -close_fd_mask=1 -fork="$(nproc)" \
        "corpus/$name" "$FN_SOURCE/tests/fuzz/corpus/$name" >"$name.log" 2>&1; then
        echo "fuzz_$name: $seconds s without a finding"
    else
        echo "FAILED: fuzz_$name"
        tail -n 30 "$name.log"
        bad=1
    fi
done
[ "$bad" = 0 ]

# Every barrier, shuffle, vote and exchange of sums of the GPU's kernels left out by itself, and every wait and event
# of the host side: a test on the emulator or the pretend GPU notices each. FN_MUTATIONS: only those lines of the
# table with this word in them.
"${FN_PYTHON:-python3}" "$FN_SOURCE/tests/cuda/mutations.py" "$FN_SOURCE" "${FN_BIN%/bin}" "$PWD" ${FN_MUTATIONS:+"$FN_MUTATIONS"}
[ -z "${FN_MUTATIONS:-}" ] || exit 0
"$FN_BIN/cuda_steps" >steps 2>&1 || { cat steps; exit 1; }
grep '^place' steps

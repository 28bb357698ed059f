#!/bin/sh
# compile.sh NVCC ARCHITECTURES SOURCE OBJECT DEPFILE FLAGS...: one file of kernels for all architectures
# ("75 80 ..."). Warnings are errors, a register spill too. What ptxas says of every kernel goes to
# OBJECT.ptxas, from which the tests make a table.
set -u
nvcc=$1 architectures=$2 source=$3 object=$4 depfile=$5
shift 5
codes=
for a in $architectures; do
    codes="$codes -gencode arch=compute_$a,code=sm_$a"
done
# shellcheck disable=SC2086
if ! "$nvcc" -std=c++17 -O3 --fmad=false -lineinfo -Werror all-warnings -Xcompiler=-Wall,-Wextra,-fPIC \
    -Xptxas=-v,-warn-spills $codes "$@" -MD -MF "$depfile" -MT "$object" -c "$source" -o "$object" \
    >"$object.ptxas" 2>&1; then
    grep -vE '^ptxas info|bytes stack frame' "$object.ptxas" >&2
    exit 1
fi

#!/usr/bin/env bash
# tests/cuda/tiers.sh [BUILD]: what the CUDA backend's claim rests on, as a table: runs the tests of each tier in a
# build folder (default build) and counts their cases: kernels times architectures; arrays compared with plain loops
# in double; plans made; mistakes seeded or waits left out, each noticed; and tests, for what has no number of its own.
# Exit code 1: one failed.
set -uo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build}
[ -e "$build/CTestTestfile.cmake" ] || {
    echo "tests/cuda/tiers.sh: $build is no folder in which tests were built (cmake --preset release)" >&2
    exit 2
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0

# tier NUMBER WHAT TEST...
tier() {
    local number=$1 what=$2 begin=$SECONDS tests
    shift 2
    tests=$(IFS='|'; echo "$*")
    ctest --test-dir "$build" -V -R "^($tests)\$" >"$log" 2>&1 || failed=1
    awk -v number="$number" -v what="$what" -v wanted=$# -v seconds=$((SECONDS - begin)) '
        / kernels, [0-9]+ architectures, / { cases += $2 * $4 }
        / arrays compared with ref64/ { cases += $2 }
        / batch +[0-9]+: [0-9]+ plans, / { sub(/.*: /, ""); cases += $1 }
        /^[0-9]+: (seeded|misuse|place|order) .*: noticed/ { cases++ }
        /^[0-9]+: \[ +OK \]/ { tests++ }
        /Test +#[0-9]+: .* Passed/ { passed++ }
        /SKIPPED|Skipped|Not Run/ { skipped = 1 }
        END { printf "%-4s %-70s %2d/%d %7d %6d %7d%s\n", number, what, passed, wanted, tests, cases, seconds,
                     skipped ? "   skipped in part" : "" }' "$log"
}
printf "%-4s %-70s %s %7s %6s %7s\n" tier "what it covers" programs tests cases seconds
tier 1 "kernels compile for every architecture; a spill fails the build" cuda_compile
tier 2 "every kernel on the emulator against plain loops; the emulator itself" \
    cuda_emulator cuda_op_conv cuda_op_layers cuda_op_losses cuda_op_optim cuda_op_extra cuda_bf16 cuda_large
tier 3 "every plan that can be asked of cuDNN, for chips that are not there" cuda_plans
tier 4 "the whole backend on the pretend GPU: ops, steps, the ring, failures" \
    cuda_pretend cuda_selftest cuda_ring cuda_parts cuda_steps cuda_golden cuda_step_cost cli_pretend cli_cuda
if [ -e /dev/nvidiactl ] || [ -e /dev/dxg ]; then
    begin=$SECONDS
    "$build/bin/fn-train" --selftest --device cuda >"$log" 2>&1 || failed=1
    printf "%-4s %-75s %7s %6d %7d\n" 5 "fn-train --selftest on the GPU that is here" "" $(($(wc -l <"$log") - 2)) $((SECONDS - begin))
else
    printf "%-4s %-75s %s\n" 5 "fn-train --selftest on a GPU" "skipped: there is none here"
fi
exit $failed

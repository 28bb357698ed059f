# The loss of 200 steps from scratch against PyTorch's, with the same initial weights, batches and optimizer, in double:
# within 1e-8 at every step (test_curve is its short form). FN_CURVE_STEPS to change how many.
. "$TOOLS"
"$FN_PYTHON" -c 'import torch' 2>/dev/null || skip "$FN_PYTHON cannot import torch (set FN_PYTHON)"
FN_CURVE_STEPS=${FN_CURVE_STEPS:-200} "$FN_BIN/test_curve"

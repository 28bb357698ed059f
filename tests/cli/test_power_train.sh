# fn-train and power cuts: some moments of some cuts; tests/long/power_train.sh has them all.
# ctest labels: slow
FN_FAULT_EVERY=61 FN_FAULT_SEEDS=2
. "$FN_SOURCE/tests/fault/power_train.sh"

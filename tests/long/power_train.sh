# fn-train and power cuts: after each of its operations on files, some of what was not synced is missing.
FN_FAULT_SEEDS=${FN_FAULT_SEEDS:-8}
. "$FN_SOURCE/tests/fault/power_train.sh"

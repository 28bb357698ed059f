# fn-train where every so many-th call fails; tests/long/fault_train.sh has them all.
# ctest labels: slow
FN_FAULT_EVERY=97
. "$FN_SOURCE/tests/fault/train.sh"

# fn-dump where every so many-th call fails; tests/long/fault_dump.sh has them all.
FN_FAULT_EVERY=37
. "$FN_SOURCE/tests/fault/dump.sh"

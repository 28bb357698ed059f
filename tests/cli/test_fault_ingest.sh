# fn-ingest where every so many-th call fails; tests/long/fault_ingest.sh has them all.
FN_FAULT_EVERY=37
. "$FN_SOURCE/tests/fault/ingest.sh"

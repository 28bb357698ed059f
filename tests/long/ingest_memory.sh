# Peak anonymous memory of fn-ingest: 100,000 rows, 100,000 classes, a row of 1 GB (rejected), one of 20 MB (taken).
FN_MEMORY_ROWS=${FN_ROWS:-100000} FN_MEMORY_CLASSES=100000 FN_MEMORY_LINE=1073741824 \
    bash -eu "$FN_SOURCE/tests/cli/test_memory.sh"

# Sourced by command-line tests.

# expect CODE COMMAND...: runs it, stdout in ./out, stderr in ./err; fails loudly on another exit code.
expect() {
    want=$1
    shift
    set +e
    "$@" >out 2>err
    got=$?
    set -e
    if [ "$got" != "$want" ]; then
        echo "FAILED: exit $got, want $want: $*"
        sed 's/^/  out: /' out | head -n 40
        sed 's/^/  err: /' err | head -n 40
        exit 1
    fi
}

# says FILE TEXT: FILE (out or err) contains the fixed text.
says() {
    grep -qF -- "$2" "$1" || {
        echo "FAILED: '$2' is not in $1:"
        sed 's/^/  /' "$1" | head -n 40
        exit 1
    }
}

# same A B WHAT: two values are equal.
same() {
    [ "$1" = "$2" ] || {
        echo "FAILED: $3: '$1' is not '$2'"
        exit 1
    }
}

# skip WHY: ends the test, aloud.
skip() {
    echo "SKIPPED: $1"
    exit 0
}

# real_faces: db, a store of the people of lfw-part.tar with 20 or more pictures, as rows of an aligned TSV.
real_faces() {
    [ -r "$FN_TEST_DATA/lfw-part.tar" ] || skip "no $FN_TEST_DATA/lfw-part.tar (set FN_TEST_DATA)"
    make_tsv=${FN_MAKE_TSV:-$FN_TEST_DATA/../tools/make_tsv.py}
    "$FN_PYTHON" -c 'import PIL' 2>/dev/null || skip "$FN_PYTHON cannot import PIL, which make_tsv.py needs (set FN_PYTHON)"
    expect 0 "$FN_PYTHON" "$make_tsv" "$FN_TEST_DATA/lfw-part.tar" "$FN_TEST_DATA/bounding_boxes-part-m44.txt" faces.tsv
    expect 0 fn-ingest faces.tsv --store db --min-images 20
    says out "3023 records in 62 classes"
}

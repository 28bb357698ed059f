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

# Sourced by the tests of failures, after tests/cli/tools.sh: the n-th call of a kind fails, for every n.
#
# A test defines   fresh   puts the folder back as it was before the run
#                  run     the command under test: $inject TOOL ...
#                  same    fails unless what the run left is right
#                  again   what a person does after a failure: the same command (run), unless defined
# and calls        sweep KINDS WHAT [CALLS]   ($ended: how many runs ended with exit 1)
# FN_FAULT_EVERY: only every so many-th call, from the middle of the first so many on. The campaigns leave it at 1.
every=${FN_FAULT_EVERY:-1}
faults=0 bad=0 # all sweeps together
under=         # only calls on paths that contain it
inject=        # what stands before the tool: nothing, or its fault
asan=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0:allocator_may_return_null=1

again() { run; }

# fault SPEC COMMAND...: the command with a fault; stdout in out, stderr in err, the report in hit; $got
fault() {
    local spec=$1
    shift
    rm -f hit
    set +e
    inject="env FN_FAULT=$spec FN_FAULT_REPORT=$PWD/hit FN_FAULT_UNDER=${under:-/} LD_PRELOAD=$FN_BIN/fn-fault.so ASAN_OPTIONS=$asan"
    "$@" >out 2>err
    got=$?
    inject=
    set -e
}

# calls KINDS: how many of them a whole run makes
calls() {
    fresh
    fault "$1:0:EIO" run
    [ $got = 0 ] || fail "a run without any fault: exit $got"
    sed -n 's/^calls //p' hit
}

fail() {
    echo "FAILED: $*"
    [ ! -e hit ] || sed 's/^/  hit: /' hit
    [ ! -e err ] || sed 's/^/  err: /' err | tail -n 30
    [ -n "${FN_FAULT_ALL:-}" ] || exit 1 # with it: all that fails, for a person who mends it
    bad=$((bad + 1))
}

# The sentence names what failed: the file, or the folder that it is in, or what it will be called.
named() {
    local path name
    path=$(sed -n 's/^hit [a-z]* //p' hit)
    path=${path% (deleted)}
    path=${path#"$PWD"/}
    name=${path##*/}
    name=${name%.tmp*}
    case $path in
    "$PWD") grep -qF 'the folder that holds it' err ;;
    '') grep -q 'memory' err ;;
    */*) grep -qF -- "$name" err || grep -qF -- "${path%/*}" err ;;
    *) grep -qF -- "$name" err ;;
    esac
}

# Kinds of which a failure that is passed over is a defect, but for what is only a courtesy.
must_fail() {
    case $1 in
    *+ | EIO | ENOSPC) grep -qE '^hit (write|sync|rename|truncate) ' hit && ! grep -qE "/(${tolerated:-lock})( |$)" hit ;;
    *) return 1 ;;
    esac
}

sweep() {
    local kinds=$1 what=$2 total=${3:-} n passed=0
    ended=0
    [ -n "$total" ] || total=$(calls "$kinds")
    [ -n "$total" ] && [ "$total" -gt 0 ] || fail "no calls of $kinds to fail"
    for ((n = 1 + every / 2 % total; n <= total; n += every)); do
        fresh
        fault "$kinds:$n:$what" run
        [ -e hit ] && grep -q '^hit' hit || continue # another number of calls this time
        ! grep -qE 'Sanitizer|runtime error' err || fail "$kinds $n $what"
        case $got in
        0)
            ! must_fail "$what" || { [ -s err ] && named; } || fail "$kinds $n $what: passed over in silence"
            same || fail "$kinds $n $what: exit 0, but another result"
            passed=$((passed + 1))
            ;;
        1 | 130 | 137)
            [ $got = 1 ] || [ $got:$what = 130:INT ] || [ $got:$what = 137:KILL ] || fail "$kinds $n $what: exit $got"
            [ $got = 137 ] || { [ -s err ] && { [ $got = 130 ] || named; }; } || fail "$kinds $n $what: the sentence does not name the file"
            ended=$((ended + 1))
            fault "$kinds:0:EIO" again
            [ $got = 0 ] || fail "$kinds $n $what: the same command does not go on: exit $got"
            same || fail "$kinds $n $what: another result after going on"
            ;;
        *) fail "$kinds $n $what: exit $got" ;;
        esac
        faults=$((faults + 1))
    done
    echo "$kinds $what: $total calls, $((passed + ended)) faults: $ended ended the run, $passed did no harm"
}

# Every failure of every kind of call on files. A signal that comes during a write is no failure.
sweep_files() {
    local kind what total
    for kind in open read write sync truncate rename unlink mkdir map; do
        total=$(calls $kind)
        [ "$total" != 0 ] || [ $kind != open ] || fail "a run that opens no file"
        [ "$total" != 0 ] || continue
        sweep $kind EIO $total
        [ $every != 1 ] || sweep $kind ENOSPC+ $total # the short forms leave it out
        [ $kind = write ] || continue
        sweep write SHORT $total
        sweep write EINTR $total
        [ $ended = 0 ] || fail "a signal during a write ended a run"
    done
}

# Killed, and interrupted with Ctrl-C, before each of its changes.
sweep_ends() {
    local kinds=open,write,sync,truncate,rename,unlink,mkdir
    sweep $kinds KILL
    sweep $kinds INT
}

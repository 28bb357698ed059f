# Kills (kill -9) of a command at random moments, after tools.sh, for campaigns: FN_KILLS of them, drawn from FN_SEED.
#
# A campaign defines   run      the command, which ends the shell that it is in (exec)
#                      killed   optional: what else is counted after each kill
# and calls            measure  a run from its beginning to its end; $took: its milliseconds
#                      to_the_end SHARE RARE
# $kills: how many are asked for; $count: so many there were; $again: since to_the_end was called.
kills=${FN_KILLS:-1000} count=0
RANDOM=${FN_SEED:-1}
killed() { :; }

measure() {
    local begin
    begin=$(date +%s%N)
    (run) >out 2>err
    took=$((($(date +%s%N) - begin) / 1000000))
}

# Runs that are killed after at most a SHARE-th of $took, so that there are several kills in each whole one; every
# RARE-th may have all of it. Until one ends by itself, which must be well.
to_the_end() {
    local share=$1 rare=$2 after pid got
    again=0
    while :; do
        [ $count -lt "$kills" ] || { (run) >out 2>err && got=0 || got=$?; break; }
        after=$((RANDOM * (again % rare == rare - 1 ? took : took / share) / 32768))
        set +e
        (run) >out 2>err &
        pid=$!
        sleep "$((after / 1000)).$(printf %03d $((after % 1000)))"
        kill -9 $pid 2>err2
        wait $pid 2>err2
        got=$?
        set -e
        [ $got = 137 ] || break
        count=$((count + 1)) again=$((again + 1))
        killed
    done
    [ $got = 0 ] || { echo "FAILED: exit $got after $again kills"; cat err; exit 1; }
}

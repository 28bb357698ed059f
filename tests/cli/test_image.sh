# The Dockerfile's steps outside of Docker: installed, the programs run and find their module in ../lib; the list of
# packages; every step that the Dockerfile takes is one of the script's; nobody runs as root in the end.
. "$TOOLS"
expect 0 env FN_BUILD="$FN_BIN/.." "$FN_SOURCE/samples/image.sh" install "$PWD/there"
for tool in fn-ingest fn-dump fn-train fn-eval fn-embed; do
    expect 0 "there/bin/$tool" --version
    [ "$(tail -c 1 out | wc -l)" = 1 ]
done
if [ -e "$FN_BIN/libfn_cuda.so" ] && ! [ -e /dev/nvidiactl ]; then
    [ -e there/lib/libfn_cuda.so ]
    expect 1 there/bin/fn-train --selftest --device cuda
    says err "no NVIDIA driver is installed"
fi
if command -v dpkg >/dev/null; then
    for package in jpeg png lmdb archive jansson; do
        grep -q "$package" there/packages || { echo "FAILED: no $package in:"; cat there/packages; exit 1; }
    done
    ! grep -qE -- '-dev$|^cuda|^libcudnn' there/packages
fi

expect 2 "$FN_SOURCE/samples/image.sh"
says err "packages "
expect 2 "$FN_SOURCE/samples/image.sh" fly
says err "no step 'fly'"
expect 2 "$FN_SOURCE/samples/image.sh" install

steps=$(sed -nE 's/^RUN samples\/image\.sh ([a-z]+).*/\1/p' "$FN_SOURCE/Dockerfile" | tr '\n' ' ')
same "$steps" "packages build test install " "steps of the Dockerfile"
for step in $steps; do grep -qE "^    $step\)" "$FN_SOURCE/samples/image.sh"; done
same "$(grep -E '^(USER|FROM)' "$FN_SOURCE/Dockerfile" | tail -n 1)" "USER fn" "the user in the end"

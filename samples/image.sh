#!/usr/bin/env bash
# samples/image.sh STEP...: the steps of the Dockerfile, in its order; each also runs outside of Docker, on Debian or
# Ubuntu with CUDA and cuDNN, or without (FN_CUDA=AUTO).
#   packages         installs what building and testing need
#   build            Release, in FN_BUILD (default build-image), with FN_CUDA (default ON)
#   test             all tests but the slow ones
#   install PREFIX   programs in PREFIX/bin, the GPU's module in PREFIX/lib, and in PREFIX/packages the names of the
#                    packages that have the shared libraries they need: what an image without compilers installs
set -euo pipefail
cd "$(dirname "$0")/.."
. samples/setup.sh
build=${FN_BUILD:-build-image}

# Ubuntu's name for libjpeg-turbo.
packages() {
    local all="$fn_build_packages g++ libcmocka-dev zip zstd xz-utils bzip2 python3 python3-pil"
    if ! grep -q '^ID=debian' /etc/os-release; then
        all=${all//libjpeg62-turbo-dev/libjpeg-turbo8-dev}
    fi
    # shellcheck disable=SC2086
    fn_install $all
}

build() {
    cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DFN_CUDA="${FN_CUDA:-ON}"
    cmake --build "$build" -j "$(nproc)"
}

run_tests() {
    ctest --test-dir "$build" -LE slow -j "$(nproc)" --output-on-failure
}

# The packages of the shared libraries that files want, one a line; CUDA's are the image's own.
packages_of() {
    ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u | while read -r library; do
        library=$(readlink -f "$library")
        dpkg -S "$library" 2>/dev/null || dpkg -S "${library#/usr}" 2>/dev/null || true
    done | cut -d : -f 1 | grep -vE '^(libc6|libgcc-s1|libcudnn|libcublas|cuda-)' | sort -u
}

install_to() {
    local prefix=$1
    cmake --install "$build" --prefix "$prefix"
    packages_of "$prefix"/bin/* >"$prefix/packages"
}

[ $# -gt 0 ] || { sed -n '2,8s/^# //p' "$0" >&2; exit 2; }
while [ $# -gt 0 ]; do
    case $1 in
    packages) packages ;;
    build) build ;;
    test) run_tests ;;
    install)
        [ $# -gt 1 ] || { echo "samples/image.sh: install wants a PREFIX" >&2; exit 2; }
        shift
        install_to "$1"
        ;;
    *)
        echo "samples/image.sh: no step '$1': packages build test install" >&2
        exit 2
        ;;
    esac
    shift
done

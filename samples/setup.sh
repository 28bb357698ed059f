# Sourced by samples/run and tests/run: what a fresh Debian 12 needs.

fn_build_packages="gcc libc6-dev cmake ninja-build pkg-config libjpeg62-turbo-dev libpng-dev liblmdb-dev
libarchive-dev libjansson-dev libxxhash-dev libdnnl-dev"
fn_test_packages="g++ clang zip zstd xz-utils bzip2 rsync libclang-rt-14-dev libcmocka-dev python3 python3-pil python3-venv"

# fn_install PACKAGE...: installs those that are missing, and says which. Needs root or sudo for that.
fn_install() {
    missing=""
    for package in "$@"; do
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
        *" installed") ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    echo "Installing:$missing"
    as_root=""
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || {
            echo "These packages are missing, and there is neither root nor sudo to install them." >&2
            return 1
        }
        as_root=sudo
    fi
    $as_root apt-get update -qq || return 1
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

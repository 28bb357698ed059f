# The house itself: arrows between rooms, who may know which library, first lines, sizes.
. "$TOOLS"
cd "$FN_SOURCE"
bad=0
complain() { echo "FAILED: $1"; sed 's/^/  /' | head -n 20; bad=1; }
none() { # none WHAT COMMAND...: the command must print nothing
    what=$1; shift
    found=$("$@" || true)
    [ -z "$found" ] || complain "$what" <<<"$found" # no pipe: bad must be set here
}
sources() { find base store ingest kernels train samples tests -name '*.[ch]' -o -name '*.cu' | sort; }

none "base includes another room" grep -nE '#include "(store|ingest|kernels|train|samples|tests)/' -r base
none "store includes more than base" grep -nE '#include "(ingest|kernels|train|samples|tests)/' -r store
none "ingest includes more than store and base" grep -nE '#include "(kernels|train|samples|tests)/' -r ingest
none "kernels includes more than base" grep -nE '#include "(store|ingest|train|samples|tests)/' -r kernels
none "train includes more than kernels, store and base" grep -nE '#include "(ingest|samples|tests)/' -r train
none "the inside of another room" sh -c 'for room in base store ingest kernels train samples; do
    grep -rnE "#include \"[a-z]+/([a-z]+/)*[a-z_]+_(internal|parts)\.h\"" $room | grep -vE "#include \"$room/"; done'
none "lmdb outside of store" grep -lE '#include <lmdb' -r base ingest kernels train samples
none "libjpeg or libpng outside of base" grep -lE '#include <(jpeglib|turbojpeg|png)' -r store ingest kernels train samples
none "libarchive outside of ingest" grep -lE '#include <archive' -r base store kernels train samples
none "oneDNN outside of kernels/cpu" grep -lE '#include .*dnnl' -r base store ingest train samples kernels/ref
none "samples/run empties a folder of CMake's" grep -nE '^out=build/(base|store|ingest|kernels|train|samples|tests|bin|lib)\b' samples/run
none "no SPDX line first" sh -c 'for f in $(find base store ingest kernels train samples tests -name "*.[ch]" | sort); do
    head -n 1 "$f" | grep -q SPDX-License-Identifier || echo "$f"; done'
none "exit, abort or printing to stdout below a main file" grep -nE '^[^/*]*\b(exit|_exit|abort) *\(' -r base/*.c store/*.c ingest/*.c train/*.c kernels \
    --include=*.c --exclude=fn_*.c --exclude=tool.c
none "lines over 100 columns" sh -c 'for f in $(find base store ingest kernels train samples tests -name "*.[ch]"); do
    awk -v f="$f" "length(\$0) > 100 {print f \":\" FNR}" "$f"; done'
none "not formatted (clang-format -i)" sh -c 'command -v clang-format >/dev/null || exit 0
    clang-format --dry-run $(find base store ingest kernels train samples tests -name "*.[ch]" | sort) 2>&1 | grep "warning:" | cut -d: -f1 | sort | uniq -c'
[ "$bad" = 0 ]

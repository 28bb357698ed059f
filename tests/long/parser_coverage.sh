# How many lines of the parsers of foreign bytes the corpora and unit tests run: 90 % of each parser at least.
# FN_COVERAGE_BUILD: a folder to build in and to keep.
. "$TOOLS"
command -v gcov >/dev/null || skip "no gcov"
build=${FN_COVERAGE_BUILD:-$PWD/coverage}
fuzz="archive base64 boxes events filter image index json manifest pairs rec_index record recordio safetensors schedule
    select tsv_row"
tests="base tsv base64 image image_damage image_rows jpeg_huffman archive_bytes entry recordio recordio_format rec_index input
    select store group damage pages convert faces seal repair filter lfw_pairs schedule safetensors events
    field"
parsers="ingest/tsv.c ingest/base64.c ingest/archive_bytes.c ingest/entry.c ingest/unwrap.c ingest/read_archive.c
    ingest/recordio.c ingest/rec_index.c ingest/rec_path.c ingest/read_recordio.c ingest/select.c
    base/jpeg.c base/jpeg_huffman.c base/png.c base/image.c base/exif.c base/boxes.c
    store/record.c store/group.c store/manifest.c store/index.c store/pages.c
    train/lfw_pairs.c train/schedule.c train/safetensors.c train/safetensors_values.c train/events_format.c
    train/filter.c train/field.c base/json.c"
targets=
for name in $fuzz; do targets="$targets fuzz_$name"; done
for name in $tests; do targets="$targets test_$name"; done
cmake -S "$FN_SOURCE" -B "$build" -G Ninja -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=None -DFN_CUDA=OFF -DFN_ONEDNN=OFF \
    -DCMAKE_C_FLAGS="--coverage -O0 -fprofile-update=atomic" >/dev/null
cmake --build "$build" --target $targets >build.log || { tail build.log; exit 1; }
find "$build" -name '*.gcda' -delete
for target in $targets; do
    corpus=
    case $target in fuzz_*) corpus=$FN_SOURCE/tests/fuzz/corpus/${target#fuzz_} ;; esac
    "$build/bin/$target" $corpus >run.log 2>&1 || { echo "FAILED: $target"; tail run.log; exit 1; }
done
# lines FILE: executed and all lines of a source, by gcov's own report.
lines() {
    notes=$(find "$build/${1%/*}" -name "${1##*/}.gcno" | head -n 1)
    gcov -n "$notes" 2>/dev/null | awk -v file="$1" '
        /^File/ { ours = index($0, file) } ours && /^Lines executed/ {
            split($0, part, /[:% ]+/); printf "%.0f %d\n", part[3] * part[5] / 100, part[5]; exit }'
}
few=0
for file in $parsers; do
    set -- $(lines "$file")
    [ $# = 2 ] || { echo "FAILED: gcov says nothing of $file"; exit 1; }
    awk -v a="$1" -v b="$2" -v f="$file" \
        'BEGIN { printf "%5.1f %%  %4d of %4d lines  %s\n", 100 * a / b, a, b, f; exit a < 0.9 * b }' || few=$((few + 1))
done
[ $few = 0 ] || { echo "FAILED: less than 90 % of $few parsers"; exit 1; }

/* SPDX-License-Identifier: MIT */
/* RecordIO: records cut out of any bytes, joined and taken apart; and the bytes as a file. */
#include "ingest/recordio.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_input.h"

static void take_record(const uint8_t *at, const struct fn_recordio_frame *frame)
{
    struct fn_recordio_picture picture;
    uint32_t number;
    uint8_t *copy = malloc(frame->bytes);
    fuzz_require(copy && frame->data_bytes + FN_RECORDIO_HEAD <= frame->bytes);
    memcpy(copy, at, frame->bytes);
    fn_recordio_join(copy, frame);
    if (fn_recordio_parse(copy + FN_RECORDIO_HEAD, frame->data_bytes, &picture) == FN_OK) {
        fuzz_require(picture.image_at + picture.image_bytes == frame->data_bytes);
        if (fn_recordio_class(picture.label, &number) == FN_OK)
            fuzz_require(number <= FN_RECORDIO_CLASS_MAX);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        struct fn_recordio_frame frame = fn_recordio_frame(data + at, size - at);
        fuzz_require(frame.bytes % 4 == 0 && frame.bytes <= size - at);
        if (frame.state == FN_RECORDIO_WHOLE)
            take_record(data + at, &frame);
        if (frame.state == FN_RECORDIO_MORE || frame.bytes == 0)
            break;
        at += frame.bytes;
    }
    fuzz_input(data, size);
    return 0;
}

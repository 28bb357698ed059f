/* SPDX-License-Identifier: MIT */
/* Any bytes as an event record: what is read lies inside. Checksums are made right first, so that
 * the fields behind them are reached. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "train/events_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fn_event_seen seen;
    struct fn_proto event = {0}, framed = {0};
    if (fn_event_read(data, size, &seen) > size)
        abort();
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    if (size)
        memcpy(copy, data, size);
    event.data = copy;
    event.bytes = size;
    fn_proto_frame(&framed, &event);
    if (!framed.failed && fn_event_read(framed.data, framed.bytes, &seen) != framed.bytes)
        abort();
    fn_proto_free(&framed);
    free(copy);
    return 0;
}

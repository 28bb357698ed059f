/* SPDX-License-Identifier: MIT */
/* Any bytes as a learning rate schedule: a rate that comes out is finite and not negative. */
#include <math.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "train/schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fn_schedule *s;
    double rate;
    if (fn_schedule_parse(&s, (const char *)data, size, "fuzz") != FN_OK)
        return 0;
    for (int64_t epoch = 0; epoch < 1000000000000; epoch = epoch * 3 + 1)
        if (fn_schedule_rate(s, epoch, &rate) == FN_OK && !(isfinite(rate) && rate >= 0))
            abort();
    fn_schedule_close(&s);
    return 0;
}

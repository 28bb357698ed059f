/* SPDX-License-Identifier: MIT */
/* Any bytes as a pairs file: what is accepted are usable names and numbers. */
#include <stdlib.h>
#include <string.h>

#include "store/store.h"
#include "tests/fuzz/fuzz.h"
#include "train/lfw.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fn_pairs *p;
    if (fn_pairs_parse(&p, (const char *)data, size, "fuzz") != FN_OK)
        return 0;
    if (p->count == 0)
        abort();
    for (size_t i = 0; i < p->count; i++)
        for (int side = 0; side < 2; side++) {
            const char *name = p->pair[i].name[side];
            if (!fn_name_ok(name, strlen(name)) || p->pair[i].number[side] > 999999999)
                abort();
        }
    fn_pairs_close(&p);
    return 0;
}

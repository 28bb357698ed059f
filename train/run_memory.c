/* SPDX-License-Identifier: MIT */
/* What a run has of memory beside its model's. */
#include <string.h>

#include "kernels/host.h"
#include "train/run_parts.h"

/* Validation and LFW have a ring each. */
static uint64_t evaluation(const struct fn_run *r)
{
    uint64_t bytes = 0;
    int n = r->eval ? fn_exec_get_options(r->eval)->n : 0;
    if (r->split->val.count)
        bytes += fn_loader_bytes(n, (int)r->o->image_size);
    if (r->lfw)
        bytes += fn_lfw_run_bytes(r->lfw, r->net, n, r->o->lfw_flip);
    return bytes;
}

/* A parameter's numbers on their way from or to a file: as the file has them and, of a convolution,
 * in the device's layout as well. The largest counts: they come one after the other. */
static uint64_t copies(const struct fn_run *r)
{
    uint64_t most = 0;
    for (size_t i = 0; i < r->net->param_count; i++) {
        const struct fn_net_param *p = &r->net->params[i];
        uint64_t bytes = (uint64_t)p->count * sizeof(float) * (p->kind == FN_PARAM_CONV ? 2 : 1);
        most = bytes > most ? bytes : most;
    }
    return most;
}

void fn_run_memory(const struct fn_run *r, int n, struct fn_memory_row rows[FN_RUN_MEMORY])
{
    const int host = strcmp(r->be->name, "cuda") != 0; /* else the table is of the GPU's memory */
    rows[0] = (struct fn_memory_row){"loader", fn_loader_bytes(n, (int)r->o->image_size),
                                     FN_MEMORY_GROWS};
    rows[1] = (struct fn_memory_row){"evaluation", evaluation(r), FN_MEMORY_FIXED};
    rows[2] = (struct fn_memory_row){"group", r->loss->bytes(r),
                                     r->loss == &fn_run_online ? FN_MEMORY_GROWS : FN_MEMORY_FIXED};
    rows[3] = (struct fn_memory_row){"copies", host ? copies(r) : 0, FN_MEMORY_FIXED};
    rows[4] = (struct fn_memory_row){"program", host ? fn_host_memory_used() : 0, FN_MEMORY_TAKEN};
}

/* SPDX-License-Identifier: MIT */
/* Reading ahead. A worker that waits for the disk waits for one picture; told of a whole batch, the
 * kernel fetches all of it at once. Telling costs half a percent where everything is in memory, so
 * it is done only while the worker's own count of major page faults says that something is not. */
#include <sys/resource.h>

#include "train/loader_internal.h"

#define STAY_COLD 64 /* batches; reading ahead hides the faults that it prevents */

static long major_faults(void)
{
    struct rusage r;
    return getrusage(RUSAGE_THREAD, &r) == 0 ? r.ru_majflt : 0;
}

void fn_loader_ahead(const struct fn_loader *l, struct fn_loader_ahead *ahead,
                     struct fn_fetch *fetch, uint64_t batch)
{
    long faults = major_faults();
    if (faults != ahead->faults)
        ahead->cold = STAY_COLD;
    ahead->faults = faults;
    if (ahead->cold == 0)
        return;
    ahead->cold--;
    const struct fn_order *order = &l->job.order;
    uint64_t first = batch * l->job.stride + l->job.offset;
    int32_t count = fn_loader_count(l, batch);
    size_t ids = 0;
    for (int32_t i = 0; i < count; i++) {
        struct fn_example ex;
        order->at(order->context, first + (uint64_t)i, &ex);
        ahead->ids[i] = ex.id;
    }
    fn_fetch_prefetch(fetch, ahead->ids, (size_t)count);
    if (!order->later)
        return;
    for (int32_t i = 0; i < count; i++) {
        uint64_t id = order->later(order->context, first + (uint64_t)i);
        if (id != FN_NO_ID)
            ahead->ids[ids++] = id;
    }
    fn_fetch_prefetch(fetch, ahead->ids, ids);
}

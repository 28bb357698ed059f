/* SPDX-License-Identifier: MIT */
/* Memory: the host's, whatever the kind. */
#include "kernels/ref/ref.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/host.h"

int fn_ref_alloc(struct fn_dev *dev, size_t bytes, int kind, void **out)
{
    (void)dev, (void)kind;
    int rc = fn_host_alloc(bytes, out);
    if (rc != FN_OK)
        return rc;
    /* All bits set is NaN in float and in double: who reads before writing finds out here. */
    memset(*out, 0xff, bytes);
    return FN_OK;
}

void fn_ref_free(struct fn_dev *dev, int kind, void *data)
{
    (void)dev, (void)kind;
    free(data);
}

int fn_ref_zero(struct fn_dev *dev, void *data, size_t bytes)
{
    (void)dev;
    memset(data, 0, bytes);
    return FN_OK;
}

int fn_ref_write(struct fn_dev *dev, void *device, const void *host, size_t bytes)
{
    (void)dev;
    memcpy(device, host, bytes);
    return FN_OK;
}

int fn_ref_read(struct fn_dev *dev, const void *device, void *host, size_t bytes)
{
    (void)dev;
    memcpy(host, device, bytes);
    return FN_OK;
}

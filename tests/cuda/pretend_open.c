/* SPDX-License-Identifier: MIT */
/* The CUDA backend, as it is, on the pretend GPU: fn_backend_open("cuda") opens it (linked with
 * --wrap=fn_backend_open). */
#include <string.h>

#include "kernels/cuda/cuda.h"
#include "tests/cuda/pretend.h"

int __real_fn_backend_open(const char *name, const struct fn_dev_options *options,
                           const struct fn_backend **backend, struct fn_dev **dev,
                           const char **why);
int __wrap_fn_backend_open(const char *name, const struct fn_dev_options *options,
                           const struct fn_backend **backend, struct fn_dev **dev,
                           const char **why);

int __wrap_fn_backend_open(const char *name, const struct fn_dev_options *options,
                           const struct fn_backend **backend, struct fn_dev **dev, const char **why)
{
    if (strcmp(name, "cuda") != 0)
        return __real_fn_backend_open(name, options, backend, dev, why);
    fn_pretend_next();
    if (why)
        *why = NULL;
    *backend = &fn_backend_cuda;
    return fn_backend_cuda.open(dev, options);
}

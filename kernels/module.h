/* SPDX-License-Identifier: MIT */
/* Backends as modules: shared libraries that are loaded when they are asked for, so that one
 * program runs on machines with and without what they need. A module exports one constant table
 * under FN_MODULE_SYMBOL; it takes fn_fail and its like from the program (kernels/module.list). */
#ifndef FN_KERNELS_MODULE_H
#define FN_KERNELS_MODULE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Counts the changes of kernels/op.h and of struct fn_module that the sizes below do not show. */
#define FN_MODULE_ABI 1
#define FN_MODULE_SYMBOL "fn_module"

struct fn_module {
    uint32_t abi; /* FN_MODULE_ABI: the first member for ever */
    uint32_t backend_bytes, info_bytes, options_bytes; /* sizeof of the structs that cross over */
    const char *version;                               /* FN_VERSION */
    const struct fn_backend *backend;
};

/* One's own, for a module's source: const struct fn_module fn_module = FN_MODULE(fn_backend_cuda);
 */
#define FN_MODULE(table)                                                                           \
    {                                                                                              \
        .abi = FN_MODULE_ABI, .backend_bytes = sizeof(struct fn_backend),                          \
        .info_bytes = sizeof(struct fn_dev_info), .options_bytes = sizeof(struct fn_dev_options),  \
        .version = FN_VERSION, .backend = &(table)                                                 \
    }
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
extern const struct fn_module fn_module; /* the module's */

/* The backend of a module: the file that the environment variable `variable` names, else `file`
 * beside the program, else in ../lib. It stays loaded. FN_EUNSUPPORTED: it is not there, or cannot
 * be loaded, and the sentence has the loader's reason (a library that it needs is missing);
 * FN_EVERSION: of another build. One thread at a time. */
int fn_module_load(const char *variable, const char *file, const struct fn_backend **backend);

#ifdef __cplusplus
}
#endif
#endif

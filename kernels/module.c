/* SPDX-License-Identifier: MIT */
/* Finds, loads and checks a module. */
#include "kernels/module.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Folder of the program, without a slash at its end. */
static void program_folder(char *folder, size_t size)
{
    const ssize_t length = readlink("/proc/self/exe", folder, size - 1);
    folder[length < 0 ? 0 : length] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
}

static int find(const char *variable, const char *file, char *path, size_t size)
{
    static const char *const places[] = {"", "../lib/"};
    const char *named = getenv(variable);
    char folder[PATH_MAX];
    if (named && named[0]) {
        if (snprintf(path, size, "%s", named) >= (int)size || access(path, R_OK))
            return fn_fail(FN_EUNSUPPORTED, "%s=%s: no such file", variable, named);
        return FN_OK;
    }
    program_folder(folder, sizeof folder);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (snprintf(path, size, "%s/%s%s", folder, places[i], file) < (int)size &&
            access(path, R_OK) == 0)
            return FN_OK;
    return fn_fail(FN_EUNSUPPORTED,
                   "%s is neither in %s nor in ../lib: this program was built without CUDA (CMake "
                   "option FN_CUDA)",
                   file, folder);
}

static int check(const struct fn_module *m, const char *path)
{
    const struct fn_module own = {.abi = FN_MODULE_ABI,
                                  .backend_bytes = sizeof(struct fn_backend),
                                  .info_bytes = sizeof(struct fn_dev_info),
                                  .options_bytes = sizeof(struct fn_dev_options)};
    if (m->abi != own.abi || m->backend_bytes != own.backend_bytes ||
        m->info_bytes != own.info_bytes || m->options_bytes != own.options_bytes ||
        strcmp(m->version, FN_VERSION) != 0)
        return fn_fail(FN_EVERSION,
                       "%s is of another build than this program (interface %u, here %u): install "
                       "both from one",
                       path, m->abi, own.abi);
    return FN_OK;
}

int fn_module_load(const char *variable, const char *file, const struct fn_backend **backend)
{
    char path[PATH_MAX + 256];
    int rc = find(variable, file, path, sizeof path);
    *backend = NULL;
    if (rc)
        return rc;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        const int is_missing = strstr(why, "cannot open shared object file") != NULL;
        return fn_fail(FN_EUNSUPPORTED, "%s cannot be loaded: %s%s", path, why,
                       is_missing ? " (install it, or name its folder in LD_LIBRARY_PATH)" : "");
    }
    const struct fn_module *m = dlsym(library, FN_MODULE_SYMBOL);
    rc = m ? check(m, path)
           : fn_fail(FN_EVERSION, "%s is not a module of this program: it has no %s", path,
                     FN_MODULE_SYMBOL);
    if (rc)
        dlclose(library);
    else
        *backend = m->backend; /* and never closed: what it loaded has threads and exit handlers */
    return rc;
}

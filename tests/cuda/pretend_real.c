/* SPDX-License-Identifier: MIT */
/* Loads NVIDIA's cuDNN. Its symbols stay its own: the program's are the pretend ones. */
#include "tests/cuda/pretend_real.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "tests/cuda/chips.h"
#include "tests/cuda/pretend_core.h"

#ifndef FN_CUDNN_FILE
#define FN_CUDNN_FILE "libcudnn.so.9"
#endif

static struct fn_real_dnn library;

static int load(void *file)
{
    const struct {
        const char *name;
        void *to;
    } wanted[] = {{"cudnnBackendCreateDescriptor", &library.create},
                  {"cudnnBackendDestroyDescriptor", &library.destroy},
                  {"cudnnBackendSetAttribute", &library.set},
                  {"cudnnBackendGetAttribute", &library.get},
                  {"cudnnBackendFinalize", &library.finalize}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        void *at = dlsym(file, wanted[i].name);
        if (!at)
            return -1;
        memcpy(wanted[i].to, &at, sizeof at);
    }
    return 0;
}

const struct fn_real_dnn *fn_real_dnn(void)
{
    static int asked, there;
    if (!asked && fn_pretend.options.real_dnn) {
        void *file = dlopen(FN_CUDNN_FILE, RTLD_NOW | RTLD_LOCAL);
        there = file && load(file) == 0;
        if (!there)
            printf("SKIPPED cuDNN's own plans: %s\n", file ? "an unknown version" : dlerror());
    }
    asked = 1;
    return there ? &library : NULL;
}

cudnnStatus_t fn_real_dnn_chip(cudnnBackendDescriptor_t heuristics)
{
    static cudnnBackendDescriptor_t chip;
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    if (!chip) {
        const struct chip *c = chips;
        char json[2048];
        for (int i = 0; i < CHIPS; i++)
            if (chips[i].capability == (int)fn_pretend.options.capability * 10)
                c = &chips[i];
        describe(c, json, sizeof json);
        status = library.create(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &chip);
        if (!status)
            status = library.set(chip, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                                 (int64_t)strlen(json) + 1, json);
        if (!status)
            status = library.finalize(chip);
    }
    return status ? status
                  : library.set(heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP,
                                CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &chip);
}

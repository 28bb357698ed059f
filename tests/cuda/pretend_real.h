/* SPDX-License-Identifier: MIT */
/* NVIDIA's own cuDNN behind the pretend one: loaded at run time, asked about descriptors and plans
 * for a chip that is only described. */
#ifndef FN_TESTS_CUDA_PRETEND_REAL_H
#define FN_TESTS_CUDA_PRETEND_REAL_H

#include <cudnn.h>

struct fn_real_dnn {
    cudnnStatus_t (*create)(cudnnBackendDescriptorType_t, cudnnBackendDescriptor_t *);
    cudnnStatus_t (*destroy)(cudnnBackendDescriptor_t);
    cudnnStatus_t (*set)(cudnnBackendDescriptor_t, cudnnBackendAttributeName_t,
                         cudnnBackendAttributeType_t, int64_t, const void *);
    cudnnStatus_t (*get)(cudnnBackendDescriptor_t, cudnnBackendAttributeName_t,
                         cudnnBackendAttributeType_t, int64_t, int64_t *, void *);
    cudnnStatus_t (*finalize)(cudnnBackendDescriptor_t);
};

/* NULL: not wanted (the option real_dnn, when it is first asked for), or not to be loaded. */
const struct fn_real_dnn *fn_real_dnn(void);
/* Heuristics, not yet final: asked for the pretend GPU's chip. */
cudnnStatus_t fn_real_dnn_chip(cudnnBackendDescriptor_t heuristics);

#endif

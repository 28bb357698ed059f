/* SPDX-License-Identifier: MIT */
/* What the files that call the CUDA runtime share. Two streams: `compute`, in which all ops run one
 * after the other, and `upload`, in which batches come in meanwhile. Events order the two; the host
 * waits only for events of the past (losses one step late, a slot before it is filled again), and
 * for `compute` where op.h says that a call waits.
 *
 * A batch: host slot -> (upload) the slot's device buffer -> (compute) the one buffer that all ops
 * read, so that a recorded step finds every batch at the same address. */
#ifndef FN_KERNELS_CUDA_RUNTIME_H
#define FN_KERNELS_CUDA_RUNTIME_H

#include <cuda_runtime_api.h>

#include "kernels/cuda/cuda.h"

/* Device memory of a batch; sizes in bytes. */
struct fn_cuda_batch {
    uint8_t *images;
    int32_t *labels;
    size_t images_size, labels_size;
};

struct fn_cuda_slot {
    struct fn_cuda_batch batch;
    size_t images_bytes, labels_bytes; /* of the batch that was uploaded last */
    cudaEvent_t uploaded;              /* it is in device memory: the host's may be written */
    cudaEvent_t used;                  /* it is where the ops read: the slot's may be written */
};

/* A step as the device's clock sees it: its losses are posted; where it began, and the end of the
 * step before it. NULL: unknown. */
struct fn_cuda_step {
    cudaEvent_t posted, begun, before;
};

struct fn_cuda_runtime {
    cudaStream_t compute, upload;
    struct fn_cuda_slot slot[FN_UPLOAD_SLOTS];
    struct fn_cuda_batch current;
    struct fn_cuda_step step[FN_CUDA_LOSS_SLOTS];
    cudaEvent_t begun[FN_CUDA_LOSS_SLOTS]; /* steps, in turn: `compute` comes to a batch */
    int turn, is_begun;                    /* of the step that is under way */
    cudaEvent_t posted;                    /* the last step's */
    double *losses;                        /* pinned: (FN_CUDA_LOSS_SLOTS, FN_LOSS_COUNT) */
    char *bounce;                          /* pinned: what read and write pass through */
    void *memory;                          /* of the kernels: scratch, then state */
    int recording;                         /* between record_begin and record_end */
};

enum { FN_CUDA_BOUNCE = 4 << 20 /* bytes: large enough for PCIe's full speed */ };

/* Calls of the CUDA runtime; the sentence has the call. */
#define CU(call)                                                                                   \
    do {                                                                                           \
        int cu_rc_ = fn_cuda_result((int)(call), #call);                                           \
        if (cu_rc_)                                                                                \
            return cu_rc_;                                                                         \
    } while (0)

/* stream.c: streams, events, pinned memory. close takes half-open things. */
int fn_cuda_runtime_open(struct fn_dev *dev);
void fn_cuda_runtime_close(struct fn_dev *dev);

/* What must not happen while a step is recorded: FN_EINTERNAL. */
int fn_cuda_may_wait(const struct fn_dev *dev, const char *what);

/* dnn.c. stream: that of the handle. version: text for a person. */
int fn_cuda_dnn_open(struct fn_cuda_dnn **dnn, struct CUstream_st *stream);
void fn_cuda_dnn_close(struct fn_cuda_dnn **dnn);
void fn_cuda_dnn_version(char *text, size_t size);

#endif

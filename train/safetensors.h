/* SPDX-License-Identifier: MIT */
/* Safetensors: u64 header length, a JSON header (name -> dtype, shape, data_offsets; "__metadata__"
 * of strings), then the tensors' bytes, little-endian, without gaps.
 *
 * Reading trusts nothing: header at most 100 MB (the format's own limit), known dtypes, shapes
 * whose product does not overflow and equals the bytes, offsets inside the file that neither
 * overlap nor leave gaps. Writing is atomic and deterministic; the data begin at a multiple of 64
 * bytes, wider elements first, so that every tensor is aligned. Files of ours carry the XXH3-64 of
 * their data as metadata "fn.xxh3", which fn_safetensors_verify checks. */
#ifndef FN_TRAIN_SAFETENSORS_H
#define FN_TRAIN_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

enum fn_dtype {
    FN_DTYPE_F64 = 0,
    FN_DTYPE_F32,
    FN_DTYPE_F16,
    FN_DTYPE_BF16,
    FN_DTYPE_I64,
    FN_DTYPE_I32,
    FN_DTYPE_I16,
    FN_DTYPE_I8,
    FN_DTYPE_U64,
    FN_DTYPE_U32,
    FN_DTYPE_U16,
    FN_DTYPE_U8,
    FN_DTYPE_BOOL,
    FN_DTYPE_COUNT
};
const char *fn_dtype_name(int dtype); /* "F32"; "?" for unknown */
size_t fn_dtype_bytes(int dtype);     /* of one element; 0 for unknown */

#define FN_TENSOR_MAX_RANK 8

struct fn_named_tensor {
    const char *name; /* UTF-8 */
    int dtype, rank;  /* rank 0: a scalar */
    uint64_t shape[FN_TENSOR_MAX_RANK];
    uint64_t count, bytes; /* elements; count * fn_dtype_bytes. Writing fills them itself */
    const void *data;      /* not necessarily aligned when read from a stranger's file */
};

/* ---- reading -------------------------------------------------------------------------------- */
struct fn_safetensors;

/* Maps the file. FN_ENOENT, FN_EFORMAT (not such a file), FN_ECORRUPT (cut short: the sentence has
 * both sizes), FN_ELIMIT. Everything asked from it lives until fn_safetensors_close. */
int fn_safetensors_open(struct fn_safetensors **st, const char *path);
/* The same from memory that must outlive it; `where` stands for the path in sentences. */
int fn_safetensors_parse(struct fn_safetensors **st, const void *data, size_t bytes,
                         const char *where);
void fn_safetensors_close(struct fn_safetensors **st);

size_t fn_safetensors_count(const struct fn_safetensors *st);
/* In order of their place in the file; i < count. */
const struct fn_named_tensor *fn_safetensors_at(const struct fn_safetensors *st, size_t i);
/* NULL: none of that name. */
const struct fn_named_tensor *fn_safetensors_find(const struct fn_safetensors *st,
                                                  const char *name);
/* Value of a metadata key; NULL: none. */
const char *fn_safetensors_meta(const struct fn_safetensors *st, const char *key);

/* FN_ECORRUPT: the data are not those the checksum was made of. A file without one is FN_OK. */
int fn_safetensors_verify(const struct fn_safetensors *st);

/* All elements; F64, F32, F16, BF16 (anything else: FN_EMISMATCH with the name). */
int fn_tensor_floats(const struct fn_named_tensor *t, float *out);

/* ---- writing -------------------------------------------------------------------------------- */
struct fn_meta {
    const char *key, *value; /* UTF-8 */
};

/* Atomic: `path` is the old file or the whole new one. A tensor whose data is NULL is asked for:
 * fill(context, index in `tensors`, buffer of its bytes), so that not all need be in memory at
 * once. FN_EINTERNAL: an equal name twice, a rank too high. */
int fn_safetensors_write(const char *path, const struct fn_named_tensor *tensors, size_t count,
                         const struct fn_meta *meta, size_t meta_count,
                         int (*fill)(void *context, size_t index, void *buffer), void *context);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: MIT */
/* Stores of parts (--part) into the store that a single run would have made, byte for byte, without
 * touching a picture. */
#ifndef FN_INGEST_JOIN_H
#define FN_INGEST_JOIN_H

#include <stddef.h>

#include "store/writer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_join;
/* All parts of one input, in any order. FN_EMISMATCH says what does not fit: a part that is missing
 * or there twice, parts of other inputs or of other options. */
int fn_join_open(struct fn_join **join, const char *const *stores, size_t count);
void fn_join_close(struct fn_join **join);
/* Of the store to be made, but for `command`; lives as long as the join. */
const struct fn_store_content *fn_join_content(const struct fn_join *join);
/* Records whose picture was decoded with warnings, as the parts' provenances say. */
uint64_t fn_join_warned(const struct fn_join *join);
/* Every row behind `from`, as fn_writer_open gave it. FN_EINTERRUPTED: a signal asked to stop; what
 * was joined is committed. */
int fn_join_run(struct fn_join *join, struct fn_writer *writer, const struct fn_position *from);

#ifdef __cplusplus
}
#endif
#endif

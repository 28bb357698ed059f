/* SPDX-License-Identifier: MIT */
/* A folder of class folders made into a store by fn-ingest, run as a child: training and ingest
 * share no code, and what is said and counted is what a person who calls it sees. */
#ifndef FN_TRAIN_INGEST_CHILD_H
#define FN_TRAIN_INGEST_CHILD_H

#include "base/args.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Runs the fn-ingest that lies beside this program, else the one in PATH, with --size 0 --codec
 * keep: the store has the bytes of the files. Pictures that cannot be read are its rejects. Its
 * lines go to stderr; threads and verbosity are `common`'s. A store that was begun is finished.
 *
 * FN_EINTERRUPTED: a signal came and was passed on, what is stored is kept. FN_ENOENT: there is no
 * fn-ingest. FN_EFORMAT: it failed, and has said why. Call it with no store open. */
int fn_ingest_child(const char *tree, const char *store, const struct fn_common *common);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: MIT */
/* A library to be loaded before a tool (LD_PRELOAD): it makes the n-th call of a kind fail, or
 * kills the process there, or writes down every change of a folder so that a power cut at any
 * moment can be played back (replay.c). The tools are linked dynamically with LMDB, libarchive and
 * the C library, and write their files with write(), not through stdio, so this sees every call.
 * Under a sanitizer it stands before the sanitizer's own functions and calls those.
 *
 * Environment:
 *   FN_FAULT=KIND[,KIND...]:N:WHAT   the N-th call (from 1) of these kinds; N 0: only count
 *     KIND   open read write sync truncate rename unlink mkdir map alloc
 *            alloc: memory asked for by the program's own code; memory: by the libraries it is made
 *            of too (jansson, LMDB, libjpeg, libpng, libarchive, xxHash), but not by the C library
 *     WHAT   an errno's name: the call fails with it and does nothing
 *            NAME+: so does every later one        SHORT: half of the bytes are written
 *            KILL: the process dies before it      INT: Ctrl-C comes before it
 *   FN_FAULT_UNDER=TEXT      only calls on paths that contain it
 *   FN_FAULT_REPORT=FILE     what was hit ("hit KIND PATH"), and at the end "calls N"
 *   FN_FAULT_RECORD=FILE     record; FN_FAULT_FOLDER=/PATH the folder whose changes are recorded
 *
 * Paths of the system (/proc, /sys, /dev, /etc, /usr, /lib, /var) and the three standard streams
 * are never touched. */
#ifndef FN_TESTS_FAULT_H
#define FN_TESTS_FAULT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum fault_kind {
    FAULT_OPEN,
    FAULT_READ,
    FAULT_WRITE,
    FAULT_SYNC,
    FAULT_TRUNCATE,
    FAULT_RENAME,
    FAULT_UNLINK,
    FAULT_MKDIR,
    FAULT_MAP,
    FAULT_ALLOC,
    FAULT_MEMORY,
    FAULT_KINDS
};

enum fault_verdict {
    FAULT_NONE,  /* call it */
    FAULT_FAIL,  /* errno is set: return the failure */
    FAULT_SHORT_ /* write half of it */
};

/* Counts the call and says what to do. dir and path as openat takes them (AT_FDCWD for a plain
 * path); path NULL: the file that the descriptor `dir` stands for; kinds of memory take neither. */
enum fault_verdict fault_at(enum fault_kind kind, int dir, const char *path);
int fault_wants(enum fault_kind kind); /* 1: calls of this kind count */

/* Absolute path, in buf of 4096 bytes, which is returned; "" when there is none. */
const char *fault_path(char *buf, int dir, const char *path);

/* ---- what replay.c reads: a file of these, each followed by path, other path, data ---- */
enum fault_op_kind {
    OP_ROOT = 1, /* path, ino: the recorded folder */
    OP_CREATE,   /* path, ino: a new empty file */
    OP_MKDIR,    /* path, ino */
    OP_WRITE,    /* ino, at, data; durable: through a descriptor that syncs each write */
    OP_TRUNCATE, /* ino, at: the new length */
    OP_SYNC,     /* ino, path: fsync of a file or folder */
    OP_RENAME,   /* path -> other */
    OP_EXCHANGE, /* path <-> other */
    OP_UNLINK,   /* path */
    OP_RMDIR     /* path */
};

struct fault_op {
    uint32_t kind, durable;
    uint64_t ino, at, bytes;
    uint32_t path_bytes, other_bytes; /* with their NUL */
};

/* Around a call that changes something: begin takes a lock (1: this path is recorded), so that the
 * order on record is the order of the calls; end lets go and, with ok, writes the operation down.
 */
int record_begin(const char *path);
void record_end(int ok, struct fault_op op, const char *path, const char *other, const void *data);
int record_on(void);

#endif

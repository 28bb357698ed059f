/* SPDX-License-Identifier: MIT */
/* From an archive entry's path to class and record name. A path in an archive is bytes from a
 * stranger: it is taken apart here and never given to the file system. Pure functions, any thread.
 */
#ifndef FN_INGEST_ENTRY_H
#define FN_INGEST_ENTRY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum fn_entry_kind {
    FN_ENTRY_OTHER = 0, /* no picture by its ending, hidden, or without a folder to be its class */
    FN_ENTRY_PICTURE,
    FN_ENTRY_BAD_NAME /* a picture, but its folder or its name cannot be a name of ours */
};

/* Both point into the path and are not terminated. */
struct fn_entry_name {
    const char *class_name, *name; /* the name without its ending */
    size_t class_bytes, name_bytes;
};

/* `any/prefix/class/name.jpg`: the last two parts of the path, whatever stands before them; parts
 * that are empty or "." count for nothing. Hidden is an entry with a part that begins with a dot
 * ("." and ".." aside) and the folder __MACOSX with all in it. A class named ".." and names that
 * fn_name_ok refuses are FN_ENTRY_BAD_NAME. *out is filled for FN_ENTRY_PICTURE only. */
enum fn_entry_kind fn_entry_name(const char *path, size_t bytes, struct fn_entry_name *out);

/* 1 or 0, as said above. */
int fn_entry_hidden(const char *path, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif

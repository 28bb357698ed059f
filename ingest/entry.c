/* SPDX-License-Identifier: MIT */
/* Paths in archives, taken apart. */
#include "ingest/entry.h"

#include <string.h>

#include "base/faces.h"
#include "store/store.h"

struct part {
    const char *at;
    size_t bytes;
};

/* The next part from path[*at] on that says something; 0: there is none. */
static int next_part(const char *path, size_t bytes, size_t *at, struct part *part)
{
    while (*at < bytes) {
        const char *slash = memchr(path + *at, '/', bytes - *at);
        part->at = path + *at;
        part->bytes = (slash ? (size_t)(slash - path) : bytes) - *at;
        *at += part->bytes + (slash ? 1 : 0);
        if (part->bytes > 1 || (part->bytes == 1 && part->at[0] != '.'))
            return 1;
    }
    return 0;
}

static int is(const struct part *part, const char *text)
{
    return part->bytes == strlen(text) && memcmp(part->at, text, part->bytes) == 0;
}

int fn_entry_hidden(const char *path, size_t bytes)
{
    struct part part;
    size_t at = 0;
    while (next_part(path, bytes, &at, &part)) {
        if (is(&part, "__MACOSX") || (part.at[0] == '.' && !is(&part, "..")))
            return 1;
    }
    return 0;
}

enum fn_entry_kind fn_entry_name(const char *path, size_t bytes, struct fn_entry_name *out)
{
    struct part folder = {NULL, 0}, last = {NULL, 0}, part;
    size_t at = 0;
    if (bytes == 0 || path[bytes - 1] == '/' || fn_entry_hidden(path, bytes))
        return FN_ENTRY_OTHER;
    while (next_part(path, bytes, &at, &part)) {
        folder = last;
        last = part;
    }
    size_t ending = fn_picture_ending(last.at ? last.at : "", last.bytes);
    if (!folder.at || ending == 0)
        return FN_ENTRY_OTHER;
    if (!fn_name_ok(folder.at, folder.bytes) || !fn_name_ok(last.at, last.bytes - ending))
        return FN_ENTRY_BAD_NAME;
    *out = (struct fn_entry_name){folder.at, last.at, folder.bytes, last.bytes - ending};
    return FN_ENTRY_PICTURE;
}

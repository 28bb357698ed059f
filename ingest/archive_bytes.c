/* SPDX-License-Identifier: MIT */
/* Beginnings of all kinds; of a zip also the last records (APPNOTE.TXT, 4.3.14 to 4.3.16). */
#include "ingest/archive_bytes.h"

#include <string.h>

#define TAR_BLOCK 512
#define END 22     /* the end record, without its comment */
#define LOCATOR 20 /* before it, where the file is large: where the following is */
#define END64 56   /* the end record with wide numbers */

int fn_archive_is_tar(const uint8_t *head, size_t bytes)
{
    unsigned long sum = 8 * ' ', stated = 0;
    size_t i = 148;
    if (bytes < TAR_BLOCK)
        return 0;
    for (size_t b = 0; b < TAR_BLOCK; b++)
        sum += b < 148 || b >= 156 ? head[b] : 0u;
    while (i < 156 && head[i] == ' ')
        i++;
    for (; i < 156 && head[i] >= '0' && head[i] <= '7'; i++)
        stated = stated * 8 + head[i] - '0';
    return head[0] && sum == stated;
}

int fn_archive_begins(const uint8_t *head, size_t bytes)
{
    static const struct {
        size_t at, bytes;
        const char *magic;
    } known[] = {
        {0, 2, "\x1f\x8b"},                 /* gzip */
        {0, 2, "\x1f\x9d"},                 /* compress */
        {0, 4, "\x28\xb5\x2f\xfd"},         /* zstd */
        {0, 4, "\x04\x22\x4d\x18"},         /* lz4 */
        {0, 6, "\xfd\x37\x7a\x58\x5a\x00"}, /* xz */
        {4, 6, "1AY&SY"},                   /* bzip2, behind "BZh" and a digit */
        {0, 4, "LZIP"},
        {0, 4, "PK\x03\x04"}, /* zip */
        {0, 4, "PK\x05\x06"}, /* zip, empty */
        {0, 4, "PK\x07\x08"}, /* zip, once meant for several disks */
        {257, 5, "ustar"},    /* tar, POSIX and GNU */
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (bytes >= known[i].at + known[i].bytes &&
            memcmp(head + known[i].at, known[i].magic, known[i].bytes) == 0)
            return 1;
    }
    return fn_archive_is_tar(head, bytes);
}

static uint64_t number(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    while (bytes-- > 0)
        value = value << 8 | at[bytes];
    return value;
}

static int is(const uint8_t *at, const char *magic)
{
    return memcmp(at, magic, 4) == 0;
}

/* The wide end record lies directly before its locator, which lies directly before the end. */
static int wide(const uint8_t *tail, size_t end, uint64_t *entries)
{
    if (end < LOCATOR + END64 || !is(tail + end - LOCATOR, "PK\x06\x07") ||
        !is(tail + end - LOCATOR - END64, "PK\x06\x06"))
        return 0;
    *entries = number(tail + end - LOCATOR - END64 + 32, 8);
    return 1;
}

int fn_archive_zip_entries(const uint8_t *tail, size_t bytes, uint64_t *entries)
{
    size_t skip = bytes > FN_ARCHIVE_END_MAX ? bytes - FN_ARCHIVE_END_MAX : 0;
    tail += skip;
    bytes -= skip;
    for (size_t at = bytes >= END ? bytes - END + 1 : 0; at-- > 0;) {
        /* What looks like one inside of a comment says that it is longer than the file. */
        if (!is(tail + at, "PK\x05\x06") || number(tail + at + 20, 2) > bytes - at - END)
            continue;
        if (!wide(tail, at, entries))
            *entries = number(tail + at + 10, 2);
        return 1;
    }
    return 0;
}

int fn_archive_tar_ends(const uint8_t *tail, size_t bytes)
{
    size_t zeros = 0;
    while (zeros < TAR_BLOCK && zeros < bytes && !tail[bytes - zeros - 1])
        zeros++;
    return zeros == TAR_BLOCK;
}

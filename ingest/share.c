/* SPDX-License-Identifier: MIT */
/* Dividing an input among machines. */
#include "ingest/share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ingest/stream.h"

/* A number of digits alone up to FN_SHARE_MAX * 1000; *end: behind it. -1: none. */
static int64_t number(const char *text, const char **end)
{
    int64_t value = 0;
    size_t digits = text ? strspn(text, "0123456789") : 0;
    if (digits == 0 || digits > 9)
        return -1;
    for (size_t i = 0; i < digits; i++)
        value = 10 * value + (text[i] - '0');
    *end = text + digits;
    return value;
}

static int64_t variable(const char *name)
{
    const char *end;
    int64_t value = number(getenv(name), &end);
    return value >= 0 && *end == '\0' ? value : -1;
}

/* 1: the launcher says both, and they fit. */
static int from_launcher(struct fn_share *share, int64_t rank, int64_t size)
{
    if (rank < 0 || size < 1 || rank >= size || size > FN_SHARE_MAX)
        return 0;
    share->number = (uint32_t)rank + 1;
    share->of = (uint32_t)size;
    return 1;
}

static int from_environment(struct fn_share *share)
{
    static const char *const pairs[][2] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                           {"PMI_RANK", "PMI_SIZE"},
                                           {"SLURM_PROCID", "SLURM_NTASKS"}};
    int found = 0;
    /* A launcher of one process says nothing where another one has started several. */
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs && !(found && share->of > 1); i++)
        found |= from_launcher(share, variable(pairs[i][0]), variable(pairs[i][1]));
    int64_t id = variable("SLURM_ARRAY_TASK_ID"), count = variable("SLURM_ARRAY_TASK_COUNT");
    int64_t first = variable("SLURM_ARRAY_TASK_MIN"), step = variable("SLURM_ARRAY_TASK_STEP");
    if (!(found && share->of > 1) && id >= 0 && first >= 0)
        found |= from_launcher(share, (id - first) / (step > 0 ? step : 1), count);
    if (found)
        return FN_OK;
    return fn_fail(FN_EUSAGE,
                   "--part auto: no launcher has put a rank and a size into the environment "
                   "(OMPI_COMM_WORLD_RANK, PMI_RANK, SLURM_PROCID, SLURM_ARRAY_TASK_ID, and the "
                   "sizes that belong to them); say --part I/N");
}

int fn_share_parse(const char *text, struct fn_share *share)
{
    const char *end = text;
    *share = (struct fn_share){0};
    if (strcmp(text, "auto") == 0)
        return from_environment(share);
    int64_t which = number(text, &end);
    int64_t of = which >= 0 && *end == '/' ? number(end + 1, &end) : -1;
    if (of < 1 || of > FN_SHARE_MAX || *end || which < 1 || which > of)
        return fn_fail(FN_EUSAGE, "--part %s: want I/N with 1 <= I <= N <= %d, or auto", text,
                       FN_SHARE_MAX);
    share->number = (uint32_t)which;
    share->of = (uint32_t)of;
    return FN_OK;
}

/* size * i / of without an overflow. */
static uint64_t border(const struct fn_share *share, uint32_t i)
{
    uint64_t whole = share->size / share->of, rest = share->size % share->of;
    return whole * i + rest * i / share->of;
}

/* The first byte of a row at or behind `from`; the size, where none begins there. */
static int row_from(const char *path, uint64_t size, uint64_t from, uint64_t *begin)
{
    uint8_t buffer[65536];
    int rc = FN_OK, fd = from ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    *begin = from;
    if (from == 0)
        return FN_OK;
    if (fd < 0)
        return fn_fail_errno("cannot open %s", path);
    for (uint64_t at = from - 1; *begin = size, at < size;) {
        ssize_t n = pread(fd, buffer, sizeof buffer, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = fn_fail_errno("cannot read %s", path);
        if (n <= 0)
            break;
        const uint8_t *lf = memchr(buffer, '\n', (size_t)n);
        if (lf) {
            *begin = at + (uint64_t)(lf - buffer) + 1;
            break;
        }
        at += (uint64_t)n;
    }
    close(fd);
    return rc;
}

int fn_share_settle(struct fn_share *share, const struct fn_input *input)
{
    if (strcmp(input->path, "-") == 0)
        return fn_fail(FN_EUSAGE,
                       "--part cannot divide stdin, which each machine would need whole: "
                       "give it the file");
    share->size = input->type == &fn_input_tree ? input->files : input->bytes;
    if (input->type != &fn_input_tsv || input->bytes == 0 ||
        strcmp(fn_stream_wrapping(input->stream), "plain") != 0)
        return FN_OK;
    share->by_bytes = 1;
    share->end = border(share, share->number);
    return row_from(input->path, share->size, border(share, share->number - 1), &share->begin);
}

int fn_share_trim(const struct fn_share *share, struct fn_chunk *chunk)
{
    size_t kept = 0;
    int ended = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        const struct fn_position *pos = &chunk->items[i].pos;
        int ours = share->by_bytes ? pos->offset < share->end
                                   : (pos->line - 1) % share->of == share->number - 1;
        ended = ended || (share->by_bytes && !ours);
        if (ours)
            chunk->items[kept++] = chunk->items[i];
    }
    chunk->count = kept;
    if (share->by_bytes && share->end > share->begin && kept) {
        uint64_t done = chunk->items[kept - 1].pos.next - share->begin;
        chunk->done = (double)done / (double)(share->end - share->begin);
        chunk->done = chunk->done < 1 ? chunk->done : 1;
    }
    return ended;
}

json_t *fn_share_json(const struct fn_share *share)
{
    return json_pack("{s:I, s:I, s:s, s:I}", "number", (json_int_t)share->number, "of",
                     (json_int_t)share->of, "by", share->by_bytes ? "bytes" : "entries", "size",
                     (json_int_t)share->size);
}

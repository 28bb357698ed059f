/* SPDX-License-Identifier: MIT */
/* The table of inputs, and what all of them share. */
#include "ingest/input.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/file.h"
#include "ingest/stream.h"

/* Asked from top to bottom; the last takes what is left, and says what is wrong with it. */
static const struct fn_input_type *const types[] = {&fn_input_recordio, &fn_input_tree,
                                                    &fn_input_archive, &fn_input_tsv};

int fn_input_open(struct fn_input **input, const char *path, uint32_t number,
                  const struct fn_input_options *options)
{
    size_t last = sizeof types / sizeof types[0] - 1, t = 0;
    int is_stdin = strcmp(path, "-") == 0, rc = FN_OK;
    struct fn_input *s = NULL;
    *input = NULL;
    if (!*path)
        return fn_fail(FN_EUSAGE, "the name of an INPUT is empty");
    if (!is_stdin && access(path, R_OK))
        return fn_fail_errno("cannot read %s", path);
    s = calloc(1, sizeof *s);
    if (!s || !(s->path = strdup(path))) {
        free(s);
        return fn_fail(FN_ENOMEM, "no memory to open %s", path);
    }
    s->number = number;
    if (is_stdin || !fn_is_dir(path))
        rc = fn_stream_open(&s->stream, path);
    while (!rc && t < last && !types[t]->probe(s))
        t++;
    s->type = types[t];
    if (!rc)
        rc = s->type->open(s, options);
    if (rc)
        fn_input_close(&s);
    *input = s;
    return rc;
}

void fn_input_close(struct fn_input **input)
{
    struct fn_input *s = *input;
    if (!s)
        return;
    s->type->close(s);
    fn_stream_close(&s->stream);
    json_decref(s->identity);
    free(s->described);
    free(s->path);
    free(s);
    *input = NULL;
}

int fn_input_describe(struct fn_input *input, const char *fmt, ...)
{
    va_list list;
    va_start(list, fmt);
    int n = vasprintf(&input->described, fmt, list);
    va_end(list);
    if (n < 0) {
        input->described = NULL;
        return fn_fail(FN_ENOMEM, "no memory to open %s", input->path);
    }
    return FN_OK;
}

void fn_hash_text(const void *data, size_t bytes, char text[33])
{
    XXH128_hash_t h = XXH3_128bits(data, bytes);
    snprintf(text, 33, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
}

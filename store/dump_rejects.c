/* SPDX-License-Identifier: MIT */
/* fn-dump rejects: why rows were not taken: reasons and counts, then the rows. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "store/build.h"
#include "store/dump_internal.h"
#include "store/look.h"
#include "store/rejects.h"

struct output {
    int json;
    uint64_t rows;
    struct fn_bytes line;
};

/* Reasons, the commonest first. */
static void print_reasons(const struct fn_dump *d, const uint64_t *rejected)
{
    uint64_t left[FN_REJECT_COUNT];
    memcpy(left, rejected, sizeof left);
    if (d->common.json) {
        fputs("{\"rejected\": {", stdout);
        const char *comma = "";
        for (int i = 1; i < FN_REJECT_COUNT; i++)
            if (left[i]) {
                printf("%s\"%s\": %" PRIu64, comma, fn_reject_name(i), left[i]);
                comma = ", ";
            }
        fputs("}, \"rows\": [", stdout);
        return;
    }
    printf("%s: %s\n", d->store,
           rejected[0] ? fn_dump_count(rejected[0], "reject") : "no row was rejected");
    for (int best; (best = fn_dump_commonest(left)) != 0; left[best] = 0)
        printf("  %17s  %s\n", fn_dump_number(left[best]), fn_reject_name(best));
    if (rejected[0])
        printf("\n%s", FN_REJECTS_TITLE);
}

/* detail: escaped text. */
static void print_json_row(struct output *out, uint64_t input, uint64_t line, uint64_t offset,
                           const char *reason, const char *detail, size_t bytes)
{
    json_t *json = json_pack("{s:I, s:I, s:I, s:s, s:o}", "input", (json_int_t)input, "line",
                             (json_int_t)line, "offset", (json_int_t)offset, "reason", reason,
                             "detail", json_stringn(detail, bytes));
    fputs(out->rows++ ? ",\n" : "\n", stdout);
    json_dumpf(json, stdout, JSON_SORT_KEYS);
    json_decref(json);
}

static int print_reject(void *context, const struct fn_reject *reject)
{
    struct output *out = context;
    if (!fn_dump_writable())
        return FN_EINTERRUPTED;
    out->line.bytes = 0;
    if (out->json) {
        int rc = fn_escape(&out->line, reject->detail, reject->detail_bytes);
        if (!rc)
            print_json_row(out, reject->input, reject->line, reject->offset,
                           fn_reject_name(reject->reason), (const char *)out->line.data,
                           out->line.bytes);
        return rc;
    }
    int rc = fn_reject_line(&out->line, reject);
    if (!rc)
        fwrite(out->line.data, 1, out->line.bytes, stdout);
    return rc;
}

/* A line of rejects.tsv: four fields, then what is left of it. The detail is escaped already. */
static int print_line(struct output *out, char *line)
{
    char *field[5];
    field[0] = line;
    for (int i = 1; i < 5; i++) {
        char *tab = strchr(field[i - 1], '\t');
        if (!tab)
            return fn_fail(FN_ECORRUPT, "rejects.tsv has a line of %d fields", i);
        *tab = 0;
        field[i] = tab + 1;
    }
    print_json_row(out, strtoull(field[0], NULL, 10), strtoull(field[1], NULL, 10),
                   strtoull(field[2], NULL, 10), field[3], field[4], strlen(field[4]));
    return FN_OK;
}

static int print_sealed(const struct fn_dump *d, const struct fn_manifest *m, struct output *out)
{
    char path[FN_PATH_MAX], digits[33];
    unsigned char *text = NULL;
    size_t bytes = 0;
    int rc = fn_file_read(fn_store_file(path, d->store, "rejects.tsv"), (size_t)m->rejects.bytes,
                          &text, &bytes);
    if (!rc) {
        fn_sum128_text(fn_sum128(text, bytes), digits);
        if (strcmp(digits, m->rejects.checksum) != 0)
            fn_warn("%s is damaged: its checksum is %s, should be %s", path, digits,
                    m->rejects.checksum);
    }
    char *line = rc ? NULL : strchr((char *)text, '\n'); /* behind the title */
    if (line && out->json) {
        for (line++; *line && !rc && fn_dump_writable();) {
            char *end = strchr(line, '\n');
            if (end)
                *end = 0;
            rc = print_line(out, line);
            line = end ? end + 1 : line + strlen(line);
        }
    } else if (line) {
        fwrite(line + 1, 1, bytes - (size_t)(line + 1 - (char *)text), stdout);
    }
    free(text);
    return rc;
}

static int rejects_unsealed(const struct fn_dump *d, struct output *out)
{
    struct fn_look *look = NULL;
    int rc = fn_look_open(&look, d->store);
    if (rc)
        return rc;
    const struct fn_look_info *info = fn_look_get_info(look);
    fn_info("%s is not finished: %s read so far; go on with %s", d->store,
            fn_dump_count(info->counts.rows, "row"), info->command);
    print_reasons(d, info->counts.rejected);
    rc = fn_look_rejects(look, out, print_reject);
    if (rc == FN_EINTERRUPTED)
        rc = FN_OK; /* nobody reads on */
    fn_look_close(&look);
    return rc;
}

int fn_dump_rejects(struct fn_dump *d)
{
    struct fn_store *store = NULL;
    struct output out = {.json = d->common.json};
    int rc;
    if (fn_is_unsealed(d->store)) {
        rc = rejects_unsealed(d, &out);
    } else {
        rc = fn_store_open(&store, d->store);
        if (!rc) {
            print_reasons(d, store->manifest->rejected);
            rc = print_sealed(d, store->manifest, &out);
        }
        fn_store_close(&store);
    }
    if (!rc && out.json)
        fputs("\n]}\n", stdout);
    fn_bytes_free(&out.line);
    return rc;
}

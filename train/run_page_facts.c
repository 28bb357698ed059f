/* SPDX-License-Identifier: MIT */
/* What a run is: its files read, and those of them that are text put on the page. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/run_page_parts.h"

enum { POINTS = 1024, TEXT_LIMIT = 16 << 20 };

/* NULL where there is no such file. */
static int read_text(const struct fn_run_logs *l, const char *name, char **text)
{
    unsigned char *data = NULL;
    size_t bytes;
    char *path = fn_path_join(l->folder, name);
    int rc = path ? FN_OK : FN_ENOMEM;
    if (!rc && fn_is_file(path))
        rc = fn_file_read(path, TEXT_LIMIT, &data, &bytes);
    *text = (char *)data;
    free(path);
    return rc;
}

static int read_table(const struct fn_run_logs *l, const char *name, struct fn_run_table *table)
{
    char *path = fn_path_join(l->folder, name);
    int rc = path ? fn_run_table_read(table, path, POINTS, NULL) : FN_ENOMEM;
    free(path);
    return rc;
}

static void parse_starts(struct fn_run_logs *l)
{
    char *rest = l->starts_text, *line;
    while (rest && (line = strsep(&rest, "\n")) != NULL) {
        struct fn_run_start *s = &l->starts[l->start_count];
        if (*line == '#' || !*line || l->start_count == FN_RUN_STARTS_MAX)
            continue;
        s->step = strtod(strsep(&line, "\t"), NULL);
        for (int i = 0; i < 4; i++) {
            char *field = line ? strsep(&line, "\t") : NULL;
            s->field[i] = field ? field : "";
        }
        if (strcmp(s->field[0], "begun") != 0)
            l->resumed[l->resumed_count++] = s->step;
        l->start_count++;
    }
}

int fn_run_logs_read(struct fn_run_logs *l, const char *folder)
{
    memset(l, 0, sizeof *l);
    l->folder = folder;
    int rc = read_text(l, "arguments.txt", &l->arguments);
    if (!rc && !l->arguments)
        return fn_fail(FN_ENOENT, "%s is not the folder of a run's logs: it has no arguments.txt",
                       folder);
    if (!rc)
        rc = read_text(l, "revision_info.txt", &l->revision);
    if (!rc)
        rc = read_text(l, FN_RUN_STARTS, &l->starts_text);
    if (!rc)
        rc = read_table(l, "steps.tsv", &l->steps);
    if (!rc)
        rc = read_table(l, "validation.tsv", &l->validation);
    if (!rc)
        rc = read_table(l, "epochs.tsv", &l->epochs);
    if (!rc)
        rc = read_table(l, "groups.tsv", &l->groups);
    if (!rc)
        parse_starts(l);
    return rc;
}

void fn_run_logs_free(struct fn_run_logs *l)
{
    fn_run_table_free(&l->steps);
    fn_run_table_free(&l->validation);
    fn_run_table_free(&l->epochs);
    fn_run_table_free(&l->groups);
    free(l->arguments);
    free(l->revision);
    free(l->starts_text);
}

/* The next "name: value" line; 0: no more. Others are passed over. */
static int next_line(const char **text, size_t *name, const char **value, size_t *bytes)
{
    while (*text && **text) {
        const char *line = *text, *colon = strstr(line, ": ");
        size_t length = strcspn(line, "\n");
        *text = line + length + (line[length] == '\n');
        if (!colon || colon >= line + length)
            continue;
        *name = (size_t)(colon - line);
        *value = colon + 2;
        *bytes = length - *name - 2;
        return 1;
    }
    return 0;
}

char *fn_run_logs_value(const char *text, const char *name, char *buf, size_t cap)
{
    const char *value;
    size_t n, bytes;
    *buf = 0;
    while (next_line(&text, &n, &value, &bytes))
        if (strlen(name) == n && memcmp(value - 2 - n, name, n) == 0)
            snprintf(buf, cap, "%.*s", (int)bytes, value);
    return buf;
}

static void put_lines(struct fn_run_logs *l, const char *text)
{
    const char *value;
    size_t n, bytes;
    fn_html_facts(l->html);
    while (next_line(&text, &n, &value, &bytes)) {
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)n, value - 2 - n);
        fn_html_fact(l->html, name, "%.*s", (int)bytes, value);
    }
    fn_html_facts_end(l->html);
}

static void put_starts(struct fn_run_logs *l)
{
    if (!l->start_count)
        return;
    fn_html_put(l->html, "<div class=\"card\">\n<h3>Begun and resumed</h3>\n");
    fn_html_facts(l->html);
    for (size_t i = 0; i < l->start_count; i++) {
        const struct fn_run_start *s = &l->starts[i];
        char name[96], text[32];
        snprintf(name, sizeof name, "%s behind step %s", s->field[0],
                 fn_unit_text(FN_UNIT_COUNT, s->step, 0, text, sizeof text));
        fn_html_fact(l->html, name, "%s, %s: %s", s->field[1], s->field[2], s->field[3]);
    }
    fn_html_facts_end(l->html);
    fn_html_put(l->html, "</div>\n");
}

void fn_run_page_facts(struct fn_run_logs *l)
{
    fn_html_section(l->html, "The run", "What was trained, on what, by which command.");
    if (l->revision) {
        fn_html_put(l->html, "<div class=\"card\">\n");
        put_lines(l, l->revision);
        fn_html_put(l->html, "</div>\n");
    }
    put_starts(l);
    fn_html_put(l->html, "<div class=\"card\">\n<h3>Options</h3>\n<p>All of them, as the run had "
                         "them when it was started last.</p>\n<div class=\"many\">\n");
    put_lines(l, l->arguments);
    fn_html_put(l->html, "</div>\n</div>\n");
    fn_html_section_end(l->html);
}

/* SPDX-License-Identifier: MIT */
/* The page of an evaluation: figures, curves, folds. */
#include "train/eval_page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/eval_page_parts.h"

enum { BINS = 60, FOLDS_SHOWN = 50 };

int fn_eval_accepted(const struct fn_lfw_result *r, size_t pair)
{
    return r->distance[pair] < r->fold[fn_lfw_fold_of(r->pairs, r->folds, pair)].threshold;
}

static const char *distance_name(const struct fn_eval_page *page)
{
    return page->run->options.evaluate.metric ? "angle, as a share of 180 degrees"
                                              : "squared distance";
}

/* ---- head ----------------------------------------------------------------------------------- */
static void put_tiles(struct fn_html *html, const struct fn_eval_page *page)
{
    const struct fn_lfw_result *r = page->result;
    const struct fn_lfw *lfw = page->run->lfw;
    size_t wrong[2] = {0, 0};
    char text[6][32], note[4][80];
    for (size_t p = 0; p < r->pairs; p++)
        if (fn_eval_accepted(r, p) != (lfw->same[p] != 0))
            wrong[lfw->same[p] != 0]++;
    fn_unit_text(FN_UNIT_PERCENT, r->accuracy, 0.0001, text[0], sizeof text[0]);
    snprintf(note[0], sizeof note[0], "\u00b1 %.2f%% over %d folds", 100 * r->accuracy_std,
             r->folds);
    fn_unit_text(FN_UNIT_PERCENT, r->val, 0.0001, text[1], sizeof text[1]);
    snprintf(note[1], sizeof note[1], "of same pairs, at FAR %.5f", r->far);
    if (isnan(r->far))
        snprintf(note[1], sizeof note[1], "does not exist here");
    fn_unit_text(FN_UNIT_NUMBER, r->auc, 0.0001, text[2], sizeof text[2]);
    fn_unit_text(FN_UNIT_PERCENT, r->eer, 0.001, text[3], sizeof text[3]);
    fn_unit_text(FN_UNIT_COUNT, (double)r->pairs, 0, text[4], sizeof text[4]);
    snprintf(note[2], sizeof note[2], "%zu skipped, %zu pictures", lfw->skipped, lfw->images);
    fn_unit_text(FN_UNIT_COUNT, (double)(wrong[0] + wrong[1]), 0, text[5], sizeof text[5]);
    snprintf(note[3], sizeof note[3], "%zu false accepts, %zu false rejects", wrong[0], wrong[1]);
    const struct fn_html_tile tiles[] = {{"accuracy", text[0], note[0]},
                                         {"validation rate", text[1], note[1]},
                                         {"AUC", text[2], "area under the ROC; 1 is perfect"},
                                         {"equal error rate", text[3], "FAR = false reject rate"},
                                         {"pairs", text[4], note[2]},
                                         {"wrong", text[5], note[3]}};
    fn_html_tiles(html, tiles, sizeof tiles / sizeof *tiles);
}

/* ---- curves --------------------------------------------------------------------------------- */
static int put_roc(struct fn_html *html, const struct fn_eval_page *page)
{
    static const double ends[] = {0, 1}, target = FN_LFW_FAR;
    const struct fn_lfw *lfw = page->run->lfw;
    const struct fn_mark mark = {"FAR 0.001", 0, &target, 1};
    double *far = malloc(2 * FN_ROC_POINTS * sizeof *far), *tar;
    size_t n_same, n_diff, n;
    if (!far)
        return fn_fail(FN_ENOMEM, "no memory for the ROC curve");
    tar = far + FN_ROC_POINTS;
    n = fn_eval_roc(page->result->distance, lfw->same, lfw->pairs, far, tar, &n_same, &n_diff);
    if (!n) {
        free(far);
        return fn_fail(FN_ENOMEM, "no memory for the ROC curve");
    }
    const struct fn_series curves[] = {{"this network", FN_LOOK_STEP, far, tar, NULL, NULL, n},
                                       {"chance", FN_LOOK_LINE, ends, ends, NULL, NULL, 2}};
    /* Without its beginning in the corner, which is nowhere on a logarithmic axis. */
    const struct fn_series low = {"this network", FN_LOOK_STEP, far + 1, tar + 1,
                                  NULL,           NULL,         n - 1};
    struct fn_chart chart = {
        .title = "ROC",
        .text = "Every threshold is a point: how many same pairs it accepts, for how many "
                "different ones. The nearer the curve comes to the upper left corner, the better.",
        .x = {"different pairs accepted (FAR)", .unit = FN_UNIT_PERCENT, .min = 0, .max = 1},
        .y = {"same pairs accepted", .unit = FN_UNIT_PERCENT, .min = 0, .max = 1},
        .series = curves,
        .count = 2};
    if (n > 1 && n_same && n_diff) {
        fn_chart_curves(html, &chart);
        chart.title = "ROC, where it matters";
        chart.text = "The same with the false accept rate in powers of ten: a door that opens to "
                     "one stranger in a thousand is another one than a door that opens to one in a "
                     "hundred.";
        chart.x.scale = FN_SCALE_LOG;
        chart.x.min = pow(10, floor(log10(1 / (double)n_diff)));
        chart.y.min = chart.y.max = 0;
        chart.series = &low;
        chart.count = 1;
        chart.marks = &mark;
        chart.mark_count = 1;
        fn_chart_curves(html, &chart);
    }
    free(far);
    return FN_OK;
}

static void put_distances(struct fn_html *html, const struct fn_eval_page *page)
{
    const struct fn_lfw *lfw = page->run->lfw;
    const struct fn_lfw_result *r = page->result;
    const struct fn_mark mark = {"threshold", 0, &r->threshold, 1};
    double edge[BINS + 1], share[2][BINS + 1] = {{0}}, count[2] = {0, 0};
    double top = r->distance_max > 0 ? r->distance_max * (1 + 1e-9) : 1;
    for (int i = 0; i <= BINS; i++)
        edge[i] = top * i / BINS;
    for (size_t p = 0; p < r->pairs; p++) {
        int bin = (int)(r->distance[p] / top * BINS), same = lfw->same[p] != 0;
        share[same][bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin]++;
        count[same]++;
    }
    for (int same = 0; same < 2; same++)
        for (int i = 0; i < BINS && count[same] > 0; i++)
            share[same][i] /= count[same];
    const struct fn_series series[] = {
        {"same person", FN_LOOK_AREA, edge, share[1], NULL, NULL, BINS + 1},
        {"different people", FN_LOOK_AREA, edge, share[0], NULL, NULL, BINS + 1}};
    const struct fn_chart chart = {
        .title = "Distances",
        .text = "How far apart the two pictures of a pair are. The threshold has to tell the two "
                "hills from each other: what lies on its wrong side is an error.",
        .x = {distance_name(page), .tight = 1},
        .y = {"share of the pairs of a kind", .unit = FN_UNIT_PERCENT, .zero = 1},
        .series = series,
        .count = 2,
        .marks = &mark,
        .mark_count = 1};
    fn_chart_curves(html, &chart);
}

static int put_folds(struct fn_html *html, const struct fn_eval_page *page)
{
    static const char *const columns[] = {"#fold", "#accuracy", "#threshold", "#VAL", "#at FAR"};
    const struct fn_lfw_result *r = page->result;
    size_t n = (size_t)r->folds;
    double *x = malloc(2 * n * sizeof *x), *y = x ? x + n : NULL;
    if (!x)
        return fn_fail(FN_ENOMEM, "no memory for %zu folds", n);
    for (size_t i = 0; i < n; i++) {
        x[i] = (double)i + 1;
        y[i] = r->fold[i].accuracy;
    }
    const struct fn_series series = {"a fold", FN_LOOK_DOTS, x, y, NULL, NULL, n};
    const struct fn_mark mark = {"mean", 1, &r->accuracy, 1};
    const struct fn_chart chart = {
        .title = "Accuracy by fold",
        .text = "Each tenth (or other part) of the pairs, judged by the threshold that is best for "
                "the others.",
        .x = {"fold", .unit = FN_UNIT_COUNT, .min = 0.5, .max = (double)n + 0.5},
        .y = {"accuracy", .unit = FN_UNIT_PERCENT},
        .series = &series,
        .count = 1,
        .marks = &mark,
        .mark_count = 1};
    fn_chart_curves(html, &chart);
    fn_html_grid_end(html);
    fn_html_put(html, "<div class=\"card\"><h3>Folds</h3>\n");
    fn_html_table(html, NULL, columns, 5);
    for (size_t i = 0; i < n && i < FOLDS_SHOWN; i++) {
        const struct fn_lfw_fold *f = &r->fold[i];
        char text[3][32];
        fn_html_cell(html, "%zu", i + 1);
        fn_html_cell(html, "%s",
                     fn_unit_text(FN_UNIT_PERCENT, f->accuracy, 0, text[0], sizeof text[0]));
        fn_html_cell(html, "%.3f", f->threshold);
        fn_html_cell(html, "%s", fn_unit_text(FN_UNIT_PERCENT, f->val, 0, text[1], sizeof text[1]));
        fn_html_cell(html, "%s", fn_unit_text(FN_UNIT_PERCENT, f->far, 0, text[2], sizeof text[2]));
    }
    fn_html_table_end(html);
    fn_html_put(html, "</div>\n");
    free(x);
    return FN_OK;
}

static int put_curves(struct fn_html *html, const struct fn_eval_page *page)
{
    fn_html_section(html, "Curves",
                    "A pair is two pictures; it is accepted, as one person, where the distance of "
                    "their embeddings is below a threshold.");
    fn_html_grid(html, 2);
    int rc = put_roc(html, page);
    if (!rc) {
        put_distances(html, page);
        rc = put_folds(html, page);
    }
    fn_html_section_end(html);
    return rc;
}

static void put_facts(struct fn_html *html, const struct fn_eval_page *page)
{
    const struct fn_lfw_run_options *o = &page->run->options;
    fn_html_section(html, "How it was measured", NULL);
    fn_html_put(html, "<div class=\"card\">\n");
    fn_html_facts(html);
    fn_html_fact(html, "model", "%s", page->model);
    fn_html_fact(html, "pictures", "%s", page->pictures);
    fn_html_fact(html, "pairs", "%s", page->pairs);
    fn_html_fact(html, "distance", "%s%s", distance_name(page),
                 o->evaluate.subtract_mean ? ", mean of the other folds subtracted" : "");
    fn_html_fact(html, "images", "%d x %d%s", o->image_size, o->image_size,
                 page->flip ? ", each with its mirror image" : "");
    fn_html_fact(html, "device", "%s", page->device);
    fn_html_fact(html, "command", "%s", page->command);
    if (*page->result->note)
        fn_html_fact(html, "note", "%s", page->result->note);
    fn_html_facts_end(html);
    fn_html_put(html, "</div>\n");
    fn_html_section_end(html);
}

int fn_eval_page(const struct fn_eval_page *page, const char *path)
{
    struct fn_html *html = NULL;
    int rc = fn_html_open(&html, path, "Evaluation", page->model,
                          "Can this network tell whether two pictures are of one person? Measured "
                          "on pairs, as the LFW protocol does.");
    if (!rc) {
        put_tiles(html, page);
        rc = put_curves(html, page);
    }
    if (!rc)
        rc = fn_eval_page_pairs(html, page);
    if (!rc) {
        put_facts(html, page);
        rc = fn_html_commit(html, "fn-eval");
    }
    fn_html_close(&html);
    return rc;
}

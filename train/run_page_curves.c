/* SPDX-License-Identifier: MIT */
/* The curves of a run, and the figures above them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "train/run_page_parts.h"

/* ---- series --------------------------------------------------------------------------------- */
/* One column of a table as a series; x: another column of it. Empty where there is none. */
static struct fn_series series_of(const struct fn_run_table *t, const char *x, const char *y,
                                  const char *name, enum fn_look look)
{
    const struct fn_run_column *cx = fn_run_table_column(t, x), *cy = fn_run_table_column(t, y);
    struct fn_series s = {.name = name, .look = look};
    if (!cx || !cy)
        return s;
    s.x = cx->mean;
    s.y = cy->mean;
    s.count = t->points;
    if (t->rows > t->points) {
        s.low = cy->low;
        s.high = cy->high;
    }
    return s;
}

static int any(const struct fn_series *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (isfinite(s->y[i]))
            return 1;
    return 0;
}

/* A part of the loss that has no weight is zero all along: nothing to look at. */
static int any_but_zero(const struct fn_series *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (isfinite(s->y[i]) && s->y[i] != 0)
            return 1;
    return 0;
}

/* A chart over steps or epochs, with the places where the run was resumed. Series without a value
 * are left out; so is a chart without any. */
static void put_curves(struct fn_run_logs *l, struct fn_chart chart, const struct fn_series *all,
                       size_t count)
{
    const struct fn_mark mark = {"resumed", 0, l->resumed, l->resumed_count};
    struct fn_series shown[FN_SERIES_MAX];
    for (size_t i = 0; i < count; i++)
        if (any(&all[i]))
            shown[chart.count++] = all[i];
    chart.series = shown;
    if (strcmp(chart.x.title, "step") == 0 && l->resumed_count) {
        chart.marks = &mark;
        chart.mark_count = 1;
    }
    fn_chart_curves(l->html, &chart);
}

static struct fn_axis steps_axis(void)
{
    return (struct fn_axis){.title = "step", .unit = FN_UNIT_COUNT, .tight = 1};
}

static struct fn_axis epochs_axis(void)
{
    return (struct fn_axis){.title = "epoch", .unit = FN_UNIT_COUNT, .tight = 1};
}

static double number_of(const struct fn_run_logs *l, const char *name)
{
    char text[64];
    return strtod(fn_run_logs_value(l->arguments, name, text, sizeof text), NULL);
}

/* The step at which each epoch of a validation ended, malloc'd; softmax counts epochs from 1. */
static double *steps_of_epochs(const struct fn_run_logs *l)
{
    const struct fn_run_column *epoch = fn_run_table_column(&l->validation, "epoch");
    const struct fn_run_column *step = fn_run_table_column(&l->steps, "step");
    double size = number_of(l, "epoch_size");
    double *x = epoch && step ? malloc(l->validation.points * sizeof *x) : NULL;
    for (size_t i = 0; x && i < l->validation.points; i++)
        x[i] = fmin(epoch->mean[i] * size, step->last);
    return x;
}

/* ---- learning ------------------------------------------------------------------------------- */
static struct fn_series validation_of(const struct fn_run_logs *l, const double *x,
                                      const char *column, const char *name)
{
    struct fn_series s = series_of(&l->validation, "epoch", column, name, FN_LOOK_LINE);
    s.low = s.high = NULL;
    s.x = x;
    s.count = x ? s.count : 0;
    return s;
}

static void put_softmax(struct fn_run_logs *l, const double *x)
{
    const struct fn_series loss[] = {
        series_of(&l->steps, "step", "loss", "training", FN_LOOK_SMOOTH),
        validation_of(l, x, "val_loss", "validation")};
    const struct fn_series accuracy[] = {
        series_of(&l->steps, "step", "accuracy", "training", FN_LOOK_SMOOTH),
        validation_of(l, x, "val_accuracy", "validation")};
    const struct fn_series parts[] = {
        series_of(&l->steps, "step", "xent_loss", "cross-entropy", FN_LOOK_SMOOTH),
        series_of(&l->steps, "step", "reg_loss", "regularization", FN_LOOK_SMOOTH)};
    const struct fn_series center =
        series_of(&l->steps, "step", "center_loss", "center loss", FN_LOOK_SMOOTH);
    const struct fn_series norm =
        series_of(&l->steps, "step", "prelogits_norm", "prelogits norm", FN_LOOK_SMOOTH);
    struct fn_chart chart = {.title = "Loss",
                             .text = "What training minimizes, batch by batch: faint as measured, "
                                     "bold its moving average. Lower is better.",
                             .x = steps_axis(),
                             .y = {"loss", .zero = 1}};
    put_curves(l, chart, loss, 2);
    chart.title = "Accuracy";
    chart.text = "The share of pictures whose class the network names. Validation pictures were "
                 "never trained on; where training goes on alone, it learns by heart.";
    chart.y = (struct fn_axis){"accuracy", .unit = FN_UNIT_PERCENT, .min = 0, .max = 1};
    put_curves(l, chart, accuracy, 2);
    if (any_but_zero(&parts[1])) { /* else the loss is the cross-entropy */
        chart.title = "Parts of the loss";
        chart.text = "Cross-entropy, and what keeps weights and embeddings small.";
        chart.y = (struct fn_axis){"loss", .zero = 1};
        put_curves(l, chart, parts, 2);
    }
    if (number_of(l, "center_loss_factor") > 0) {
        chart.title = "Center loss";
        chart.text = "How far embeddings are from the center of their class, without its factor.";
        put_curves(l, chart, &center, 1);
    }
    if (number_of(l, "prelogits_norm_loss_factor") > 0) {
        chart.title = "Prelogits norm";
        chart.text = "How long embeddings are before they are normalized, without its factor.";
        put_curves(l, chart, &norm, 1);
    }
}

/* Selection before training embeds groups of people, whose figures are a table of their own. */
static void put_groups(struct fn_run_logs *l, struct fn_chart chart)
{
    const struct fn_series active[] = {
        series_of(&l->groups, "step", "active", "of the pairs of a group", FN_LOOK_LINE),
        series_of(&l->steps, "step", "active", "of the triplets of a batch", FN_LOOK_SMOOTH)};
    const struct fn_series found[] = {
        series_of(&l->groups, "step", "nrof_triplets", "triplets found", FN_LOOK_LINE),
        series_of(&l->groups, "step", "nrof_random_negs", "pairs looked at", FN_LOOK_LINE)};
    chart.title = "Active triplets";
    chart.text = "How many pairs of one person still have a stranger nearer than the margin "
                 "allows: when a group is searched, and when its triplets are trained on. Falls "
                 "as the network learns.";
    chart.y = (struct fn_axis){"share", .unit = FN_UNIT_PERCENT, .min = 0, .max = 1};
    put_curves(l, chart, active, 2);
    chart.title = "Triplets of a group";
    chart.text = "Pairs of one person in a group, and those for which a stranger near enough was "
                 "found. The fewer, the harder they are to find.";
    chart.y = (struct fn_axis){"pairs", .unit = FN_UNIT_COUNT, .zero = 1};
    put_curves(l, chart, found, 2);
}

static void put_triplets(struct fn_run_logs *l)
{
    const int online = l->groups.points == 0;
    const struct fn_series loss = series_of(&l->steps, "step", "loss", "training", FN_LOOK_SMOOTH);
    const struct fn_series part =
        series_of(&l->steps, "step", "reg_loss", "regularization", FN_LOOK_SMOOTH);
    const struct fn_series active =
        series_of(&l->steps, "step", "active", "active triplets", FN_LOOK_SMOOTH);
    const struct fn_series distance =
        series_of(online ? &l->steps : &l->groups, "step", "mean_distance", "mean distance",
                  online ? FN_LOOK_SMOOTH : FN_LOOK_LINE);
    struct fn_chart chart = {.title = "Loss",
                             .text = "What training minimizes, batch by batch: faint as measured, "
                                     "bold its moving average. Lower is better.",
                             .x = steps_axis(),
                             .y = {"loss", .zero = 1}};
    put_curves(l, chart, &loss, 1);
    if (online) {
        chart.title = "Active triplets";
        chart.text = "How many of a batch's triplets still have a stranger nearer than the margin "
                     "allows. Falls as the network learns; at zero a batch teaches nothing.";
        chart.y = (struct fn_axis){"share", .unit = FN_UNIT_PERCENT, .min = 0, .max = 1};
        put_curves(l, chart, &active, 1);
    } else {
        put_groups(l, chart);
    }
    chart.title = "Mean distance";
    chart.text = "Mean squared distance between embeddings. 2 is sound: they point everywhere. "
                 "Near 0 they fold into one point, and nothing is learnt any more.";
    chart.y = (struct fn_axis){"squared distance", .min = 0, .max = 2.5};
    put_curves(l, chart, &distance, 1);
    chart.title = "Regularization";
    chart.text = "What keeps the weights small, as part of the loss.";
    chart.y = (struct fn_axis){"loss", .zero = 1};
    if (any_but_zero(&part))
        put_curves(l, chart, &part, 1);
}

static void put_rate(struct fn_run_logs *l)
{
    const struct fn_series rate =
        series_of(&l->steps, "step", "learning_rate", "learning rate", FN_LOOK_STEP);
    const struct fn_chart chart = {.title = "Learning rate",
                                   .text = "How far each step goes.",
                                   .x = steps_axis(),
                                   .y = {"learning rate", .scale = FN_SCALE_LOG}};
    struct fn_series alone = rate;
    alone.low = alone.high = NULL;
    put_curves(l, chart, &alone, 1);
}

static void put_lfw(struct fn_run_logs *l)
{
    const struct fn_series lfw[] = {
        series_of(&l->epochs, "epoch", "lfw_accuracy", "accuracy", FN_LOOK_LINE),
        series_of(&l->epochs, "epoch", "lfw_valrate", "VAL at FAR 0.001", FN_LOOK_LINE)};
    struct fn_chart chart = {
        .title = "Same person or not (LFW)",
        .text = "Are two pictures of one person? People the network has never seen. Accuracy: the "
                "share of right answers; VAL: the share of same pairs accepted when one in a "
                "thousand different pairs is. Higher is better.",
        .x = epochs_axis(),
        .y = {"share", .unit = FN_UNIT_PERCENT, .zero = 1}};
    put_curves(l, chart, lfw, 2);
}

void fn_run_page_learning(struct fn_run_logs *l)
{
    const int softmax = fn_run_table_column(&l->steps, "xent_loss") != NULL;
    double *x = steps_of_epochs(l);
    char text[240];
    if (!l->steps.points)
        return;
    snprintf(text, sizeof text,
             "Steps are batches, counted from the run's beginning; %.0f of them are an epoch.%s%s",
             number_of(l, "epoch_size"), softmax ? "" : " Epochs begin at 0 here.",
             l->groups.points ? " A group whose triplets last longer passes numbers over." : "");
    fn_html_section(l->html, "Learning", text);
    fn_html_grid(l->html, 2);
    if (softmax)
        put_softmax(l, x);
    else
        put_triplets(l);
    put_lfw(l);
    put_rate(l);
    fn_html_grid_end(l->html);
    fn_html_section_end(l->html);
    free(x);
}

/* ---- speed ---------------------------------------------------------------------------------- */
static double sum_of(const struct fn_run_table *t, const char *name)
{
    const struct fn_run_column *c = fn_run_table_column(t, name);
    double sum = 0;
    for (size_t i = 0; c && i < t->points; i++)
        sum += isfinite(c->mean[i]) ? c->mean[i] * ((double)t->rows / (double)t->points) : 0;
    return sum;
}

static void put_times(struct fn_run_logs *l)
{
    static const struct {
        const char *column, *name;
    } parts[] = {{"time_train", "training"},
                 {"time_validate", "validation"},
                 {"time_evaluate", "evaluation on LFW"}};
    struct fn_bar bars[3];
    char text[160], total[32];
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < 3; i++) {
        double seconds = sum_of(&l->epochs, parts[i].column);
        if (i == 0 || seconds > 0) /* what the run has not done is no row */
            bars[count++] = (struct fn_bar){parts[i].name, seconds};
        sum += seconds;
    }
    snprintf(text, sizeof text, "Seconds of all finished epochs, %s together.",
             fn_human_time(sum, total, sizeof total));
    const struct fn_bars chart = {"Where the time went", text, "work", "seconds",
                                  FN_UNIT_NUMBER,        bars, count};
    fn_chart_bars(l->html, &chart);
}

void fn_run_page_speed(struct fn_run_logs *l)
{
    const struct fn_series speed =
        series_of(&l->epochs, "epoch", "images_per_second", "images/s", FN_LOOK_LINE);
    const struct fn_series waits[] = {
        series_of(&l->epochs, "epoch", "data_wait", "for the loader", FN_LOOK_LINE),
        series_of(&l->epochs, "epoch", "host_wait", "for the host", FN_LOOK_LINE)};
    struct fn_chart chart = {.title = "Images a second",
                             .text = "While training, the mean of an epoch.",
                             .x = epochs_axis(),
                             .y = {"images/s", .zero = 1}};
    if (!l->epochs.points)
        return;
    fn_html_section(l->html, "Speed", NULL);
    fn_html_grid(l->html, 2);
    put_curves(l, chart, &speed, 1);
    chart.title = "Waiting";
    chart.text = "The share of a step that goes by waiting for the loader: above a few percent, "
                 "more loader threads (--nrof_preprocess_threads) help. On a GPU also the share in "
                 "which it waits for the host for other reasons: a larger batch helps.";
    chart.y = (struct fn_axis){"share", .unit = FN_UNIT_PERCENT, .zero = 1};
    put_curves(l, chart, waits, 2);
    put_times(l);
    fn_html_grid_end(l->html);
    fn_html_section_end(l->html);
}

/* ---- tiles ---------------------------------------------------------------------------------- */
struct tile_text {
    char value[48], note[64];
};

static void add(struct fn_html_tile *tiles, size_t *count, const char *name, struct tile_text *t)
{
    tiles[(*count)++] = (struct fn_html_tile){name, t->value, *t->note ? t->note : NULL};
}

/* The highest value of a column and the key it stands at; NAN: none. */
static double best_of(const struct fn_run_table *t, const char *name, double *key)
{
    const struct fn_run_column *c = fn_run_table_column(t, name);
    double best = NAN;
    for (size_t i = 0; c && i < t->points; i++)
        if (isfinite(c->high[i]) && !(c->high[i] <= best)) {
            best = c->high[i];
            *key = t->column[0].mean[i];
        }
    return best;
}

static void percent_tile(const struct fn_run_table *t, const char *column, const char *name,
                         struct fn_html_tile *tiles, size_t *count, struct tile_text *text)
{
    double epoch = 0, best = best_of(t, column, &epoch);
    if (isnan(best))
        return;
    fn_unit_text(FN_UNIT_PERCENT, best, 0.001, text->value, sizeof text->value);
    snprintf(text->note, sizeof text->note, "best, at epoch %.0f", epoch);
    add(tiles, count, name, text);
}

/* Of the last epoch that has one: a run that goes on behind an epoch's last step measures none. */
static double last_known(const struct fn_run_table *t, const struct fn_run_column *c)
{
    size_t i = t->points;
    if (isfinite(c->last))
        return c->last;
    while (i && !isfinite(c->mean[i - 1]))
        i--;
    return i ? c->mean[i - 1] : NAN;
}

static void speed_tile(const struct fn_run_table *epochs, struct fn_html_tile *tiles, size_t *count,
                       struct tile_text *text)
{
    const struct fn_run_column *speed = fn_run_table_column(epochs, "images_per_second");
    const struct fn_run_column *wait = fn_run_table_column(epochs, "data_wait");
    double value = speed ? last_known(epochs, speed) : NAN;
    if (isnan(value))
        return;
    fn_unit_text(FN_UNIT_NUMBER, value, value < 100 ? 0.1 : 1, text->value, sizeof text->value);
    if (wait && isfinite(last_known(epochs, wait)))
        snprintf(text->note, sizeof text->note, "%.1f%% waiting for data",
                 100 * last_known(epochs, wait));
    add(tiles, count, "images a second", text);
}

void fn_run_page_tiles(struct fn_run_logs *l)
{
    struct fn_html_tile tiles[8];
    struct tile_text text[8];
    size_t n = 0;
    const struct fn_run_column *step = fn_run_table_column(&l->steps, "step");
    const struct fn_run_column *loss = fn_run_table_column(&l->steps, "loss");
    const double epoch_size = number_of(l, "epoch_size");
    memset(text, 0, sizeof text);
    if (!step || !loss)
        return;
    fn_unit_text(FN_UNIT_COUNT, step->last, 0, text[n].value, sizeof text[n].value);
    if (epoch_size > 0)
        snprintf(text[n].note, sizeof text[n].note, "%.4g of %.0f epochs", step->last / epoch_size,
                 number_of(l, "max_nrof_epochs"));
    add(tiles, &n, "steps", &text[n]);
    fn_unit_text(FN_UNIT_NUMBER, loss->last, 0, text[n].value, sizeof text[n].value);
    if (loss->bad)
        snprintf(text[n].note, sizeof text[n].note, "%zu step%s not finite", loss->bad,
                 loss->bad == 1 ? "" : "s");
    else
        snprintf(text[n].note, sizeof text[n].note, "of the last batch");
    add(tiles, &n, "loss", &text[n]);
    percent_tile(&l->validation, "val_accuracy", "validation accuracy", tiles, &n, &text[n]);
    percent_tile(&l->epochs, "lfw_accuracy", "LFW accuracy", tiles, &n, &text[n]);
    percent_tile(&l->epochs, "lfw_valrate", "LFW VAL", tiles, &n, &text[n]);
    speed_tile(&l->epochs, tiles, &n, &text[n]);
    fn_html_tiles(l->html, tiles, n);
}

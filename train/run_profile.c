/* SPDX-License-Identifier: MIT */
/* A few steps, timed whole, then operation by operation. */
#include "train/run_profile.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "train/run_parts.h"

enum { STEPS = 3 };

/* What is known of the work of one kind, or of one layer in one direction. */
struct work {
    double seconds, flops, bytes; /* a step */
};

struct figures {
    int steps;
    double step_s, wait_s, processor_s; /* a step, without the profile */
    struct work kind[FN_PROFILE_COUNT];
    struct work (*layer)[2]; /* [node_count]: forward, backward */
    uint64_t planned, used;  /* bytes of memory; used: 0 where that is not known, as on a GPU */
    size_t nodes;            /* of a recorded step; 0: steps are not recorded */
};

static double processor_s(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           1e-6 * (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

/* ---- what every layer has to do ---- */
static double elements(const struct fn_run *r, int buffer, int channels)
{
    const struct fn_buffer *b = &r->net->buffers[buffer];
    return (double)r->o->batch_size * b->h * b->w * channels;
}

/* Operations and bytes of a node's rows of the profile. */
static void node_work(const struct fn_run *r, const struct fn_node *node, struct work *kind)
{
    const double scalar = (double)r->be->info(r->dev)->scalar_bytes;
    const double x = elements(r, node->in.buffer, node->in.c) * scalar;
    const double y = elements(r, node->out.buffer, node->out.c) * scalar;
    const double w = node->weight < 0 ? 0 : (double)r->net->params[node->weight].count;
    const double macs = elements(r, node->out.buffer, 1) * w;
    const int first = node->in.buffer == 0; /* no gradient of the image */
    switch (node->kind) {
    case FN_NODE_CONV:
    case FN_NODE_UP:
        kind[FN_PROFILE_CONV_FORWARD] = (struct work){0, 2 * macs, x + y + w * scalar};
        kind[FN_PROFILE_CONV_BACKWARD] =
            (struct work){0, (first ? 2 : 4) * macs, (first ? 1 : 2) * (x + y + w * scalar)};
        if (node->kind == FN_NODE_UP) /* x, branch -> z; dz, z -> dx, branch */
            kind[FN_PROFILE_RESIDUAL] = (struct work){0, 0, 7 * y};
        else { /* y -> z; dz, y -> dy */
            kind[FN_PROFILE_BN_FORWARD] = (struct work){0, 0, 2 * y};
            kind[FN_PROFILE_BN_BACKWARD] = (struct work){0, 0, 3 * y};
        }
        break;
    case FN_NODE_FC:
        kind[FN_PROFILE_FC] = (struct work){0, 6 * macs, 3 * (x + y + w * 4)};
        break;
    case FN_NODE_MAXPOOL:
    case FN_NODE_AVGPOOL:
        kind[FN_PROFILE_POOL] = (struct work){0, 0, 2 * (x + y)};
        break;
    default: /* dropout */
        kind[FN_PROFILE_FC] = (struct work){0, 0, 4 * y};
    }
}

static void add(struct work *sum, const struct work *w)
{
    sum->seconds += w->seconds;
    sum->flops += w->flops;
    sum->bytes += w->bytes;
}

/* Which way a row of a node's profile goes; pools and residuals run both. */
static int is_backward(int row)
{
    return row == FN_PROFILE_CONV_BACKWARD || row == FN_PROFILE_BN_BACKWARD;
}

static void count_work(const struct fn_run *r, const struct fn_profile *p, struct figures *f)
{
    for (int i = 0; i < FN_PROFILE_COUNT; i++)
        f->kind[i].seconds = p->seconds[i] / f->steps;
    for (size_t n = 0; n < r->net->node_count; n++) {
        struct work kind[FN_PROFILE_COUNT] = {{0, 0, 0}};
        node_work(r, &r->net->nodes[n], kind);
        for (int i = 0; i < FN_PROFILE_COUNT; i++) {
            f->kind[i].flops += kind[i].flops;
            f->kind[i].bytes += kind[i].bytes;
            kind[i].seconds = p->node_seconds[n][i] / f->steps;
            add(&f->layer[n][is_backward(i)], &kind[i]);
        }
    }
    if (r->net->logits_weight >= 0) {
        double w = (double)r->net->params[r->net->logits_weight].count;
        f->kind[FN_PROFILE_FC].flops += 6 * w * (double)r->o->batch_size;
        f->kind[FN_PROFILE_FC].bytes += 3 * w * 4;
    }
    /* Read w, gradient and slot, write w and slot; read w and average, write it; finite or not. */
    f->kind[FN_PROFILE_UPDATE].bytes =
        (double)r->model->params.trained * 4 * (r->model->options.ema ? 9 : 6);
    f->kind[FN_PROFILE_INPUT].bytes =
        elements(r, 0, 3) * (1 + (double)r->be->info(r->dev)->scalar_bytes);
}

/* ---- steps ---- */
static int one_step(struct fn_run *r, uint64_t number, double *wait_s)
{
    size_t n = (size_t)r->o->batch_size;
    size_t bytes = n * (size_t)r->o->image_size * (size_t)r->o->image_size * 3;
    const struct fn_step step = {(uint64_t)r->o->seed, number, 1e-3, number + 1, 0};
    double losses[FN_LOSS_COUNT], from = fn_now();
    const uint8_t *images;
    const int32_t *labels;
    struct fn_batch b;
    int rc = fn_loader_next(r->train_ring.loader, &b);
    *wait_s += fn_now() - from;
    if (!rc)
        rc = r->be->batch_upload(r->dev, b.slot, b.images, bytes, b.labels, n, &images, &labels);
    if (!rc)
        rc = r->be->batch_use(r->dev, b.slot);
    if (!rc)
        rc = fn_step_train(r->train, &step, images, labels, &r->step);
    if (!rc)
        rc = r->be->losses_post(r->dev, 0);
    if (!rc)
        rc = r->be->losses_wait(r->dev, 0, losses);
    if (!rc)
        rc = r->be->batch_release(r->dev, b.slot, 1);
    if (!rc)
        fn_loader_release(r->train_ring.loader, b.slot);
    return !rc && fn_interrupted() ? fn_fail(FN_EINTERRUPTED, "interrupted") : rc;
}

static int measure(struct fn_run *r, struct figures *f)
{
    struct fn_profile p = {.node = -1};
    const struct fn_loader_job job = {.order = fn_run_order(r),
                                      .augment = {(int)r->o->image_size, r->o->random_crop,
                                                  r->o->random_flip, r->o->random_rotate,
                                                  (uint64_t)r->o->seed}};
    struct rusage usage;
    double from = 0, cpu = 0, warm_wait = 0;
    int rc = fn_loader_start(r->train_ring.loader, &job);
    f->layer = calloc(r->net->node_count, sizeof *f->layer);
    p.node_seconds = calloc(r->net->node_count, sizeof *p.node_seconds);
    if (!rc && (!f->layer || !p.node_seconds))
        rc = fn_fail(FN_ENOMEM, "no memory for a profile");
    for (int i = -1; i < f->steps && !rc; i++) {
        if (i == 0) {
            from = fn_now();
            cpu = processor_s();
        }
        rc = one_step(r, (uint64_t)(i + 1), i < 0 ? &warm_wait : &f->wait_s);
    }
    f->step_s = (fn_now() - from) / f->steps;
    f->processor_s = (processor_s() - cpu) / f->steps;
    f->wait_s /= f->steps;
    f->nodes = fn_exec_recorded(r->train);
    fn_exec_profile(r->train, &p);
    for (int i = 0; i < f->steps && !rc; i++)
        rc = one_step(r, (uint64_t)(f->steps + 1 + i), &warm_wait);
    fn_exec_profile(r->train, NULL);
    if (!rc)
        count_work(r, &p, f);
    getrusage(RUSAGE_SELF, &usage);
    f->used = strcmp(r->be->name, "cuda") ? (uint64_t)usage.ru_maxrss * 1024 : 0;
    f->planned = r->model->planned_bytes;
    free(p.node_seconds);
    return rc;
}

/* ---- printing ---- */
static double all_seconds(const struct figures *f)
{
    double sum = 0;
    for (int i = 0; i < FN_PROFILE_COUNT; i++)
        sum += f->kind[i].seconds;
    return sum;
}

static void print_row(FILE *out, const char *name, const struct work *w, double all)
{
    double s = w->seconds > 0 ? w->seconds : 1e-12;
    fprintf(out, "%-34s %9.2f %6.1f %9.1f %9.1f %8.1f\n", name, 1e3 * w->seconds,
            100 * w->seconds / all, w->flops / s * 1e-9, w->bytes * 1e-6, w->bytes / s * 1e-9);
}

static void print_tables(FILE *out, const struct fn_run *r, const struct figures *f)
{
    static const char *const ways[] = {"", " (backward)"};
    const double all = all_seconds(f), n = (double)r->o->batch_size;
    char planned[32], used[48] = "", name[FN_NET_NAME + 16];
    fn_human_bytes((double)f->planned, planned, sizeof planned);
    if (f->used)
        snprintf(used, sizeof used, ", %s used", fn_human_bytes((double)f->used, name, 32));
    fprintf(out, "batches of %.0f: %.1f ms a step, %.2f images/s, %.2f a processor second\n", n,
            1e3 * f->step_s, n / f->step_s, n / f->processor_s);
    if (f->nodes)
        fprintf(out, "a step is one graph of %zu nodes\n", f->nodes);
    fprintf(out, "waiting for the loader %.2f %%, %.2f processors busy; %s planned%s\n\n",
            100 * f->wait_s / f->step_s, f->processor_s / f->step_s, planned, used);
    fprintf(out, "%-34s %9s %6s %9s %9s %8s\n", "kind of operation", "ms", "%", "GFLOP/s", "MB",
            "GB/s");
    for (int i = 0; i < FN_PROFILE_COUNT; i++)
        print_row(out, fn_profile_name(i), &f->kind[i], all);
    fprintf(out, "%-34s %9.2f\n\n", "all", 1e3 * all);
    fprintf(out, "%-34s %9s %6s %9s %9s %8s\n", "layer", "ms", "%", "GFLOP/s", "MB", "GB/s");
    for (size_t i = 0; i < r->net->node_count; i++)
        for (int way = 0; way < 2; way++) {
            if (f->layer[i][way].seconds <= 0)
                continue;
            snprintf(name, sizeof name, "%s%s", r->net->nodes[i].name, ways[way]);
            print_row(out, name, &f->layer[i][way], all);
        }
}

static json_t *row_json(const char *name, const struct work *w)
{
    return json_pack("{s:s, s:f, s:f, s:f}", "name", name, "seconds", w->seconds, "flops", w->flops,
                     "bytes", w->bytes);
}

static int print_json(const struct fn_run *r, const struct figures *f)
{
    json_t *kinds = json_array(), *layers = json_array(), *o;
    int rc, bad = !kinds || !layers;
    for (int i = 0; i < FN_PROFILE_COUNT && !bad; i++)
        bad = json_array_append_new(kinds, row_json(fn_profile_name(i), &f->kind[i]));
    for (size_t i = 0; i < r->net->node_count && !bad; i++) {
        json_t *layer = json_pack("{s:s, s:o, s:o}", "name", r->net->nodes[i].name, "forward",
                                  row_json("forward", &f->layer[i][0]), "backward",
                                  row_json("backward", &f->layer[i][1]));
        bad = json_array_append_new(layers, layer);
    }
    o = json_pack("{s:I, s:i, s:f, s:f, s:f, s:I, s:o, s:I, s:o, s:o}", "batch_size",
                  (json_int_t)r->o->batch_size, "steps", f->steps, "step_seconds", f->step_s,
                  "wait_seconds", f->wait_s, "processor_seconds", f->processor_s, "planned_bytes",
                  (json_int_t)f->planned, "used_bytes",
                  f->used ? json_integer((json_int_t)f->used) : json_null(), "graph_nodes",
                  (json_int_t)f->nodes, "kinds", kinds, "layers", layers);
    rc = o && !bad ? fn_json_print(o) : fn_fail(FN_ENOMEM, "no memory for the profile");
    json_decref(o);
    return rc;
}

int fn_run_profile(const struct fn_train_options *o, FILE *out)
{
    struct figures f = {.steps = o->max_steps ? (int)o->max_steps : STEPS};
    struct fn_run *r;
    int rc = fn_run_open_bare(&r, o);
    if (!rc)
        rc = fn_ring_open(r, &r->train_ring, (int)o->batch_size);
    if (!rc) {
        fn_info("Profiling %d steps and as many again, one operation after the other", f.steps);
        rc = measure(r, &f);
    }
    if (!rc && o->common.json)
        rc = print_json(r, &f);
    else if (!rc)
        print_tables(out, r, &f);
    free(f.layer);
    fn_run_close(&r);
    return rc;
}

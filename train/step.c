/* SPDX-License-Identifier: MIT */
/* Losses and the training step. */
#include "train/step.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "train/exec_parts.h"
#include "train/head.h"

int fn_loss_softmax(struct fn_exec *x, const int32_t *labels, int count,
                    const struct fn_step_options *o, int backward)
{
    const struct fn_model *m = x->model;
    const struct fn_tensor *prelogits = &x->rows[FN_ROWS_PRELOGITS];
    const struct fn_tensor *dx = backward ? &x->rows[FN_ROWS_D_PRELOGITS] : NULL;
    int rc;
    assert(x->options.head == FN_HEAD_SOFTMAX && (!backward || x->options.training));
    rc = fn_head_forward(x, &o->margin);
    if (!rc)
        rc = fn_head_loss(x, labels, count, &o->margin, backward);
    if (!rc && backward)
        rc = fn_head_backward(x, &o->margin);
    if (rc)
        return rc;
    if (m->centers)
        FN_RUN(
            x, FN_PROFILE_LOSS,
            m->be->center_loss(m->dev, prelogits, labels, count, m->centers, o->center_factor, dx));
    FN_RUN(x, FN_PROFILE_LOSS,
           m->be->norm_loss(m->dev, prelogits, count, o->norm_p, o->norm_factor, dx));
    return FN_OK;
}

int fn_loss_triplet(struct fn_exec *x, int count, const struct fn_step_options *o, int backward)
{
    const struct fn_model *m = x->model;
    int rc;
    assert(x->options.head == FN_HEAD_TRIPLET && x->options.training && count % 3 == 0);
    rc = fn_exec_embed(x);
    if (rc)
        return rc;
    FN_RUN(x, FN_PROFILE_LOSS,
           m->be->triplet_loss(m->dev, &x->rows[FN_ROWS_EMBEDDINGS], count, o->alpha,
                               &x->rows[FN_ROWS_D_EMBEDDINGS]));
    if (backward)
        FN_RUN(x, FN_PROFILE_LOSS,
               m->be->l2norm_backward(m->dev, &x->rows[FN_ROWS_PRELOGITS],
                                      &x->rows[FN_ROWS_D_EMBEDDINGS], &x->rows[FN_ROWS_D_PRELOGITS],
                                      0));
    return FN_OK;
}

/* rows: prelogits of the labels. */
static int update(struct fn_exec *x, const struct fn_tensor *rows, const int32_t *labels, int count,
                  const struct fn_step_options *o)
{
    struct fn_model *m = x->model;
    int rc;
    FN_RUN(x, FN_PROFILE_UPDATE, m->be->check_finite(m->dev, m->params.grad, m->params.trained));
    if (o->clip > 0)
        FN_RUN(x, FN_PROFILE_UPDATE, m->be->clip(m->dev, &m->params, o->clip));
    if (labels && m->centers)
        FN_RUN(x, FN_PROFILE_LOSS,
               m->be->center_update(m->dev, rows, labels, count, m->centers, o->center_alfa));
    rc = fn_exec_update_moving(x, o->bn_decay);
    if (rc)
        return rc;
    FN_RUN(x, FN_PROFILE_UPDATE, m->be->update(m->dev, &m->params, &o->update));
    return FN_OK;
}

int fn_step_update(struct fn_exec *x, const int32_t *labels, int count,
                   const struct fn_step_options *o)
{
    return update(x, &x->rows[FN_ROWS_PRELOGITS], labels, count, o);
}

/* From an uploaded batch to the gradients. */
static int gradients(struct fn_exec *x, const uint8_t *images, const int32_t *labels,
                     const struct fn_step_options *o)
{
    int triplet = x->options.head == FN_HEAD_TRIPLET, n = x->options.n;
    int rc = fn_exec_images(x, images, o->per_image, 0);
    if (!rc)
        rc = fn_exec_forward(x, o->keep);
    if (!rc)
        rc = !triplet    ? fn_loss_softmax(x, labels, n, o, 1)
             : o->online ? fn_loss_online(x, o->online, o->alpha, 1)
                         : fn_loss_triplet(x, n, o, 1);
    return rc ? rc : fn_exec_backward(x, o->keep);
}

/* ---- a batch in parts ----------------------------------------------------------------------- */

/* The model's sums: gradient, statistics, prelogits of the whole batch. */
struct sums {
    void *grad, *batch, *rows;
    size_t row_bytes; /* of one part's prelogits */
};

static struct sums sums_of(const struct fn_exec *x)
{
    const struct fn_model *m = x->model;
    size_t scalar = m->be->info(m->dev)->param_bytes;
    char *at = m->sums;
    return (struct sums){at, at + m->params.trained * scalar, at + m->params.total * scalar,
                         (size_t)x->options.n * (size_t)m->net->embedding_size * scalar};
}

struct fn_tensor fn_step_prelogits(const struct fn_exec *x, const struct fn_step_options *o)
{
    struct fn_tensor rows = x->rows[FN_ROWS_PRELOGITS];
    if (o->parts > 1) {
        rows.n *= o->parts;
        rows.data = sums_of(x).rows;
    }
    return rows;
}

/* Adds a part's gradient and statistics to the sums; the last one's take the sums up, and are then
 * the mean of all. */
static int add_part(struct fn_exec *x, const struct sums *sums, int part, int parts)
{
    const struct fn_params *p = &x->model->params;
    const struct fn_backend *be = x->model->be;
    struct fn_dev *dev = x->model->dev;
    size_t statistics = p->total - p->trained;
    size_t numbers = (size_t)x->options.n * (size_t)x->model->net->embedding_size;
    double share = 1.0 / parts, before = part ? 1 : 0;
    FN_RUN(x, FN_PROFILE_UPDATE,
           be->combine(dev, (char *)sums->rows + (size_t)part * sums->row_bytes, 0,
                       x->rows[FN_ROWS_PRELOGITS].data, 1, numbers));
    if (part + 1 < parts) {
        FN_RUN(x, FN_PROFILE_UPDATE,
               be->combine(dev, sums->grad, before, p->grad, share, p->trained));
        FN_RUN(x, FN_PROFILE_UPDATE,
               be->combine(dev, sums->batch, before, p->batch, share, statistics));
        return FN_OK;
    }
    FN_RUN(x, FN_PROFILE_UPDATE, be->combine(dev, p->grad, share, sums->grad, 1, p->trained));
    FN_RUN(x, FN_PROFILE_UPDATE, be->combine(dev, p->batch, share, sums->batch, 1, statistics));
    return FN_OK;
}

static int train_in_parts(struct fn_exec *x, const struct fn_step *step, const uint8_t *images,
                          const int32_t *labels, const struct fn_step_options *o)
{
    const struct fn_model *m = x->model;
    const struct sums sums = sums_of(x);
    size_t n = (size_t)x->options.n, side = (size_t)m->net->image_size;
    struct fn_tensor all = fn_step_prelogits(x, o);
    struct fn_step own = *step;
    int rc = FN_OK;
    assert(m->sums && m->options.parts == o->parts && x->options.head == FN_HEAD_SOFTMAX);
    for (int part = 0; part < o->parts && !rc; part++) {
        own.first = (uint64_t)part * n;
        rc = m->be->step_begin(m->dev, &own);
        if (!rc)
            rc = gradients(x, images + own.first * side * side * 3, labels + own.first, o);
        if (!rc)
            rc = add_part(x, &sums, part, o->parts);
    }
    return rc ? rc : update(x, &all, labels, all.n, o);
}

/* All of a step that can be recorded. */
static int run_ops(struct fn_exec *x, const uint8_t *images, const int32_t *labels,
                   const struct fn_step_options *o)
{
    int rc = gradients(x, images, labels, o);
    return rc ? rc
              : fn_step_update(x, x->options.head == FN_HEAD_TRIPLET ? NULL : labels, x->options.n,
                               o);
}

void fn_step_losses(double losses[FN_LOSS_COUNT], const struct fn_step_options *o)
{
    static const int means[] = {FN_LOSS_XENT, FN_LOSS_CENTER, FN_LOSS_NORM};
    for (size_t i = 0; o->parts > 1 && i < sizeof means / sizeof *means; i++)
        losses[means[i]] /= o->parts;
}

/* ---- recorded steps ------------------------------------------------------------------------- */

/* FNV-1a over whole words: which parameters are trained, and how, can change between steps. */
static uint64_t hash_of_groups(const struct fn_model *m)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < m->params.group_count; i++) {
        const struct fn_param_group *g = &m->params.groups[i];
        const uint64_t word[] = {g->begin, g->count,
                                 (uint64_t)(g->decay * 4 + g->frozen * 2 + g->conv)};
        for (size_t k = 0; k < sizeof word / sizeof *word; k++)
            hash = (hash ^ word[k]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* Bytes are compared, padding too: a difference that is none costs a step run op by op. */
static int is_last_step(const struct fn_exec *x, const uint8_t *images, const int32_t *labels,
                        const struct fn_step_options *o)
{
    const struct fn_tape *t = &x->tape;
    return t->images == images && t->labels == labels && !memcmp(&t->options, o, sizeof *o) &&
           t->groups == hash_of_groups(x->model);
}

static int run_and_note(struct fn_exec *x, const uint8_t *images, const int32_t *labels,
                        const struct fn_step_options *o)
{
    struct fn_tape *t = &x->tape;
    if (t->recording)
        x->model->be->record_free(&t->recording);
    t->images = images;
    t->labels = labels;
    memcpy(&t->options, o, sizeof *o);
    t->groups = hash_of_groups(x->model);
    return run_ops(x, images, labels, o);
}

/* A device that cannot record what it can run goes on without: slower, and said once. */
static int record(struct fn_exec *x)
{
    const struct fn_backend *be = x->model->be;
    struct fn_dev *dev = x->model->dev;
    struct fn_tape *t = &x->tape;
    int rc = be->record_begin(dev);
    if (!rc) {
        rc = run_ops(x, t->images, t->labels, &t->options);
        if (rc)
            (void)be->record_end(dev, NULL);
        else
            rc = be->record_end(dev, &t->recording);
    }
    if (!rc && !t->said++)
        fn_info("A step is one graph of %zu nodes from now on (kernels, copies, fills)",
                fn_exec_recorded(x));
    if (!rc)
        return FN_OK;
    t->failed = 1;
    fn_warn("a step cannot be recorded, so its operations are started one by one (%s)",
            fn_err_text(rc));
    fn_err_clear();
    return run_ops(x, t->images, t->labels, &t->options);
}

int fn_step_train(struct fn_exec *x, const struct fn_step *step, const uint8_t *images,
                  const int32_t *labels, const struct fn_step_options *o)
{
    const struct fn_backend *be = x->model->be;
    int rc;
    if (o->parts > 1)
        return train_in_parts(x, step, images, labels, o);
    rc = be->step_begin(x->model->dev, step);
    if (rc)
        return rc;
    if (!o->record || o->online || !be->record_begin || x->profile || x->tape.failed)
        return run_ops(x, images, labels, o);
    if (!is_last_step(x, images, labels, o))
        return run_and_note(x, images, labels, o);
    if (!x->tape.recording)
        rc = record(x);
    if (!rc && x->tape.recording)
        rc = be->replay(x->model->dev, x->tape.recording);
    if (rc != FN_EBUSY)
        return rc;
    fn_err_clear();
    return run_and_note(x, images, labels, o);
}

double fn_step_regularization(const double losses[FN_LOSS_COUNT], const struct fn_step_options *o)
{
    return losses[FN_LOSS_DECAY] + o->norm_factor * losses[FN_LOSS_NORM] +
           o->center_factor * losses[FN_LOSS_CENTER];
}

double fn_step_total(const double losses[FN_LOSS_COUNT], const struct fn_step_options *o)
{
    return losses[FN_LOSS_XENT] + losses[FN_LOSS_TRIPLET] + fn_step_regularization(losses, o);
}

/* SPDX-License-Identifier: MIT */
/* What a run trains on: store, split, classes, rates, LFW's pictures, and the rings that feed it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "train/filter.h"
#include "train/run_parts.h"

/* --filter_filename: *dropped is a byte a record, or NULL. */
static int filter(const struct fn_run *r, uint8_t **dropped)
{
    const struct fn_train_options *o = r->o;
    struct fn_filter_options options = {NULL, o->filter_percentile, o->filter_min_images};
    struct fn_filter_result result;
    char *path;
    int rc;
    if (!o->filter_filename) {
        if (fn_train_options_given("filter_percentile") ||
            fn_train_options_given("filter_min_nrof_images_per_class"))
            fn_warn("nothing is filtered: --filter_filename is not given");
        return FN_OK;
    }
    path = fn_path_home(o->filter_filename);
    options.path = path;
    rc = path ? fn_filter_read(dropped, r->store, &options, &result) : FN_ENOMEM;
    if (!rc)
        fn_info(
            "Filter: %s has %llu pictures, %llu of them at a distance of %.5g or more; %llu are "
            "left out, with %llu classes",
            path, (unsigned long long)result.rows, (unsigned long long)result.far, result.threshold,
            (unsigned long long)result.dropped, (unsigned long long)result.classes);
    if (!rc && result.unknown)
        fn_warn("%llu of the pictures to leave out are not in this store",
                (unsigned long long)result.unknown);
    free(path);
    return rc;
}

static int open_split(struct fn_run *r)
{
    struct fn_split_options options = {r->o->split_ratio, r->o->min_val, (uint64_t)r->o->seed,
                                       NULL};
    uint8_t *dropped = NULL;
    int rc = filter(r, &dropped);
    options.dropped = dropped;
    if (!rc)
        rc = fn_split_open(&r->split, r->store, &options);
    free(dropped);
    if (rc)
        return rc;
    rc = fn_class_list_of(&r->classes, r->split, r->store);
    fn_info("Number of classes in training set: %lu", (unsigned long)r->split->classes);
    fn_info("Number of examples in training set: %zu", r->split->train.count);
    if (r->split->classes < 2 && r->loss->head == FN_HEAD_SOFTMAX)
        fn_warn("with one class there is nothing to tell apart: every loss but weight decay is 0");
    fn_info("Number of classes in validation set: %lu", (unsigned long)r->split->val_classes);
    fn_info("Number of examples in validation set: %zu", r->split->val.count);
    r->sampler = (struct fn_sampler){(uint64_t)r->o->seed, &r->split->train};
    if (!rc && !strcmp(r->o->shuffle, "window"))
        rc = fn_examples_by_id(&r->by_place, &r->split->train);
    r->window = (struct fn_window_sampler){(uint64_t)r->o->seed, &r->by_place, FN_WINDOW_BLOCK,
                                           FN_WINDOW_BLOCKS};
    r->validation = (struct fn_list){(uint64_t)r->o->seed, 0, &r->split->val};
    if (!rc)
        rc = r->loss->open_data(r);
    return rc ? rc : fn_source_store(&r->source, r->store);
}

/* The store and classes must be those of the checkpoint. */
static int check_resumed(struct fn_run *r)
{
    const struct fn_store_info *info = fn_store_get_info(r->store);
    struct fn_class_list *before = NULL;
    char *path;
    int rc;
    if (strcmp(info->content_id, r->state.content_id) != 0)
        return fn_fail(FN_EMISMATCH,
                       "%s has content %s, %s was trained on content %s: a run cannot go on with "
                       "another store",
                       info->path, info->content_id, r->resumed, r->state.content_id);
    path = fn_path_join(r->resumed, FN_CHECKPOINT_CLASSES);
    rc = path ? fn_class_list_read(&before, path) : FN_ENOMEM;
    if (!rc)
        rc = fn_class_list_compare(r->classes, "this run", before, "the checkpoint");
    fn_class_list_close(&before);
    free(path);
    return rc;
}

static int open_lfw(struct fn_run *r)
{
    const struct fn_train_options *o = r->o;
    struct fn_lfw_run_options options = {
        .pairs = NULL,
        .image_size = (int)o->image_size,
        .evaluate = {(int)o->lfw_metric, o->lfw_subtract_mean, (int)o->lfw_folds}};
    char *path, *pairs, *boxes = NULL, *manifest = NULL;
    int rc = FN_OK;
    if (!o->lfw_dir || !o->lfw_dir[0])
        return FN_OK;
    path = fn_train_options_lfw();
    pairs = fn_path_home(o->lfw_pairs);
    boxes = o->lfw_boxes ? fn_path_home(o->lfw_boxes) : NULL;
    manifest = path ? fn_path_join(path, "manifest.json") : NULL;
    if (!path || !pairs || !manifest || (o->lfw_boxes && !boxes))
        rc = FN_ENOMEM;
    if (!rc) {
        options.pairs = pairs;
        options.boxes = boxes;
        if (fn_is_file(manifest))
            options.store = path;
        else
            options.tree = path;
        fn_info("LFW directory: %s", path);
        if (options.store && boxes)
            rc = fn_fail(FN_EUSAGE, "--lfw_boxes is for class folders, %s is a store", path);
    }
    if (!rc)
        rc = fn_lfw_run_open(&r->lfw, &options);
    free(path);
    free(pairs);
    free(boxes);
    free(manifest);
    return rc;
}

int fn_run_data_open(struct fn_run *r)
{
    char *path = NULL;
    double rate;
    int rc = fn_run_store_open(r);
    if (!rc)
        rc = open_split(r);
    if (!rc && r->resumed)
        rc = check_resumed(r);
    if (!rc && r->o->learning_rate <= 0) {
        path = fn_path_home(r->o->schedule_file);
        rc = path ? fn_schedule_open(&r->schedule, path) : FN_ENOMEM;
    }
    if (!rc) /* a file that says nothing of the first epoch is found out now */
        rc = fn_run_rate(r, r->state.epoch, &rate);
    if (!rc)
        rc = open_lfw(r);
    free(path);
    return rc;
}

void fn_run_data_close(struct fn_run *r)
{
    fn_schedule_close(&r->schedule);
    fn_source_close(&r->source);
    fn_class_list_close(&r->classes);
    fn_split_close(&r->split);
    fn_examples_free(&r->by_place);
    fn_store_close(&r->store);
}

int fn_run_rate(const struct fn_run *r, int64_t epoch, double *rate)
{
    *rate = r->o->learning_rate;
    return r->schedule ? fn_schedule_rate(r->schedule, epoch, rate) : FN_OK;
}

double fn_run_step_rate(const struct fn_run *r, double rate, uint64_t step)
{
    const struct fn_train_options *o = r->o;
    const struct fn_ramp ramp = {o->warmup_steps, o->cosine_steps, o->cosine_floor};
    return fn_staircase(rate, o->decay_factor, o->decay_epochs, o->epoch_size, step) *
           fn_ramp_share(&ramp, step);
}

/* ---- rings ---------------------------------------------------------------------------------- */
int fn_run_workers(const struct fn_run *r)
{
    if (r->o->workers)
        return (int)r->o->workers;
    return strcmp(r->be->name, "cuda") ? 1
                                       : 4; /* processors that do not compute have time to decode */
}

static size_t image_bytes(const struct fn_run *r)
{
    return (size_t)r->o->image_size * (size_t)r->o->image_size * 3;
}

int fn_ring_open(struct fn_run *r, struct fn_ring *ring, int n)
{
    const struct fn_loader_config config = {
        r->source, fn_run_workers(r), n, (int)r->o->image_size, FN_LOADER_SLOTS, ring->slot};
    int rc = FN_OK;
    ring->n = n;
    for (int i = 0; i < FN_LOADER_SLOTS && !rc; i++) {
        rc = r->be->alloc(r->dev, (size_t)n * image_bytes(r), FN_MEM_HOST,
                          (void **)&ring->slot[i].images);
        if (!rc)
            rc = r->be->alloc(r->dev, (size_t)n * sizeof(int32_t), FN_MEM_HOST,
                              (void **)&ring->slot[i].labels);
    }
    return rc ? rc : fn_loader_open(&ring->loader, &config);
}

void fn_ring_close(struct fn_run *r, struct fn_ring *ring)
{
    fn_loader_close(&ring->loader);
    for (int i = 0; i < FN_LOADER_SLOTS; i++) {
        if (ring->slot[i].images)
            r->be->free(r->dev, FN_MEM_HOST, ring->slot[i].images);
        if (ring->slot[i].labels)
            r->be->free(r->dev, FN_MEM_HOST, ring->slot[i].labels);
    }
    memset(ring, 0, sizeof *ring);
}

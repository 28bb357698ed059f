/* SPDX-License-Identifier: MIT */
/* Verifying: first the files as files, then what they mean. A file that cannot be read to its end
 * is not looked into any further: a mapped page that the disk refuses is SIGBUS. */
#include "store/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/args.h"
#include "base/file.h"
#include "base/pipeline.h"
#include "store/build.h"
#include "store/verify_internal.h"

#define READ_BYTES ((size_t)1 << 20)

void fn_verify_report(struct fn_verifying *v, const char *file, int64_t id, const char *record,
                      int rc)
{
    struct fn_verify_bad bad = {file, id, record, fn_err_text(rc)};
    int unknown = rc == FN_ENOMEM || rc == FN_EINTERRUPTED; /* says nothing about the store */
    pthread_mutex_lock(&v->lock);
    if (unknown && !v->failure.code)
        fn_err_note_take(&v->failure, rc);
    if (!unknown) {
        v->verify->bad_count++;
        v->verify->bad(v->verify->context, &bad);
    }
    pthread_mutex_unlock(&v->lock);
}

/* Sum and length of a file, read and not mapped. */
static int sum_file(const char *path, uint64_t *bytes, char digits[33])
{
    uint8_t *buffer = malloc(READ_BYTES);
    XXH3_state_t *hash = XXH3_createState();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 ? fn_fail_errno("cannot open %s", path) : FN_OK;
    *bytes = 0;
    if (!rc && (!buffer || !hash))
        rc = fn_fail(FN_ENOMEM, "no memory to read %s", path);
    if (!rc)
        XXH3_128bits_reset(hash);
    while (!rc) {
        ssize_t n = read(fd, buffer, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = fn_fail_errno("cannot read %s", path);
        if (n <= 0)
            break;
        XXH3_128bits_update(hash, buffer, (size_t)n);
        *bytes += (uint64_t)n;
        if (fn_interrupted())
            rc = fn_fail(FN_EINTERRUPTED, "interrupted while reading %s", path);
    }
    if (!rc) {
        XXH128_hash_t sum = XXH3_128bits_digest(hash);
        fn_sum128_text((struct fn_sum128){.low = sum.low64, .high = sum.high64}, digits);
    }
    XXH3_freeState(hash);
    free(buffer);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* Nonzero: the file could not be read to its end, or is not as long as it should be. */
static int check_file(struct fn_verifying *v, const char *path, const struct fn_manifest_file *want)
{
    const char *name = strrchr(path, '/') + 1;
    char digits[33];
    uint64_t bytes;
    int rc = sum_file(path, &bytes, digits);
    if (rc) {
        fn_verify_report(v, name, -1, "", rc);
        return rc;
    }
    if (bytes != want->bytes) {
        rc = fn_fail(FN_ECORRUPT, "%s has %llu bytes, should have %llu", path,
                     (unsigned long long)bytes, (unsigned long long)want->bytes);
        fn_verify_report(v, name, -1, "", rc);
        return rc;
    }
    if (strcmp(digits, want->checksum) != 0)
        fn_verify_report(v, name, -1, "",
                         fn_fail(FN_ECORRUPT, "%s: its checksum is %s, should be %s", path, digits,
                                 want->checksum));
    return FN_OK;
}

static void check_provenance(struct fn_verifying *v)
{
    char path[FN_PATH_MAX];
    json_t *inputs = NULL;
    if (!fn_is_file(fn_store_file(path, v->path, "provenance.json")))
        return; /* no part of the content: a store may have lost it */
    int rc = fn_provenance_inputs(v->path, &inputs);
    if (rc)
        fn_verify_report(v, "provenance.json", -1, "", rc);
    json_decref(inputs);
}

/* Job i: a shard; then the lists; then provenance.json. */
static int check_files(void *context, int worker, size_t i)
{
    struct fn_verifying *v = context;
    char path[FN_PATH_MAX];
    (void)worker;
    if (fn_interrupted())
        return fn_fail(FN_EINTERRUPTED, "interrupted");
    if (i < v->manifest->shard_count)
        v->unreadable[i] =
            check_file(v, fn_shard_file(path, v->path, i), &v->manifest->shards[i]) != FN_OK;
    else if (i == v->manifest->shard_count)
        check_file(v, fn_store_file(path, v->path, "rejects.tsv"), &v->manifest->rejects);
    else if (i == v->manifest->shard_count + 1)
        check_provenance(v);
    else
        check_file(v, fn_store_file(path, v->path, "conflicts.tsv"), &v->manifest->conflicts_file);
    return FN_OK;
}

static int open_workers(struct fn_verifying *v)
{
    size_t count = (size_t)v->verify->threads;
    v->workers = calloc(count, sizeof *v->workers);
    int rc = v->workers ? FN_OK : fn_fail(FN_ENOMEM, "no memory to verify %s", v->path);
    for (size_t i = 0; i < count && !rc; i++) {
        rc = fn_reader_open(&v->workers[i].reader, v->store);
        if (!rc)
            rc = fn_codec_open(&v->workers[i].codec);
    }
    return rc;
}

static void close_workers(struct fn_verifying *v)
{
    for (int i = 0; v->workers && i < v->verify->threads; i++) {
        fn_reader_close(&v->workers[i].reader);
        fn_codec_close(&v->workers[i].codec);
        fn_image_free(&v->workers[i].image);
    }
    free(v->workers);
}

/* Everything that needs the store to open. */
static int check_meaning(struct fn_verifying *v)
{
    int rc = fn_store_open_as(&v->store, v->path, 0);
    if (rc) {
        fn_verify_report(v, "index.bin", -1, "", rc);
        return rc == FN_ENOMEM ? rc : FN_OK;
    }
    int threads = v->verify->threads;
    const struct fn_index_head *head = fn_index_get_head(v->store->index);
    rc = open_workers(v);
    if (!rc)
        rc = fn_parallel_for(threads, head->blocks, v, fn_verify_block);
    if (!rc)
        rc = fn_parallel_for(threads, head->classes, v, fn_verify_class);
    if (!rc)
        rc = fn_parallel_for(threads, head->groups, v, fn_verify_group);
    close_workers(v);
    fn_store_close(&v->store);
    return rc;
}

int fn_store_verify(const char *path, struct fn_verify *verify)
{
    struct fn_verifying v = {.path = path, .verify = verify};
    char file[FN_PATH_MAX];
    int rc = fn_path_check(path);
    verify->files = verify->records = verify->payload_bytes = verify->bad_count = 0;
    if (rc)
        return rc;
    if (!fn_is_file(fn_store_file(file, path, "manifest.json"))) {
        struct fn_store *none = NULL;
        return fn_store_open(&none, path); /* has the sentence for what stands there */
    }
    pthread_mutex_init(&v.lock, NULL);
    rc = fn_manifest_load(&v.manifest, path);
    if (rc) {
        if (rc != FN_EVERSION && rc != FN_ENOMEM) { /* without it nothing can be told of the rest */
            fn_verify_report(&v, "manifest.json", -1, "", rc);
            rc = FN_OK;
        }
        goto out;
    }
    size_t files = v.manifest->shard_count + 2 + (v.manifest->dedupe_pixels ? 1 : 0);
    v.unreadable = calloc(files, 1);
    if (!v.unreadable)
        rc = fn_fail(FN_ENOMEM, "no memory to verify %s", path);
    if (!rc)
        rc = fn_parallel_for(verify->threads, files, &v, check_files);
    verify->files = files + 2;
    if (!rc)
        rc = check_meaning(&v);
    if (!rc)
        rc = fn_err_note_raise(&v.failure);
out:
    free(v.unreadable);
    fn_manifest_free(&v.manifest);
    pthread_mutex_destroy(&v.lock);
    return rc;
}

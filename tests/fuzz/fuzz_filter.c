/* SPDX-License-Identifier: MIT */
/* Any bytes as the table of distances that --filter_filename reads, for a small store: refused with
 * the file's name, or its figures agree with each other. The size of the table chooses the options,
 * so that a seed is just a table. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "store/writer.h"
#include "tests/fuzz/fuzz.h"
#include "train/filter.h"

static void require(int holds)
{
    if (!holds)
        abort();
}

/* Three pictures of "a", two of "b", one of a name that is escaped in the table. */
static void fill(struct fn_writer *writer)
{
    static const char classes[] = {'a', 'a', 'a', 'b', 'b', '\\'};
    static const uint8_t pixel[3] = {1, 2, 3};
    for (size_t i = 0; i < sizeof classes; i++) {
        const char name[2] = {classes[i], (char)('0' + i)};
        const struct fn_position pos = {0, i + 1, i, i + 1};
        const struct fn_new_record rec = {.class_name = classes + i,
                                          .class_bytes = 1,
                                          .name = name,
                                          .name_bytes = 2,
                                          .codec = FN_CODEC_RAW,
                                          .w = 1,
                                          .h = 1,
                                          .payload = pixel,
                                          .payload_bytes = sizeof pixel};
        require(fn_writer_add(writer, &pos, &rec) == FN_OK);
    }
}

/* Made once. Its files are open or mapped, so the folder can go at once. */
static struct fn_store *store_of_all_runs(void)
{
    static struct fn_store *store;
    const struct fn_store_content content = {.codec = "raw", .inputs = "[]"};
    struct fn_writer_counts counts;
    struct fn_seal_result result;
    struct fn_position from;
    struct fn_writer *writer;
    struct fn_reader *reader;
    struct fn_record rec;
    char path[] = "/tmp/fn-fuzz-XXXXXX";
    if (store)
        return store;
    require(mkdtemp(path) != NULL);
    require(fn_writer_open(&writer, path, &content, 1, &from, &counts) == FN_OK);
    fill(writer);
    require(fn_writer_seal(writer, NULL, &result) == FN_OK);
    fn_writer_close(&writer);
    require(fn_store_open(&store, path) == FN_OK);
    require(fn_reader_open(&reader, store) == FN_OK);
    require(fn_reader_find(reader, "a", "a0", &rec) == FN_OK); /* opens the shard */
    fn_reader_close(&reader);
    require(fn_remove_tree(path) == FN_OK);
    return store;
}

static void check(const uint8_t *dropped, const struct fn_store_info *info,
                  const struct fn_filter_result *result)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < info->records; i++)
        sum += dropped[i];
    require(sum == result->dropped && isfinite(result->threshold));
    require(result->rows >= result->far && result->far >= result->unknown);
    require(result->far == 0 || result->unknown < result->far);
    require(result->classes <= info->classes && (result->classes == 0 || sum > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fn_store *store = store_of_all_runs();
    struct fn_filter_result result;
    uint8_t *dropped = NULL;
    char path[64];
    int fd = memfd_create("filter", MFD_CLOEXEC);
    const struct fn_filter_options o = {path, (double)(size % 101), (int64_t)(size % 5)};
    require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int rc = fn_filter_read(&dropped, store, &o, &result);
    if (rc == FN_OK)
        check(dropped, fn_store_get_info(store), &result);
    else
        require(!dropped && strstr(fn_err_text(rc), path) &&
                (rc == FN_EFORMAT || rc == FN_EUNSUPPORTED || rc == FN_EMISMATCH));
    free(dropped);
    close(fd);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* A codec for a group of tests, and the pictures of the real data that it must take. */
#ifndef FN_TESTS_CODEC_H
#define FN_TESTS_CODEC_H

#include "base/file.h"
#include "base/image.h"
#include "base/json.h"
#include "tests/test.h"

static struct fn_codec *codec;

static inline int setup(void **state)
{
    (void)state;
    return fn_codec_open(&codec);
}

static inline int teardown(void **state)
{
    (void)state;
    fn_codec_close(&codec);
    return codec != NULL;
}

#define ACCEPTED "image/decode/decode.json"

/* Every kind of JPEG and PNG that Pillow takes, from where need_data(ACCEPTED) finds them. */
static inline void each_accepted(void (*see)(void *context, const char *file, const uint8_t *data,
                                             size_t bytes),
                                 void *context)
{
    json_t *json, *c;
    size_t i;
    assert_ok(fn_json_load(test_data(ACCEPTED), 1 << 20, &json));
    json_array_foreach(json_object_get(json, "accept"), i, c)
    {
        char name[512];
        unsigned char *data;
        size_t bytes;
        const char *file = json_string_value(json_object_get(c, "file"));
        snprintf(name, sizeof name, "image/decode/%s", file);
        assert_ok(fn_file_read(test_data(name), 1 << 24, &data, &bytes));
        see(context, file, data, bytes);
        free(data);
    }
    json_decref(json);
}

#endif

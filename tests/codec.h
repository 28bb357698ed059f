/* SPDX-License-Identifier: MIT */
/* A codec for a group of tests. */
#ifndef FN_TESTS_CODEC_H
#define FN_TESTS_CODEC_H

#include "base/image.h"
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

#endif

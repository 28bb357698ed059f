/* SPDX-License-Identifier: MIT */
/* Cuts the arenas into the chunks of the update kernel: groups, the gaps between them, and the
 * moving statistics behind. */
#include "kernels/cuda/kernels.h"

struct cutter {
    struct fn_k_chunk *chunks;
    size_t count, most;
};

static void cut(struct cutter *c, size_t begin, size_t end, uint32_t flags)
{
    while (begin < end) {
        /* After the first, every chunk begins where vectors of four may be read. */
        size_t stop = begin / 4 * 4 + FN_K_CHUNK;
        if (begin % 4 && end - begin > 4)
            stop = begin / 4 * 4 + 4;
        if (stop > end)
            stop = end;
        if (c->count < c->most)
            c->chunks[c->count] = (struct fn_k_chunk){begin, (uint32_t)(stop - begin), flags};
        c->count++;
        begin = stop;
    }
}

/* Where gradients lie does not depend on what is frozen now. */
static uint32_t flags_of(const struct fn_param_group *g, int narrow)
{
    const uint32_t where = narrow && g->conv ? FN_K_NARROW : 0;
    return where | (g->frozen ? 0 : FN_K_TRAIN | (g->decay ? FN_K_DECAY : 0));
}

size_t fn_k_chunks(const struct fn_params *params, int narrow, struct fn_k_chunk *chunks,
                   size_t most)
{
    struct cutter c = {.chunks = chunks, .most = most};
    size_t done = 0;
    for (size_t i = 0; i < params->group_count; i++) {
        const struct fn_param_group *g = &params->groups[i];
        cut(&c, done, g->begin, 0);
        cut(&c, g->begin, g->begin + g->count, flags_of(g, narrow));
        done = g->begin + g->count;
    }
    cut(&c, done, params->total, 0);
    return c.count;
}

/* SPDX-License-Identifier: MIT */
/* Huffman codes of baseline JPEGs (ITU-T T.81, F.2.2), by tables of up to two coefficients. */
#include "base/jpeg_huffman.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* 8 bits miss more codes; tables of 11 push more out of the first cache: measured. */
#define LOOK_BITS 10
#define LOOK_SIZE (1 << LOOK_BITS)
#define CODE_BITS_MAX 16
/* Of 8-bit samples (T.81, F.1.2): a difference of DC has up to 11 bits, an AC coefficient 10. */
#define DC_BITS_MAX 11
#define AC_BITS_MAX 10
#define REFILL_BITS 56
_Static_assert(2 * (CODE_BITS_MAX + AC_BITS_MAX) <= REFILL_BITS, "two codes between refills");
_Static_assert(CODE_BITS_MAX + DC_BITS_MAX <= REFILL_BITS, "a difference between refills");
/* Bytes that an MCU of bits that mean nothing may go through, and the eight of a refill. */
#define BLOCK_BITS_MAX (CODE_BITS_MAX + DC_BITS_MAX + 63 * (CODE_BITS_MAX + AC_BITS_MAX))
#define PAD (D_MAX_BLOCKS_IN_MCU * BLOCK_BITS_MAX / 8 + 16)
/* More than a face has, so that a larger one than any before is no reason to allocate. */
#define SCAN_MIN ((size_t)64 << 10)

/* What the next bits are: a code and the bits of its coefficient, and in tables of AC perhaps those
 * of a second one. */
struct look {
    _Alignas(8) uint8_t used; /* bits of all; 0: a code longer than LOOK_BITS, or none */
    uint8_t code;             /* bits of the first code, which its coefficient's follow */
    uint8_t shift;            /* 63 - bits of the first coefficient */
    uint8_t first;            /* places on from the last coefficient; END: the block has no more */
    uint8_t last;             /* places on in all */
    int8_t last_value; /* at `last`; the first coefficient lies over it where there is no second */
};
#define END 64
/* Only one code, 0, can have 1 bit. */
_Static_assert(LOOK_BITS - 1 - 2 <= 7, "a second coefficient fits last_value");

struct code {
    uint8_t bits; /* 0: none */
    uint8_t symbol;
};

struct table {
    struct look look[LOOK_SIZE];
    /* The definition it was made from, and for long codes: of each length the first code, and
     * where its symbol stands. */
    uint8_t counts[CODE_BITS_MAX + 1], symbols[256];
    uint32_t first_code[CODE_BITS_MAX + 1], first_symbol[CODE_BITS_MAX + 1];
    int ready; /* 1: usable, -1: of an unusual kind */
};

/* Bits to come, in the high end of `bits`, `count` of them; behind them may stand the first ones of
 * *next once more. */
struct bits {
    uint64_t bits, count;
    const uint8_t *next;
};

/* A block of an MCU. */
struct unit {
    const struct table *dc, *ac;
    int32_t *predicted;
};

struct fn_huffman {
    struct table dc[NUM_HUFF_TBLS], ac[NUM_HUFF_TBLS];
    struct bits at;
    struct unit units[D_MAX_BLOCKS_IN_MCU];
    int unit_count;
    int32_t predicted[MAX_COMPS_IN_SCAN]; /* the components' last DC coefficients */
    int unknown;                          /* met a code that is none */
    uint8_t *scan;                        /* without stuffing; PAD bytes behind it */
    size_t cap, bytes, stuffed;           /* of `scan`: allocated, filled; filled from */
    struct code codes[LOOK_SIZE];         /* scratch */
};

/* Natural order of zigzag places. Places behind the last one are where libjpeg puts what runs over:
 * into the last coefficient. */
#define PLACES (64 + END + 16)
static const uint8_t natural[PLACES] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
#define L8 63, 63, 63, 63, 63, 63, 63, 63
    L8, L8, L8, L8, L8, L8, L8, L8, L8, L8,
};

int fn_huffman_open(struct fn_huffman **huffman)
{
    *huffman = calloc(1, sizeof **huffman);
    return *huffman ? FN_OK : fn_fail(FN_ENOMEM, "no memory for a decoder of Huffman codes");
}

void fn_huffman_close(struct fn_huffman **huffman)
{
    if (!*huffman)
        return;
    free((*huffman)->scan);
    free(*huffman);
    *huffman = NULL;
}

/* ---- tables ---- */
static int bits_of(int symbol, int is_dc)
{
    return is_dc ? symbol : symbol & 15;
}

static int places_of(int symbol, int is_dc)
{
    int run = symbol >> 4, bits = symbol & 15;
    if (is_dc)
        return 0;
    return bits || run == 15 ? run + 1 : END;
}

static struct look look_of(struct code code, int is_dc)
{
    int bits = bits_of(code.symbol, is_dc), places = places_of(code.symbol, is_dc);
    return (struct look){.used = (uint8_t)(code.bits + bits),
                         .code = code.bits,
                         .shift = (uint8_t)(63 - bits),
                         .first = (uint8_t)places,
                         .last = (uint8_t)places};
}

/* The coefficient of `bits` bits (F.2.2.1, EXTEND): those that begin with 0 are negative. */
static int extend(int value, int bits)
{
    return bits && !(value >> (bits - 1)) ? value - (1 << bits) + 1 : value;
}

/* To the first code of AC the one behind it, where both are whole within the bits looked at. */
static void add_second(struct look *look, const struct code *codes, int window)
{
    int left = LOOK_BITS - look->used;
    if (left <= 0 || look->first == END)
        return;
    struct code code = codes[(window << look->used) & (LOOK_SIZE - 1)];
    int bits = bits_of(code.symbol, 0);
    left -= code.bits + bits;
    if (code.bits == 0 || left < 0)
        return;
    look->last_value = (int8_t)extend((window >> left) & ((1 << bits) - 1), bits);
    look->last = (uint8_t)(look->last + places_of(code.symbol, 0));
    look->used = (uint8_t)(LOOK_BITS - left);
}

/* Codes of each length follow those of the length before, and none is all ones (Annex C). 0: not
 * so, or coefficients of more bits than those of 8-bit samples have. */
static int make(struct table *t, const JHUFF_TBL *from, int is_dc, struct code *codes)
{
    uint32_t code = 0, symbol = 0;
    memset(codes, 0, LOOK_SIZE * sizeof *codes);
    for (int bits = 1; bits <= CODE_BITS_MAX; bits++, code <<= 1) {
        t->first_code[bits] = code;
        t->first_symbol[bits] = symbol;
        for (int i = 0; i < from->bits[bits]; i++, code++, symbol++) {
            if (symbol > 255 || (code + 1) >> bits ||
                bits_of(from->huffval[symbol], is_dc) > (is_dc ? DC_BITS_MAX : AC_BITS_MAX))
                return 0;
            for (uint32_t k = 0; bits <= LOOK_BITS && k < 1u << (LOOK_BITS - bits); k++)
                codes[(code << (LOOK_BITS - bits)) + k] =
                    (struct code){(uint8_t)bits, from->huffval[symbol]};
        }
    }
    for (int i = 0; i < LOOK_SIZE; i++) {
        t->look[i] = (struct look){0};
        if (codes[i].bits == 0)
            continue;
        t->look[i] = look_of(codes[i], is_dc);
        if (!is_dc)
            add_second(&t->look[i], codes, i);
    }
    return 1;
}

static int prepare(struct fn_huffman *h, struct table *t, const JHUFF_TBL *from, int is_dc)
{
    if (!from)
        return 0;
    if (!t->ready || memcmp(t->counts, from->bits, sizeof t->counts) != 0 ||
        memcmp(t->symbols, from->huffval, sizeof t->symbols) != 0) {
        memcpy(t->counts, from->bits, sizeof t->counts);
        memcpy(t->symbols, from->huffval, sizeof t->symbols);
        t->ready = make(t, from, is_dc, h->codes) ? 1 : -1;
    }
    return t->ready > 0;
}

/* ---- the scan ---- */
/* Up to its end, a marker, without the zeros that make bytes of ones no markers. 0: no memory, or
 * fill bytes before the marker, which to libjpeg is no marker if a zero comes behind them. */
static int unstuff(struct fn_huffman *h, const uint8_t *data, size_t bytes)
{
    if (bytes + PAD > h->cap) {
        size_t room = SCAN_MIN;
        while (room < bytes + PAD)
            room *= 2;
        free(h->scan);
        h->scan = malloc(room);
        h->cap = h->scan ? room : 0;
    }
    if (!h->scan)
        return 0;
    const uint8_t *from = data, *end = data + bytes;
    uint8_t *to = h->scan;
    for (const uint8_t *ones; from < end; from = ones + 2) {
        ones = memchr(from, 0xff, (size_t)(end - from));
        int stuffed = ones && ones + 1 < end && ones[1] == 0;
        size_t n = (size_t)((ones ? ones : end) - from) + (size_t)stuffed;
        memcpy(to, from, n);
        to += n;
        if (!stuffed) {
            from += n;
            break;
        }
    }
    if (end - from > 1 && from[1] == 0xff)
        return 0;
    memset(to, 0, PAD);
    h->bytes = (size_t)(to - h->scan);
    h->stuffed = (size_t)(from - data);
    return 1;
}

int fn_huffman_begin(struct fn_huffman *h, const struct jpeg_decompress_struct *in)
{
    const uint64_t pixels = (uint64_t)in->image_width * in->image_height;
    if (in->progressive_mode || in->arith_code || in->restart_interval || in->data_precision != 8 ||
        in->comps_in_scan != in->num_components || pixels > FN_HUFFMAN_PIXELS || in->Ss != 0 ||
        in->Se != DCTSIZE2 - 1 || in->Ah != 0 || in->Al != 0)
        return 0;
    for (int i = 0; i < in->comps_in_scan; i++) {
        int dc = in->cur_comp_info[i]->dc_tbl_no, ac = in->cur_comp_info[i]->ac_tbl_no;
        if (!prepare(h, &h->dc[dc], in->dc_huff_tbl_ptrs[dc], 1) ||
            !prepare(h, &h->ac[ac], in->ac_huff_tbl_ptrs[ac], 0))
            return 0;
    }
    if (!unstuff(h, in->src->next_input_byte, in->src->bytes_in_buffer))
        return 0;
    for (int i = 0; i < in->blocks_in_MCU; i++) {
        int c = in->MCU_membership[i];
        h->units[i] = (struct unit){&h->dc[in->cur_comp_info[c]->dc_tbl_no],
                                    &h->ac[in->cur_comp_info[c]->ac_tbl_no], &h->predicted[c]};
    }
    h->unit_count = in->blocks_in_MCU;
    h->at = (struct bits){0, 0, h->scan};
    memset(h->predicted, 0, sizeof h->predicted);
    h->unknown = 0;
    return 1;
}

static size_t bits_read(const struct fn_huffman *h)
{
    return (size_t)(h->at.next - h->scan) * 8 - h->at.count;
}

size_t fn_huffman_end(const struct fn_huffman *h)
{
    return h->bytes * 8 - bits_read(h) < 8 ? h->stuffed : 0;
}

/* ---- blocks ---- */
static inline void refill(struct bits *b)
{
    uint64_t eight;
    memcpy(&eight, b->next, sizeof eight);
    b->bits |= be64toh(eight) >> (b->count & 63);
    b->next += (63 - b->count) >> 3;
    b->count |= REFILL_BITS;
}

/* Codes of more than LOOK_BITS. One that is none ends its block, and the picture's decoding here.
 */
static __attribute__((noinline, cold)) struct look
look_longer(struct fn_huffman *h, const struct table *t, int is_dc, uint64_t bits)
{
    for (int n = LOOK_BITS + 1; n <= CODE_BITS_MAX; n++) {
        uint32_t nth = (uint32_t)(bits >> (64 - n)) - t->first_code[n];
        if (nth < t->counts[n]) {
            uint8_t symbol = t->symbols[t->first_symbol[n] + nth];
            return look_of((struct code){(uint8_t)n, symbol}, is_dc);
        }
    }
    h->unknown = 1;
    return (struct look){.used = 1, .shift = 63, .first = END, .last = END};
}

/* EXTEND without a branch: of a negative coefficient the bits are those of its size, inverted. */
static inline int first_value(uint64_t bits, struct look look)
{
    uint64_t value = bits << (look.code & 63);
    uint64_t negative = ~(uint64_t)((int64_t)value >> 63);
    value = ((value ^ negative) >> 1) >> (look.shift & 63);
    return (int)((value ^ negative) - negative);
}

static inline struct look take(struct fn_huffman *h, const struct table *t, int is_dc,
                               struct bits *b)
{
    struct look look = t->look[b->bits >> (64 - LOOK_BITS)];
    if (__builtin_expect(look.used == 0, 0))
        look = look_longer(h, t, is_dc, b->bits);
    b->bits <<= look.used & 63;
    b->count -= look.used;
    return look;
}

/* The block's coefficients but the first, and with the last of them perhaps the code behind it,
 * which is then given back. */
static inline void read_ac(struct fn_huffman *h, const struct table *t, struct bits *bits,
                           JCOEF *block)
{
    const uint8_t *place = natural, *const full = natural + DCTSIZE2 - 1;
    struct bits b = *bits;
    struct look look = {0};
    uint64_t was = 0;
    do {
        refill(&b);
        for (int i = 0; i < 2 && place < full; i++) {
            was = b.bits;
            look = take(h, t, 0, &b);
            block[place[look.last]] = look.last_value;
            block[place[look.first]] = (JCOEF)first_value(was, look);
            place += look.last;
        }
    } while (place < full);
    if (__builtin_expect(look.first != look.last && place - look.last + look.first >= full, 0)) {
        uint8_t used = (uint8_t)(look.code + 63 - look.shift);
        b.bits = was << used;
        b.count += look.used - used;
    }
    *bits = b;
}

int fn_huffman_mcu(struct fn_huffman *h, JBLOCKROW *blocks)
{
    struct bits b = h->at;
    JCOEF nowhere[DCTSIZE2];
    for (int i = 0; i < h->unit_count; i++) {
        const struct unit *unit = &h->units[i];
        JCOEF *block = blocks ? blocks[i][0] : nowhere;
        refill(&b);
        uint64_t was = b.bits;
        struct look dc = take(h, unit->dc, 1, &b);
        *unit->predicted += first_value(was, dc);
        block[0] = (JCOEF)*unit->predicted;
        read_ac(h, unit->ac, &b, block);
    }
    h->at = b;
    return !h->unknown && bits_read(h) <= h->bytes * 8;
}

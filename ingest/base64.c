/* SPDX-License-Identifier: MIT */
/* Strict base64: the choice of implementation, the plain one, and the last group, which all share.
 */
#include "ingest/base64.h"

#include "ingest/base64_simd.h"

/* Six bits of value and, for bytes of the alphabet only, the bit VALID. */
#define VALID 0x40
#define V(c, v) [c] = VALID | (v)
static const uint8_t value_of[256] = {
    V('A', 0),  V('B', 1),  V('C', 2),  V('D', 3),  V('E', 4),  V('F', 5),  V('G', 6),  V('H', 7),
    V('I', 8),  V('J', 9),  V('K', 10), V('L', 11), V('M', 12), V('N', 13), V('O', 14), V('P', 15),
    V('Q', 16), V('R', 17), V('S', 18), V('T', 19), V('U', 20), V('V', 21), V('W', 22), V('X', 23),
    V('Y', 24), V('Z', 25), V('a', 26), V('b', 27), V('c', 28), V('d', 29), V('e', 30), V('f', 31),
    V('g', 32), V('h', 33), V('i', 34), V('j', 35), V('k', 36), V('l', 37), V('m', 38), V('n', 39),
    V('o', 40), V('p', 41), V('q', 42), V('r', 43), V('s', 44), V('t', 45), V('u', 46), V('v', 47),
    V('w', 48), V('x', 49), V('y', 50), V('z', 51), V('0', 52), V('1', 53), V('2', 54), V('3', 55),
    V('4', 56), V('5', 57), V('6', 58), V('7', 59), V('8', 60), V('9', 61), V('+', 62), V('/', 63),
};
#undef V

static int always(void);
#if defined(__x86_64__)
static int has_avx2(void);
static int has_avx512(void);
#endif

/* From plain to best. */
static const struct fn_base64_kind kinds[] = {
    {"plain", always, NULL},
#if defined(__x86_64__)
    {"avx2", has_avx2, fn_base64_blocks_avx2},
    {"avx512", has_avx512, fn_base64_blocks_avx512},
#endif
};
#define KINDS (sizeof kinds / sizeof kinds[0])

const struct fn_base64_kind *fn_base64_kinds(size_t *count)
{
    *count = KINDS;
    return kinds;
}

enum fn_base64_fault fn_base64_decode(const uint8_t *text, size_t chars, uint8_t *out,
                                      size_t *bytes)
{
    size_t k = KINDS - 1;
    while (!kinds[k].usable())
        k--;
    return fn_base64_decode_by(&kinds[k], text, chars, out, bytes);
}

/* The first byte from `at` that is not of the alphabet, or `chars`. */
static size_t first_foreign(const uint8_t *text, size_t at, size_t chars)
{
    while (at < chars && value_of[text[at]])
        at++;
    return at;
}

/* The last group: four characters of which the last one or two may be padding. */
static enum fn_base64_fault last_group(const uint8_t *text, size_t at, uint8_t *out,
                                       size_t *written, size_t *where)
{
    unsigned pad = text[at + 3] != '=' ? 0 : text[at + 2] != '=' ? 1 : 2;
    size_t foreign = first_foreign(text, at, at + 4 - pad);
    *where = foreign;
    if (foreign < at + 4 - pad)
        return text[foreign] == '=' ? FN_BASE64_PADDING : FN_BASE64_CHAR;
    uint32_t a = value_of[text[at]] & 63u, b = value_of[text[at + 1]] & 63u;
    uint32_t c = pad > 1 ? 0 : value_of[text[at + 2]] & 63u;
    uint32_t d = pad > 0 ? 0 : value_of[text[at + 3]] & 63u;
    *where = at + 3 - pad;
    if ((pad == 2 && (b & 15)) || (pad == 1 && (c & 3)))
        return FN_BASE64_BITS;
    out[0] = (uint8_t)(a << 2 | b >> 4);
    if (pad < 2)
        out[1] = (uint8_t)(b << 4 | c >> 2);
    if (pad < 1)
        out[2] = (uint8_t)(c << 6 | d);
    *written = 3 - pad;
    return FN_BASE64_OK;
}

enum fn_base64_fault fn_base64_decode_by(const struct fn_base64_kind *kind, const uint8_t *text,
                                         size_t chars, uint8_t *out, size_t *bytes)
{
    *bytes = 0;
    if (chars == 0)
        return FN_BASE64_OK;
    size_t last = (chars - 1) / 4 * 4; /* where the last group begins, whole or not */
    size_t at = kind->blocks ? kind->blocks(text, chars, out) : 0;
    uint8_t *to = out + at / 4 * 3;
    for (; at < last; at += 4, to += 3) {
        uint32_t a = value_of[text[at]], b = value_of[text[at + 1]];
        uint32_t c = value_of[text[at + 2]], d = value_of[text[at + 3]];
        if (!(a & b & c & d & VALID)) {
            *bytes = first_foreign(text, at, chars);
            return FN_BASE64_CHAR;
        }
        uint32_t v = (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63);
        to[0] = (uint8_t)(v >> 16);
        to[1] = (uint8_t)(v >> 8);
        to[2] = (uint8_t)v;
    }
    if (chars - last < 4) {
        size_t foreign = first_foreign(text, last, chars);
        *bytes = foreign;
        return foreign < chars && text[foreign] != '=' ? FN_BASE64_CHAR : FN_BASE64_LENGTH;
    }
    size_t written = 0;
    enum fn_base64_fault fault = last_group(text, last, to, &written, bytes);
    if (fault == FN_BASE64_OK)
        *bytes = (size_t)(to - out) + written;
    return fault;
}

const char *fn_base64_fault_text(enum fn_base64_fault fault)
{
    static const char *const text[] = {
        [FN_BASE64_OK] = "no fault",
        [FN_BASE64_CHAR] = "a byte outside the base64 alphabet",
        [FN_BASE64_LENGTH] = "not a multiple of four",
        [FN_BASE64_PADDING] = "'=' where no padding may be",
        [FN_BASE64_BITS] = "unused bits before the padding are not zero",
    };
    return text[fault];
}

static int always(void)
{
    return 1;
}

#if defined(__x86_64__)
static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}

static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi");
}
#endif

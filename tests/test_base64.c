/* SPDX-License-Identifier: MIT */
/* Strict base64: every implementation against an obvious one, on all lengths, every position of a
 * fault and every byte; in place; nothing written past the room; and against Python's decoder. */
#include "tests/python.h"

#include "base/file.h"
#include "base/rng.h"
#include "ingest/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t encode(const uint8_t *in, size_t n, char *out)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i += 3) {
        unsigned v = (unsigned)in[i] << 16 | (i + 1 < n ? (unsigned)in[i + 1] << 8 : 0u) |
                     (i + 2 < n ? in[i + 2] : 0u);
        out[at++] = alphabet[v >> 18];
        out[at++] = alphabet[v >> 12 & 63];
        out[at++] = i + 1 < n ? alphabet[v >> 6 & 63] : '=';
        out[at++] = i + 2 < n ? alphabet[v & 63] : '=';
    }
    out[at] = '\0';
    return at;
}

/* The definition: a text is right if decoding it somehow and encoding the result gives it back. */
static int oracle(const uint8_t *text, size_t chars, uint8_t *out, size_t *bytes)
{
    char again[512];
    unsigned v = 0, n = 0;
    size_t end = chars;
    *bytes = 0;
    while (end > 0 && text[end - 1] == '=')
        end--;
    for (size_t i = 0; i < end; i++) {
        const char *p = text[i] ? strchr(alphabet, text[i]) : NULL;
        if (!p)
            return 0;
        v = v << 6 | (unsigned)(p - alphabet);
        n += 6;
        if (n >= 8)
            out[(*bytes)++] = (uint8_t)(v >> (n -= 8));
    }
    return encode(out, *bytes, again) == chars && memcmp(again, text, chars) == 0;
}

static void fill(uint8_t *p, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)fn_rng(seed, i, 0, FN_RNG_SAMPLE);
}

/* Both answers, out of place and in place, the room behind untouched. */
static void check(const struct fn_base64_kind *kind, const uint8_t *text, size_t chars)
{
    uint8_t want[400], got[512], inplace[600];
    size_t want_bytes, bytes;
    int good = oracle(text, chars, want, &want_bytes);

    memset(got, 0x5a, sizeof got);
    enum fn_base64_fault fault = fn_base64_decode_by(kind, text, chars, got, &bytes);
    assert_int_equal(fault == FN_BASE64_OK, good);
    if (good) {
        assert_int_equal(bytes, want_bytes);
        assert_memory_equal(got, want, bytes);
    } else {
        assert_true(bytes <= chars);
    }
    for (size_t i = FN_BASE64_BYTES(chars); i < sizeof got; i++)
        assert_int_equal(got[i], 0x5a);

    size_t again;
    memset(inplace, 0x5a, sizeof inplace);
    memcpy(inplace, text, chars);
    assert_int_equal(fn_base64_decode_by(kind, inplace, chars, inplace, &again), fault);
    assert_int_equal(again, bytes);
    if (good)
        assert_memory_equal(inplace, want, bytes);
    for (size_t i = chars; i < sizeof inplace; i++)
        assert_int_equal(inplace[i], 0x5a);

    /* The same fault at the same place as the plain implementation. */
    size_t plain_bytes, count;
    assert_int_equal(fn_base64_decode_by(fn_base64_kinds(&count), text, chars, got, &plain_bytes),
                     fault);
    assert_int_equal(plain_bytes, bytes);
}

static void each_kind(void (*body)(const struct fn_base64_kind *))
{
    size_t count;
    const struct fn_base64_kind *kinds = fn_base64_kinds(&count);
    for (size_t k = 0; k < count; k++) {
        if (kinds[k].usable())
            body(&kinds[k]);
        else
            printf("SKIPPED %s: this machine has no such instructions\n", kinds[k].name);
    }
}

static void all_lengths_by(const struct fn_base64_kind *kind)
{
    uint8_t data[256];
    char text[400];
    for (size_t n = 0; n <= 220; n++) {
        fill(data, n, n);
        size_t chars = encode(data, n, text);
        check(kind, (const uint8_t *)text, chars);
        for (size_t cut = 1; cut <= 4 && cut <= chars; cut++)
            check(kind, (const uint8_t *)text, chars - cut);
        for (size_t more = 0; more < 3; more++) { /* and too much padding */
            text[chars + more] = '=';
            check(kind, (const uint8_t *)text, chars + more + 1);
        }
    }
}

static void all_lengths(void **state)
{
    (void)state;
    each_kind(all_lengths_by);
}

static void every_byte_everywhere_by(const struct fn_base64_kind *kind)
{
    uint8_t data[160];
    char text[256];
    for (size_t n = 148; n <= 150; n++) { /* more than three steps of the widest */
        fill(data, n, n);
        size_t chars = encode(data, n, text);
        for (size_t i = 0; i < chars; i++) {
            char was = text[i];
            for (int c = 0; c < 256; c++) {
                text[i] = (char)c;
                check(kind, (const uint8_t *)text, chars);
            }
            text[i] = was;
        }
    }
}

static void every_byte_everywhere(void **state)
{
    (void)state;
    each_kind(every_byte_everywhere_by);
}

static void random_damage_by(const struct fn_base64_kind *kind)
{
    uint8_t data[300];
    char text[500];
    for (uint64_t t = 0; t < 20000; t++) {
        size_t n = fn_rng_below(fn_rng(1, t, 0, FN_RNG_SAMPLE), 280);
        fill(data, n, t);
        size_t chars = encode(data, n, text);
        for (uint64_t k = fn_rng_below(fn_rng(1, t, 1, FN_RNG_SAMPLE), 4); k > 0 && chars; k--) {
            size_t at = fn_rng_below(fn_rng(2, t, k, FN_RNG_SAMPLE), chars);
            text[at] = (char)fn_rng(3, t, k, FN_RNG_SAMPLE);
        }
        check(kind, (const uint8_t *)text, chars);
    }
}

static void random_damage(void **state)
{
    (void)state;
    each_kind(random_damage_by);
}

static void faults_have_places(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum fn_base64_fault fault;
        size_t at;
    } cases[] = {
        {"", FN_BASE64_OK, 0},           {"QQ==", FN_BASE64_OK, 1},
        {"QUI=", FN_BASE64_OK, 2},       {"QUJD", FN_BASE64_OK, 3},
        {"Q", FN_BASE64_LENGTH, 1},      {"QUJDQ", FN_BASE64_LENGTH, 5},
        {"QQ=", FN_BASE64_LENGTH, 2},    {"QUJD=", FN_BASE64_LENGTH, 4},
        {"QR==", FN_BASE64_BITS, 1},     {"QUJ=", FN_BASE64_BITS, 2},
        {"Q===", FN_BASE64_PADDING, 1},  {"====", FN_BASE64_PADDING, 0},
        {"QQ=Q", FN_BASE64_PADDING, 2},  {"QQ==QUJD", FN_BASE64_CHAR, 2},
        {"Q UJ", FN_BASE64_CHAR, 1},     {"QUJD\n", FN_BASE64_CHAR, 4},
        {"QU*D*QQQ", FN_BASE64_CHAR, 2}, {"Q-_D", FN_BASE64_CHAR, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t out[16];
        size_t at;
        enum fn_base64_fault fault =
            fn_base64_decode((const uint8_t *)cases[i].text, strlen(cases[i].text), out, &at);
        if (fault != cases[i].fault || at != cases[i].at)
            fail_msg("'%s': %s at %zu, want %s at %zu", cases[i].text, fn_base64_fault_text(fault),
                     at, fn_base64_fault_text(cases[i].fault), cases[i].at);
    }
}

static void put_hex(FILE *f, const void *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        fprintf(f, "%02x", ((const uint8_t *)data)[i]);
}

/* A text, half of them damaged at one place, often in the last group, some cut. */
static size_t make_case(uint64_t t, char *text)
{
    static const char odd[] = "=A\n \t*-_/+z";
    uint8_t data[120];
    size_t n = fn_rng_below(fn_rng(7, t, 0, FN_RNG_SAMPLE), sizeof data);
    fill(data, n, t + 1000000);
    size_t chars = encode(data, n, text);
    if (t % 2 && chars) {
        size_t at = fn_rng_below(fn_rng(8, t, 0, FN_RNG_SAMPLE), chars);
        if (t % 4 == 1)
            at = chars - 1 - at % 4;
        text[at] = odd[fn_rng_below(fn_rng(9, t, 0, FN_RNG_SAMPLE), sizeof odd - 1)];
    }
    return t % 5 == 4 && chars ? chars - 1 : chars;
}

static void as_python_does(void **state)
{
    char path[4096], text[200];
    uint8_t out[200];
    (void)state;
    need_python("base64");
    char *dir = test_folder();
    assert_non_null(dir);
    snprintf(path, sizeof path, "%s/cases", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (uint64_t t = 0; t < 4000; t++) {
        size_t bytes, chars = make_case(t, text);
        enum fn_base64_fault fault = fn_base64_decode((const uint8_t *)text, chars, out, &bytes);
        put_hex(f, text, chars);
        fputc(' ', f);
        if (fault == FN_BASE64_OK)
            put_hex(f, out, bytes);
        fputs(fault == FN_BASE64_OK ? "\n" : "-\n", f);
    }
    assert_int_equal(fclose(f), 0);
    assert_int_equal(python_run("check_base64.py", path), 0);
    assert_ok(fn_remove_tree(dir));
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_have_places),    cmocka_unit_test(all_lengths),
        cmocka_unit_test(every_byte_everywhere), cmocka_unit_test(random_damage),
        cmocka_unit_test(as_python_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

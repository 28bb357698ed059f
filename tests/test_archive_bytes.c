/* SPDX-License-Identifier: MIT */
/* Beginnings and ends of archives. */
#include "tests/test.h"

#include "ingest/archive_bytes.h"

static void put(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* The end of a zip with so many entries and so long a comment; returns its bytes. */
static size_t make_end(uint8_t *at, uint64_t entries, int wide, size_t comment)
{
    size_t bytes = 0;
    if (wide) {
        memset(at, 0, 76);
        memcpy(at, "PK\x06\x06", 4);
        put(at + 32, entries, 8);
        memcpy(at + 56, "PK\x06\x07", 4);
        bytes = 76;
    }
    memset(at + bytes, 0, 22);
    memcpy(at + bytes, "PK\x05\x06", 4);
    put(at + bytes + 10, wide ? 0xffff : entries, 2);
    put(at + bytes + 20, comment, 2);
    memset(at + bytes + 22, 'c', comment);
    return bytes + 22 + comment;
}

static void entries_of_a_zip(void **state)
{
    static const size_t comments[] = {0, 1, 1000, 65535};
    uint8_t *file = malloc(200000);
    (void)state;
    assert_non_null(file);
    memset(file, 'x', 100000);
    for (size_t c = 0; c < 4; c++) {
        for (int wide = 0; wide <= 1; wide++) {
            uint64_t want = wide ? 0x123456789aULL : 65535, entries = 0;
            size_t bytes = 100000 + make_end(file + 100000, want, wide, comments[c]);
            assert_int_equal(fn_archive_zip_entries(file, bytes, &entries), 1);
            assert_int_equal(entries, want);
            /* By no more than what stands there, and not by less. */
            uint8_t *exact = malloc(bytes - 100000);
            assert_non_null(exact);
            memcpy(exact, file + 100000, bytes - 100000);
            assert_int_equal(fn_archive_zip_entries(exact, bytes - 100000, &entries), 1);
            assert_int_equal(entries, want);
            assert_int_equal(fn_archive_zip_entries(exact, bytes - 100001, &entries), 0);
            free(exact);
        }
    }
    /* A comment that looks like an end and says that it is longer. */
    uint64_t entries = 0;
    size_t bytes = make_end(file, 7, 0, 100);
    memcpy(file + 30, file, 22);
    put(file + 50, 5000, 2);
    assert_int_equal(fn_archive_zip_entries(file, bytes, &entries), 1);
    assert_int_equal(entries, 7);
    for (size_t n = 0; n < 22; n++)
        assert_int_equal(fn_archive_zip_entries(file, n, &entries), 0);
    free(file);
}

static void beginnings(void **state)
{
    uint8_t head[512];
    (void)state;
    for (size_t at = 0; at <= 200; at += 100) {
        memset(head, 0, sizeof head);
        memcpy(head, "lfw/Ann/1.jpg", 13);
        head[at + 20] = 'x';
        unsigned long sum = 8 * ' ';
        for (size_t i = 0; i < sizeof head; i++)
            sum += head[i];
        snprintf((char *)head + 148, 8, "%06lo", sum);
        head[155] = ' ';
        assert_int_equal(fn_archive_is_tar(head, sizeof head), 1);
        assert_int_equal(fn_archive_begins(head, sizeof head), 1);
        assert_int_equal(fn_archive_is_tar(head, sizeof head - 1), 0);
        head[300] ^= 1;
        assert_int_equal(fn_archive_is_tar(head, sizeof head), 0);
        assert_int_equal(fn_archive_begins(head, sizeof head), 0);
        memcpy(head + 257, "ustar", 5); /* damaged, but no other kind of file */
        assert_int_equal(fn_archive_begins(head, sizeof head), 1);
    }
    memset(head, 0, sizeof head);
    assert_int_equal(fn_archive_begins(head, sizeof head), 0);
    static const char *const magics[] = {"\x1f\x8b", "PK\x03\x04",       "PK\x05\x06",
                                         "LZIP",     "\x28\xb5\x2f\xfd", "BZh91AY&SY"};
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        size_t n = strlen(magics[i]);
        assert_int_equal(fn_archive_begins((const uint8_t *)magics[i], n), 1);
        assert_int_equal(fn_archive_begins((const uint8_t *)magics[i], n - 1), 0);
    }
}

static void ends_of_a_tar(void **state)
{
    uint8_t tail[1024];
    (void)state;
    memset(tail, 0, sizeof tail);
    for (size_t n = 0; n <= sizeof tail; n++)
        assert_int_equal(fn_archive_tar_ends(tail, n), n >= 512);
    tail[511] = 1;
    assert_int_equal(fn_archive_tar_ends(tail, sizeof tail), 1);
    tail[512] = 1;
    assert_int_equal(fn_archive_tar_ends(tail, sizeof tail), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_of_a_zip),
        cmocka_unit_test(beginnings),
        cmocka_unit_test(ends_of_a_tar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

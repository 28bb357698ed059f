/* SPDX-License-Identifier: MIT */
/* Leaving out pictures by their distance: the threshold, the classes that go, files that are none.
 */
#include "train/filter.h"

#include <math.h>

#include "base/file.h"
#include "tests/make_store.h"

/* What numpy 1.24 and 2.4 say to the original's find_threshold. */
static void test_threshold(void **state)
{
    double even[100], same[5] = {2, 2, 2, 2, 2}, gap[10] = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
    const double huge[2] = {1e308, 1.7e308};
    (void)state;
    for (int i = 0; i < 100; i++) /* bins of one value, centres 0.495, 1.485, ... 98.505 */
        even[i] = i;
    assert_true(fabs(fn_filter_threshold(even, 100, 100) - 98.505) < 1e-9);
    assert_true(fabs(fn_filter_threshold(even, 100, 50) - (0.495 + 49 * 0.99)) < 1e-9);
    assert_true(fabs(fn_filter_threshold(even, 100, 50.5) - (0.495 + 49.5 * 0.99)) < 1e-9);
    assert_true(fabs(fn_filter_threshold(even, 100, 0) - 0.495) < 1e-9); /* below the first */
    /* One value: a range of 1 around it, all in bin 50. */
    assert_true(fabs(fn_filter_threshold(same, 5, 100) - 2.495) < 1e-9);
    /* cdf is 0.5 over 99 bins: the last of equal ones is looked up. */
    assert_true(fabs(fn_filter_threshold(gap, 10, 50) - 0.985) < 1e-9);
    assert_true(fabs(fn_filter_threshold(gap, 10, 49) - 0.005) < 1e-9);
    assert_true(fabs(fn_filter_threshold(gap, 10, 75) - 0.99) < 1e-9);
    /* What no embedding gives, but a file may say. */
    assert_true(fn_filter_threshold(huge, 1, 50) == 1e308);
    assert_true(fabs(fn_filter_threshold(huge, 2, 100) / 1.6965e308 - 1) < 1e-9);
}

struct place {
    char *dir, *file;
    struct fn_store *store;
};

static void open_place(struct place *p)
{
    static const int images[] = {4, 3, 2, 1};
    char *db;
    p->dir = test_folder();
    p->file = fn_path_join(p->dir, "distances.tsv");
    db = fn_path_join(p->dir, "db");
    make_store(&(struct make_store){db, images, 4, 24, 20, FN_CODEC_JPEG, 0});
    assert_ok(fn_store_open(&p->store, db));
    free(db);
}

static void close_place(struct place *p)
{
    fn_store_close(&p->store);
    assert_ok(fn_remove_tree(p->dir));
    free(p->dir);
    free(p->file);
}

static void put_file(const struct place *p, const char *text)
{
    assert_ok(fn_file_write(p->file, text, strlen(text)));
}

static uint64_t id_of(const struct place *p, const char *class_name, const char *name)
{
    struct fn_reader *reader;
    struct fn_record rec;
    assert_ok(fn_reader_open(&reader, p->store));
    assert_ok(fn_reader_find(reader, class_name, name, &rec));
    fn_reader_close(&reader);
    return rec.id;
}

/* Far: one of four of person000, one of three of person001, one of two of person002, a stranger. */
static const char table[] = FN_FILTER_HEADER "0\tperson000\tperson000_0001\n"
                                             "1.5\tperson000\tperson000_0002\n"
                                             "0.1\tperson001\tperson001_0001\n"
                                             "2\tperson001\tperson001_0003\n"
                                             "1.9\tperson002\tperson002_0001\n"
                                             "1.8\tnobody\tnobody_0001\n"
                                             "0.2\tperson003\tperson003_0001\n";

static void test_drops(void **state)
{
    struct fn_filter_result result;
    uint8_t *dropped = NULL;
    struct place p;
    uint64_t all = 0;
    (void)state;
    open_place(&p);
    put_file(&p, table);
    /* 3 of 7 are below 0.22: 42.9 %; between 1.49 and its neighbours lies nothing. */
    const struct fn_filter_options o = {p.file, 45, 0}, least = {p.file, 45, 2};
    assert_ok(fn_filter_read(&dropped, p.store, &o, &result));
    assert_true(result.threshold > 0.2 && result.threshold < 1.5);
    assert_true(result.rows == 7 && result.far == 4 && result.unknown == 1);
    assert_true(result.dropped == 3 && result.classes == 0);
    for (uint64_t i = 0; i < 10; i++)
        all += dropped[i];
    assert_true(all == 3 && dropped[id_of(&p, "person000", "person000_0002")] &&
                dropped[id_of(&p, "person001", "person001_0003")] &&
                dropped[id_of(&p, "person002", "person002_0001")]);
    free(dropped);
    /* person002 lost one and has one left: it goes. Classes that lost none stay, however small. */
    assert_ok(fn_filter_read(&dropped, p.store, &least, &result));
    assert_true(result.dropped == 4 && result.classes == 1);
    assert_true(dropped[id_of(&p, "person002", "person002_0002")]);
    free(dropped);
    close_place(&p);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *says;
        int code;
    } cases[] = {
        {"\x89HDF\r\n\x1a\n\1\2\3", "fn-embed --model RUN", FN_EUNSUPPORTED},
        {"", "distances.tsv:1: want a distance", FN_EFORMAT},
        {"distance\tclass\n", ":1: want", FN_EFORMAT},
        {FN_FILTER_HEADER, "has no row", FN_EFORMAT},
        {FN_FILTER_HEADER "1\ta\tb\n1\ta\n", ":3: want", FN_EFORMAT},
        {FN_FILTER_HEADER "1\ta\tb\tc\n", ":2: want", FN_EFORMAT},
        {FN_FILTER_HEADER "nan\ta\tb\n", ":2: want", FN_EFORMAT},
        {FN_FILTER_HEADER "-1\ta\tb\n", ":2: want", FN_EFORMAT},
        {FN_FILTER_HEADER "1x\ta\tb\n", ":2: want", FN_EFORMAT},
        {FN_FILTER_HEADER "1\t..\tb\n", ":2: want", FN_EFORMAT},
        {FN_FILTER_HEADER "1\ta\\q\tb\n", ":2: want", FN_EFORMAT},
        {FN_FILTER_HEADER "1\ta\tb", ":2: want", FN_EFORMAT}, /* cut short */
        {FN_FILTER_HEADER "1\ta\tb\n", "none of the 1 pictures that", FN_EMISMATCH},
    };
    struct fn_filter_result result;
    uint8_t *dropped;
    struct place p;
    (void)state;
    open_place(&p);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct fn_filter_options o = {p.file, 0, 0};
        put_file(&p, cases[i].text);
        assert_int_equal(fn_filter_read(&dropped, p.store, &o, &result), cases[i].code);
        if (!strstr(fn_err_text(cases[i].code), cases[i].says))
            fail_msg("case %zu says '%s'", i, fn_err_text(cases[i].code));
        assert_null(dropped);
    }
    const struct fn_filter_options none = {"nowhere", 100, 0};
    assert_int_equal(fn_filter_read(&dropped, p.store, &none, &result), FN_ENOENT);
    close_place(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_drops),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

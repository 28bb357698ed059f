/* SPDX-License-Identifier: MIT */
/* The validation split against the rule written out, class lists, and what is refused. */
#include "train/split.h"

#include <math.h>

#include "base/file.h"
#include "tests/make_store.h"

static const int images[] = {1, 2, 3, 5, 10, 40, 100, 7, 1, 20};
enum { CLASSES = sizeof images / sizeof *images, RECORDS = 189 };

struct place {
    char *dir, *path;
    struct fn_store *store;
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    p->dir = test_folder();
    p->path = fn_path_join(p->dir, "db");
    make_store(&(struct make_store){p->path, images, CLASSES, 24, 20, FN_CODEC_JPEG, 0});
    assert_ok(fn_store_open(&p->store, p->path));
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    fn_store_close(&p->store);
    assert_ok(fn_remove_tree(p->dir));
    free(p->path);
    free(p->dir);
    free(p);
    return 0;
}

/* Every record of a kept class stands once, with its class's new label; sets do not overlap. */
static void check_sets(const struct fn_store *store, const struct fn_split *s,
                       const uint8_t *dropped)
{
    uint8_t seen[RECORDS] = {0};
    uint64_t train = 0, val = 0;
    uint32_t val_classes = 0;
    for (uint32_t i = 0; i < s->classes; i++) {
        assert_true(s->kept[i].train_first == train);
        for (uint64_t k = 0; k < s->kept[i].train; k++)
            assert_int_equal(s->train.labels[train + k], i);
        train += s->kept[i].train;
        val += s->kept[i].val;
        val_classes += s->kept[i].val > 0;
        assert_int_equal(s->new_label[s->kept[i].store_label], i);
        assert_true(i == 0 || s->kept[i].store_label > s->kept[i - 1].store_label);
    }
    assert_true(train == s->train.count && val == s->val.count);
    assert_int_equal(val_classes, s->val_classes);
    for (int set = 0; set < 2; set++) {
        const struct fn_examples *e = set ? &s->val : &s->train;
        for (size_t i = 0; i < e->count; i++) {
            uint32_t label;
            assert_ok(fn_store_label(store, e->ids[i], &label));
            assert_int_equal(s->new_label[label], e->labels[i]);
            assert_false(seen[e->ids[i]]++);
            assert_true(!dropped || !dropped[e->ids[i]]);
        }
    }
    for (uint64_t id = 0; id < RECORDS; id++) {
        uint32_t label;
        assert_ok(fn_store_label(store, id, &label));
        assert_int_equal(seen[id], s->new_label[label] >= 0 && !(dropped && dropped[id]));
    }
}

static void rule(void **state)
{
    struct place *p = *state;
    static const double ratios[] = {0.01, 0.1, 0.3, 0.5, 0.9, 0.999};
    static const double minima[] = {0, 1, 2.5, 9, 9.0001};
    for (size_t r = 0; r < 6; r++)
        for (size_t m = 0; m < 5; m++) {
            struct fn_split_options o = {ratios[r], minima[m], 666, NULL};
            struct fn_split *s;
            uint32_t kept = 0;
            int rc = fn_split_open(&s, p->store, &o);
            uint64_t train = 0;
            for (uint32_t c = 0; c < CLASSES; c++) {
                int n = images[c], split = (int)floor(n * (1 - ratios[r]));
                if (split == n)
                    split = n - 1;
                if (!(split >= minima[m] && n - split >= 1))
                    continue;
                train += (uint64_t)split;
                if (rc == FN_OK) {
                    assert_int_equal(s->kept[kept].store_label, c);
                    assert_int_equal(s->kept[kept].train, split);
                    assert_int_equal(s->kept[kept].val, n - split);
                }
                kept++;
            }
            if (train == 0) {
                assert_int_equal(rc, FN_EFORMAT);
                assert_null(s);
                continue;
            }
            assert_ok(rc);
            assert_int_equal(s->classes, kept);
            check_sets(p->store, s, NULL);
            fn_split_close(&s);
        }
}

static void no_validation(void **state)
{
    struct place *p = *state;
    struct fn_split_options o = {0, 1000, 1, NULL}; /* the minimum has no meaning then */
    struct fn_split *s;
    assert_ok(fn_split_open(&s, p->store, &o));
    assert_true(s->classes == CLASSES && s->train.count == RECORDS && s->val.count == 0);
    check_sets(p->store, s, NULL);
    for (size_t i = 0; i < RECORDS; i++)
        assert_true(s->train.ids[i] == i);
    fn_split_close(&s);
    fn_split_close(&s);
}

/* The seed decides which images, not how many; the same seed decides the same. */
static void seeds(void **state)
{
    struct place *p = *state;
    struct fn_split *a, *b, *c;
    size_t differ = 0;
    assert_ok(fn_split_open(&a, p->store, &(struct fn_split_options){0.3, 0, 1, NULL}));
    assert_ok(fn_split_open(&b, p->store, &(struct fn_split_options){0.3, 0, 1, NULL}));
    assert_ok(fn_split_open(&c, p->store, &(struct fn_split_options){0.3, 0, 2, NULL}));
    assert_true(a->train.count == b->train.count && a->train.count == c->train.count);
    assert_memory_equal(a->train.ids, b->train.ids, a->train.count * sizeof *a->train.ids);
    assert_memory_equal(a->val.ids, b->val.ids, a->val.count * sizeof *a->val.ids);
    for (size_t i = 0; i < a->train.count; i++)
        differ += a->train.ids[i] != c->train.ids[i];
    assert_true(differ > a->train.count / 2);
    fn_split_close(&a);
    fn_split_close(&b);
    fn_split_close(&c);
}

static void dropped(void **state)
{
    struct place *p = *state;
    uint8_t drop[RECORDS] = {0};
    const uint64_t *ids;
    uint64_t n;
    struct fn_split *s;
    assert_ok(fn_store_members(p->store, 5, &ids, &n)); /* 40 images: all go */
    for (uint64_t i = 0; i < n; i++)
        drop[ids[i]] = 1;
    assert_ok(fn_store_members(p->store, 4, &ids, &n)); /* 10 images: 3 are left */
    for (uint64_t i = 3; i < n; i++)
        drop[ids[i]] = 2;
    for (int k = 0; k < 2; k++) {
        assert_ok(fn_split_open(&s, p->store, &(struct fn_split_options){k * 0.4, 0, 1, drop}));
        check_sets(p->store, s, drop);
        assert_int_equal(s->new_label[5], -1);
        assert_int_equal(s->kept[s->new_label[4]].train, k ? 1 : 3);
        fn_split_close(&s);
    }
    memset(drop, 1, sizeof drop);
    assert_int_equal(fn_split_open(&s, p->store, &(struct fn_split_options){0, 0, 1, drop}),
                     FN_EFORMAT);
    assert_non_null(strstr(fn_err_text(FN_EFORMAT), "nothing to train on"));
    assert_non_null(strstr(fn_err_text(FN_EFORMAT), "after filtering"));
}

static void misuse(void **state)
{
    struct place *p = *state;
    static const double bad[] = {-0.1, 1, 2, NAN};
    struct fn_split *s;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            fn_split_open(&s, p->store, &(struct fn_split_options){bad[i], 0, 1, NULL}), FN_EUSAGE);
    assert_int_equal(fn_split_open(&s, p->store, &(struct fn_split_options){0.1, NAN, 1, NULL}),
                     FN_EUSAGE);
}

/* ---- classes.tsv ---- */

static char *slurp(const char *path)
{
    unsigned char *data;
    size_t bytes;
    assert_ok(fn_file_read(path, 1 << 20, &data, &bytes));
    return (char *)data;
}

static void class_list(void **state)
{
    struct place *p = *state;
    char *path = fn_path_join(p->dir, "classes.tsv");
    struct fn_split *s;
    struct fn_class_list *a, *b;
    assert_ok(fn_split_open(&s, p->store, &(struct fn_split_options){0.5, 10, 1, NULL}));
    assert_ok(fn_class_list_of(&a, s, p->store));
    fn_split_close(&s);
    assert_ok(fn_class_list_write(a, path));
    char *text = slurp(path);
    assert_string_equal(text, "label\tclass\ttraining_images\tvalidation_images\n"
                              "0\tperson005\t20\t20\n1\tperson006\t50\t50\n2\tperson009\t10\t10\n");
    free(text);
    assert_ok(fn_class_list_read(&b, path));
    assert_ok(fn_class_list_compare(a, "this run", b, "the checkpoint"));
    b->train[1]++;
    assert_int_equal(fn_class_list_compare(a, "this run", b, "the checkpoint"), FN_EMISMATCH);
    assert_string_equal(fn_err_text(FN_EMISMATCH),
                        "class 1 ('person006') has 50 training and 50 validation images in this "
                        "run, 51 and 50 in the checkpoint");
    b->name[1][0] = 'P';
    assert_int_equal(fn_class_list_compare(a, "this run", b, "the checkpoint"), FN_EMISMATCH);
    assert_string_equal(fn_err_text(FN_EMISMATCH),
                        "class 1 of this run is 'person006', of the checkpoint 'Person006'");
    fn_class_list_close(&b);
    fn_class_list_close(&a);
    fn_class_list_close(&a);
    free(path);
}

/* Any name a store can have comes back, and is one line of text that is valid UTF-8. */
static void odd_names(void **state)
{
    struct place *p = *state;
    char *path = fn_path_join(p->dir, "odd.tsv");
    char *names[] = {"m.0abc",
                     "Zo\xc3\xab \xe5\x90\x8d",
                     "latin \xe9\xff",
                     "back\\slash\\x41",
                     "\\",
                     "\\\\x",
                     "\x80",
                     " blank "};
    uint64_t numbers[] = {0, 1, 2, 3, 4, 5, 6, 999999999999};
    struct fn_class_list l = {8, names, numbers, numbers}, *back;
    assert_ok(fn_class_list_write(&l, path));
    char *text = slurp(path);
    assert_non_null(strstr(text, "2\tlatin \\xe9\\xff\t2\t2\n"));
    assert_non_null(strstr(text, "3\tback\\\\slash\\\\x41\t3\t3\n"));
    free(text);
    assert_ok(fn_class_list_read(&back, path));
    assert_ok(fn_class_list_compare(&l, "a", back, "b"));
    fn_class_list_close(&back);
    free(path);
}

static void bad_lists(void **state)
{
    struct place *p = *state;
    char *path = fn_path_join(p->dir, "bad.tsv");
#define HEAD "label\tclass\ttraining_images\tvalidation_images\n"
    static const char *const bad[] = {
        "",
        "label\tclass\n",
        HEAD "0\ta\t1\t1", /* cut short */
        HEAD "1\ta\t1\t1\n",
        HEAD "0\ta\t1\n",
        HEAD "0\ta\t1\t1\t1\n",
        HEAD "0\ta\t-1\t1\n",
        HEAD "0\t\t1\t1\n",
        HEAD "0\ta/b\t1\t1\n",
        HEAD "0\ta\\y\t1\t1\n",
        HEAD "0\ta\\x4\t1\t1\n",
        HEAD "0\t\\x00a\t1\t1\n",
        HEAD "0\ta\t1\t1\n0\tb\t1\t1\n",
        HEAD "0\ta\t1\t99999999999999999999\n",
        HEAD "\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fn_class_list *l = (void *)&bad;
        assert_ok(fn_file_write(path, bad[i], strlen(bad[i])));
        int rc = fn_class_list_read(&l, path);
        if (rc != FN_EFORMAT || !strstr(fn_err_text(rc), "bad.tsv"))
            fail_msg("'%s' gives %d '%s'", bad[i], rc, fn_err_text(rc));
        assert_null(l);
    }
    struct fn_class_list *l;
    assert_int_equal(fn_class_list_read(&l, "/no/such/file"), FN_ENOENT);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule),      cmocka_unit_test(no_validation), cmocka_unit_test(seeds),
        cmocka_unit_test(dropped),   cmocka_unit_test(misuse),        cmocka_unit_test(class_list),
        cmocka_unit_test(odd_names), cmocka_unit_test(bad_lists),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

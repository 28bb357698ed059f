/* SPDX-License-Identifier: MIT */
/* Safetensors and .npy: what comes back, what hostile headers get, the published model, the Python
 * libraries on what we write. */
#include "train/safetensors.h"

#include <math.h>
#include <sys/stat.h>

#include "base/file.h"
#include "tests/python.h"
#include "train/npy.h"

static int fill_steps(void *context, size_t index, void *buffer)
{
    static const int64_t steps[] = {1, -2, (int64_t)1 << 40};
    assert_int_equal(index, *(size_t *)context);
    memcpy(buffer, steps, sizeof steps);
    return FN_OK;
}

static int write_ours(const char *path)
{
    static const float weights[] = {0, 0.25f, 0.5f, 0.75f, 1, 1.25f}, scalar = -1.5f;
    static const double wide[] = {1.0 / 3, 1e300};
    size_t steps = 3;
    struct fn_named_tensor t[] = {
        {.name = "a.weight", .dtype = FN_DTYPE_F32, .rank = 2, .shape = {2, 3}, .data = weights},
        {.name = "scalar", .dtype = FN_DTYPE_F32, .rank = 0, .data = &scalar},
        {.name = "empty", .dtype = FN_DTYPE_F32, .rank = 2, .shape = {0, 4}},
        {.name = "steps", .dtype = FN_DTYPE_I64, .rank = 1, .shape = {3}},
        {.name = "wide", .dtype = FN_DTYPE_F64, .rank = 1, .shape = {2}, .data = wide},
    };
    struct fn_meta meta[] = {{"note", "\xc3\xa4 \"quoted\""}, {"fn.xxh3", "from another file"}};
    return fn_safetensors_write(path, t, 5, meta, 2, fill_steps, &steps);
}

static void write_npy(const char *dir)
{
    char *path = fn_path_join(dir, "ours.npy"), *none = fn_path_join(dir, "none.npy");
    struct fn_npy *n;
    float rows[35];
    for (int i = 0; i < 35; i++)
        rows[i] = (float)i;
    assert_ok(fn_npy_open(&n, path, 5));
    assert_ok(fn_npy_rows(n, rows, 3));
    assert_ok(fn_npy_rows(n, rows + 15, 4));
    assert_int_equal(fn_is_file(path), 0);
    assert_ok(fn_npy_commit(n));
    fn_npy_close(&n);
    fn_npy_close(&n);
    assert_ok(fn_npy_open(&n, none, 3));
    assert_ok(fn_npy_commit(n));
    fn_npy_close(&n);
    free(path);
    free(none);
}

static void round_trip(void **state)
{
    (void)state;
    char *dir = test_folder(), *path = fn_path_join(dir, "ours.safetensors");
    struct fn_safetensors *st;
    assert_ok(write_ours(path));
    assert_ok(fn_safetensors_open(&st, path));
    assert_ok(fn_safetensors_verify(st));
    assert_int_equal(fn_safetensors_count(st), 5);
    assert_string_equal(fn_safetensors_meta(st, "note"), "\xc3\xa4 \"quoted\"");
    assert_null(fn_safetensors_meta(st, "nothing"));
    const struct fn_named_tensor *t = fn_safetensors_find(st, "a.weight");
    assert_non_null(t);
    assert_true(t->rank == 2 && t->shape[0] == 2 && t->shape[1] == 3 && t->count == 6);
    float f[6];
    int64_t steps[3];
    assert_ok(fn_tensor_floats(t, f));
    assert_true(f[5] == 1.25f);
    for (size_t k = 0; k < 5; k++) /* each aligned for its own type */
        assert_int_equal(((uintptr_t)fn_safetensors_at(st, k)->data) %
                             fn_dtype_bytes(fn_safetensors_at(st, k)->dtype),
                         0);
    t = fn_safetensors_find(st, "steps");
    memcpy(steps, t->data, sizeof steps);
    assert_true(steps[1] == -2 && steps[2] == (int64_t)1 << 40);
    assert_int_equal(fn_tensor_floats(t, f), FN_EMISMATCH);
    assert_ok(fn_tensor_floats(fn_safetensors_find(st, "wide"), f));
    assert_true(f[0] == 1.0f / 3);
    assert_null(fn_safetensors_find(st, "a.weigh"));
    fn_safetensors_close(&st);
    fn_safetensors_close(&st);
    /* The same content gives the same bytes; a changed bit is noticed. */
    unsigned char *a, *b;
    size_t na, nb;
    assert_ok(fn_file_read(path, 1 << 20, &a, &na));
    assert_ok(write_ours(path));
    assert_ok(fn_file_read(path, 1 << 20, &b, &nb));
    assert_true(na == nb && memcmp(a, b, na) == 0);
    a[na - 1] ^= 1;
    assert_ok(fn_safetensors_parse(&st, a, na, "flipped"));
    assert_int_equal(fn_safetensors_verify(st), FN_ECORRUPT);
    fn_safetensors_close(&st);
    free(a);
    free(b);
    assert_ok(fn_remove_tree(dir));
    free(path);
    free(dir);
}

static void against_python(void **state)
{
    (void)state;
    need_python("safetensors.numpy, numpy");
    char *dir = test_folder(), *path = fn_path_join(dir, "ours.safetensors");
    assert_ok(write_ours(path));
    write_npy(dir);
    assert_int_equal(python_run("check_safetensors.py", dir), 0);
    assert_ok(fn_remove_tree(dir));
    free(path);
    free(dir);
}

/* A file in memory: header text, then `data` bytes of zeros. */
static int parse(const char *header, size_t data, struct fn_safetensors **st)
{
    static unsigned char file[4096];
    size_t n = strlen(header);
    memset(file, 0, sizeof file);
    for (int i = 0; i < 8; i++)
        file[i] = (unsigned char)((uint64_t)n >> 8 * i);
    memcpy(file + 8, header, n);
    return fn_safetensors_parse(st, file, 8 + n + data, "file");
}

/* Headers that are none, by what is said of them. */
static const struct {
    const char *header;
    size_t data;
    int code;
    const char *says;
} bad[] = {
    {"[]", 0, FN_EFORMAT, "no JSON object"},
    {"", 0, FN_EFORMAT, "not a safetensors file"},
    {"{\"a\":1}", 0, FN_EFORMAT, "no dtype"},
    {"{\"a\":{\"dtype\":\"F31\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, FN_EUNSUPPORTED, "F31"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, FN_EFORMAT, "shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, FN_EFORMAT, "shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
     FN_EFORMAT, "at most 8"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
     FN_EFORMAT, "larger than any memory"},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", 0,
     FN_EFORMAT, "larger than any memory"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, FN_EFORMAT, "offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, FN_EFORMAT, "offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, FN_EFORMAT, "fit"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, FN_ECORRUPT,
     "cut short"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 5, FN_EFORMAT, "behind"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, FN_EFORMAT, "gap"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
     "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
     4, FN_EFORMAT, "overlap"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
     "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
     8, FN_EFORMAT, "overlap"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},"
     "\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}",
     0, FN_EFORMAT, "not a safetensors file"},
    {"{\"__metadata__\":{\"a\":1}}", 0, FN_EFORMAT, "not a string"},
    {"{\"__metadata__\":[]}", 0, FN_EFORMAT, "not an object"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,99999999999999999999]}}", 4,
     FN_EFORMAT, "not a safetensors file"},
};

static void hostile(void **state)
{
    struct fn_safetensors *st;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int rc = parse(bad[i].header, bad[i].data, &st);
        assert_null(st);
        if (rc != bad[i].code || !strstr(fn_err_text(rc), bad[i].says))
            fail_msg("%s: %d '%s', want '%s'", bad[i].header, rc, fn_err_text(rc), bad[i].says);
    }
    assert_int_equal(fn_safetensors_parse(&st, "1234567", 7, "file"), FN_EFORMAT);
    assert_int_equal(fn_safetensors_parse(&st, "\x10\0\0\0\0\0\0\0{}", 10, "file"), FN_ECORRUPT);
    assert_int_equal(fn_safetensors_parse(&st, "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "file"),
                     FN_EFORMAT);
    assert_ok(parse("{}", 0, &st));
    assert_int_equal(fn_safetensors_count(st), 0);
    assert_null(fn_safetensors_find(st, "a"));
    fn_safetensors_close(&st);
    /* Empty tensors share their place with others. */
    assert_ok(parse("{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                    "\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},"
                    "\"c\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[2,2]}}  ",
                    2, &st));
    fn_safetensors_close(&st);
}

static void check_values(int dtype, const void *data, uint64_t count, const double *want)
{
    struct fn_named_tensor t = {
        .name = "t", .dtype = dtype, .rank = 1, .shape = {count}, .count = count, .data = data};
    t.bytes = count * fn_dtype_bytes(dtype);
    float f[16];
    assert_ok(fn_tensor_floats(&t, f));
    for (uint64_t i = 0; i < count; i++)
        if (!((double)f[i] == want[i] || (isnan(f[i]) && isnan(want[i]))))
            fail_msg("%s[%d]: %g, want %g", fn_dtype_name(dtype), (int)i, (double)f[i], want[i]);
}

static void types(void **state)
{
    (void)state;
    check_values(FN_DTYPE_F16,
                 (const uint16_t[]){0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x0400, 0x8001, 0x7c00,
                                    0xfc00, 0x7e00, 0x3555},
                 11,
                 (const double[]){1, -2, 65504, 0x1p-24, 1023 * 0x1p-24, 0x1p-14, -0x1p-24,
                                  INFINITY, -INFINITY, NAN, 0.333251953125});
    check_values(FN_DTYPE_BF16, (const uint16_t[]){0x3f80, 0xc000, 0x7f80}, 3,
                 (const double[]){1, -2, INFINITY});
    assert_string_equal(fn_dtype_name(-1), "?");
    assert_int_equal(fn_dtype_bytes(FN_DTYPE_COUNT), 0);
}

static void bad_writes(void **state)
{
    (void)state;
    char *dir = test_folder(), *path = fn_path_join(dir, "x");
    float v = 1;
    struct fn_named_tensor t[] = {{.name = "a", .dtype = FN_DTYPE_F32, .data = &v},
                                  {.name = "a", .dtype = FN_DTYPE_F32, .data = &v}};
    assert_ok(fn_file_write(path, "old", 3));
    assert_int_equal(fn_safetensors_write(path, t, 2, NULL, 0, NULL, NULL), FN_EINTERNAL);
    t[1].name = "\xff";
    assert_int_equal(fn_safetensors_write(path, t, 2, NULL, 0, NULL, NULL), FN_EINTERNAL);
    t[1].name = "b";
    t[1].rank = 9;
    assert_int_equal(fn_safetensors_write(path, t, 2, NULL, 0, NULL, NULL), FN_EINTERNAL);
    t[1].rank = 0;
    t[1].data = NULL;
    assert_int_equal(fn_safetensors_write(path, t, 2, NULL, 0, NULL, NULL), FN_EINTERNAL);
    unsigned char *data;
    size_t bytes;
    assert_ok(fn_file_read(path, 100, &data, &bytes));
    assert_string_equal((char *)data, "old");
    free(data);
    struct fn_npy *n;
    assert_int_equal(fn_npy_open(&n, "/no/such/folder/x.npy", 3), FN_ENOENT);
    assert_null(n);
    struct fn_safetensors *st;
    assert_int_equal(fn_safetensors_open(&st, "/no/such/file"), FN_ENOENT);
    assert_null(st);
    assert_ok(fn_remove_tree(dir));
    free(path);
    free(dir);
}

static void published_model(void **state)
{
    (void)state;
    need_data("irv1-vggface2.safetensors");
    struct fn_safetensors *st;
    assert_ok(fn_safetensors_open(&st, test_data("irv1-vggface2.safetensors")));
    assert_ok(fn_safetensors_verify(st)); /* has no checksum */
    assert_int_equal(fn_safetensors_count(st), 602);
    const struct fn_named_tensor *t = fn_safetensors_find(st, "conv2d_1a.conv.weight");
    assert_non_null(t);
    assert_true(t->dtype == FN_DTYPE_F32 && t->rank == 4 && t->shape[0] == 32 && t->shape[3] == 3);
    uint64_t weights = 0;
    for (size_t i = 0; i < fn_safetensors_count(st); i++) {
        t = fn_safetensors_at(st, i);
        assert_ptr_equal(fn_safetensors_find(st, t->name), t);
        if (t->dtype == FN_DTYPE_F32)
            weights += t->count;
    }
    assert_in_range(weights, 23400000, 23600000);
    fn_safetensors_close(&st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip), cmocka_unit_test(against_python),
        cmocka_unit_test(hostile),    cmocka_unit_test(types),
        cmocka_unit_test(bad_writes), cmocka_unit_test(published_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Backends in modules of their own: one that is not there, is no module, is of another build, lacks
 * a library; and one that fits. The modules are made here, by the compiler that built this. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernels/module.h"
#include "tests/test.h"

#ifndef FN_TEST_CC
#define FN_TEST_CC "cc"
#endif

static char folder[] = "/tmp/fn-module-XXXXXX";

/* Compiles a module from a line of source; its path. */
static const char *make(const char *name, const char *source, const char *libraries)
{
    static char path[256];
    char command[4096], code[300];
    snprintf(code, sizeof code, "%s/%s.c", folder, name);
    FILE *file = fopen(code, "w");
    assert_non_null(file);
    fprintf(file, "%s\n", source);
    assert_int_equal(fclose(file), 0);
    snprintf(path, sizeof path, "%s/%s.so", folder, name);
    snprintf(command, sizeof command,
             "%s -std=c11 -D_GNU_SOURCE -DFN_VERSION='\"%s\"' -I'%s' -shared -fPIC -o '%s' '%s' %s",
             FN_TEST_CC, FN_VERSION, FN_SOURCE_DIR, path, code, libraries);
    if (system(command) != 0)
        fail_msg("%s", command);
    return path;
}

static int load(const char *path)
{
    const struct fn_backend *backend = &fn_backend_ref;
    assert_int_equal(setenv("FN_TEST_MODULE", path, 1), 0);
    int rc = fn_module_load("FN_TEST_MODULE", "libfn_no_such.so", &backend);
    assert_true(rc == FN_OK || !backend);
    if (rc == FN_OK)
        assert_string_equal(backend->name, "toy");
    else
        printf("%s\n", fn_err_text(rc));
    return rc;
}

#define HEAD "#include \"kernels/module.h\"\n"

static void test_missing(void **state)
{
    const struct fn_backend *backend;
    (void)state;
    assert_int_equal(load("/no/such/file.so"), FN_EUNSUPPORTED);
    assert_non_null(strstr(fn_err_text(0), "FN_TEST_MODULE=/no/such/file.so: no such file"));
    assert_int_equal(unsetenv("FN_TEST_MODULE"), 0);
    assert_int_equal(fn_module_load("FN_TEST_MODULE", "libfn_no_such.so", &backend),
                     FN_EUNSUPPORTED);
    assert_non_null(strstr(fn_err_text(0), "libfn_no_such.so is neither in "));
}

static void test_wrong(void **state)
{
    (void)state;
    assert_int_equal(load("/etc/passwd"), FN_EUNSUPPORTED);
    assert_non_null(strstr(fn_err_text(0), "/etc/passwd cannot be loaded: "));
    assert_int_equal(load(make("other", "int other = 1;", "")), FN_EVERSION);
    assert_non_null(strstr(fn_err_text(0), "it has no fn_module"));
    assert_int_equal(
        load(
            make("old", HEAD "const struct fn_module fn_module = {.abi = FN_MODULE_ABI + 1};", "")),
        FN_EVERSION);
    assert_non_null(strstr(fn_err_text(0), "is of another build"));
    assert_int_equal(load(make("longer",
                               HEAD "static const struct fn_backend toy = {.name = \"toy\"};\n"
                                    "const struct fn_module fn_module = {.abi = FN_MODULE_ABI,\n"
                                    ".backend_bytes = sizeof toy + 8, .version = FN_VERSION,\n"
                                    ".info_bytes = sizeof(struct fn_dev_info),\n"
                                    ".options_bytes = sizeof(struct fn_dev_options),\n"
                                    ".backend = &toy};",
                               "")),
                     FN_EVERSION);
}

/* A library that the module needs is gone: the loader's reason is in the sentence. */
static void test_library(void **state)
{
    char needs[400], gone[300];
    (void)state;
    snprintf(gone, sizeof gone, "%s", make("libgone", "int gone = 1;", ""));
    snprintf(needs, sizeof needs, "-Wl,--no-as-needed '%s'", gone);
    const char *path = make("needs", "int needs = 1;", needs);
    assert_int_equal(unlink(gone), 0);
    assert_int_equal(load(path), FN_EUNSUPPORTED);
    assert_non_null(strstr(fn_err_text(0), "libgone.so: cannot open shared object file"));
}

/* It reaches this program's functions: a failure in it is this thread's sentence. */
static void test_fits(void **state)
{
    const struct fn_backend *backend;
    const struct fn_dev_options options = {0};
    struct fn_dev *dev;
    (void)state;
    const char *path =
        make("fits",
             HEAD "static int no(struct fn_dev **d, const struct fn_dev_options *o)\n"
                  "{ (void)o; *d = 0; return fn_fail(FN_EUNSUPPORTED, \"the toy is %d\", 7); }\n"
                  "static const struct fn_backend toy = {.name = \"toy\", .open = no};\n"
                  "const struct fn_module fn_module = FN_MODULE(toy);",
             "");
    assert_int_equal(load(path), FN_OK);
    assert_int_equal(fn_module_load("FN_TEST_MODULE", "", &backend), FN_OK);
    assert_int_equal(backend->open(&dev, &options), FN_EUNSUPPORTED);
    assert_string_equal(fn_err_text(0), "the toy is 7");
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_library),
        cmocka_unit_test(test_fits),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

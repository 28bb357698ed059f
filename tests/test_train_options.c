/* SPDX-License-Identifier: MIT */
/* fn-train's options: every flag of train_softmax.py and train_tripletloss.py, with its default. */
#include "tests/test.h"
#include "train/train_options.h"

/* Of both originals and their copies in the UCloud example; None: no default there. */
static const struct {
    const char *name, *value;
} originals[] = {
    {"logs_base_dir", "~/logs/facenet"},
    {"models_base_dir", "~/models/facenet"},
    {"gpu_memory_fraction", "1"},
    {"pretrained_model", "None"},
    {"data_path", "~/datasets/casia/casia_maxpy_mtcnnalign_182_160"},
    {"data_dir", "None"},
    {"output_dir", "None"},
    {"work_dir", "/data/"},
    {"log_dir", "/data/data/"},
    {"num_gpus", "1"},
    {"model_def", "models.inception_resnet_v1"},
    {"max_nrof_epochs", "500"},
    {"batch_size", "90"},
    {"image_size", "160"},
    {"epoch_size", "1000"},
    {"embedding_size", "128"},
    {"random_crop", "False"},
    {"random_flip", "False"},
    {"random_rotate", "False"},
    {"use_fixed_image_standardization", "False"},
    {"keep_probability", "1"},
    {"weight_decay", "0"},
    {"center_loss_factor", "0"},
    {"center_loss_alfa", "0.95"},
    {"prelogits_norm_loss_factor", "0"},
    {"prelogits_norm_p", "1"},
    {"prelogits_hist_max", "10"},
    {"optimizer", "ADAGRAD"},
    {"learning_rate", "0.1"},
    {"learning_rate_decay_epochs", "100"},
    {"learning_rate_decay_factor", "1"},
    {"moving_average_decay", "0.9999"},
    {"seed", "666"},
    {"learning_rate_schedule_file", "data/learning_rate_schedule.txt"},
    {"log_histograms", "False"},
    {"filter_filename", "None"},
    {"filter_percentile", "100"},
    {"filter_min_nrof_images_per_class", "0"},
    {"validate_every_n_epochs", "5"},
    {"validation_set_split_ratio", "0"},
    {"min_nrof_val_images_per_class", "0"},
    {"people_per_batch", "45"},
    {"images_per_person", "40"},
    {"alpha", "0.2"},
    {"lfw_pairs", "data/pairs.txt"},
    {"lfw_dir", ""},
    {"lfw_nrof_folds", "10"},
    {"lfw_batch_size", "100"},
    {"lfw_distance_metric", "0"},
    {"lfw_use_flipped_images", "False"},
    {"lfw_subtract_mean", "False"},
};

static char *printed(void)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    assert_non_null(f);
    fputc('\n', f);
    fn_train_options_print(f);
    assert_int_equal(fclose(f), 0);
    return text;
}

/* "name: value" is one of the printed lines. */
static void expect_line(const char *text, const char *name, const char *value)
{
    char line[256];
    snprintf(line, sizeof line, "\n%s: %s\n", name, value);
    if (!strstr(text, line))
        fail_msg("no line '%s: %s'", name, value);
}

static void test_defaults(void **state)
{
    char *text = printed();
    (void)state;
    for (size_t i = 0; i < sizeof originals / sizeof *originals; i++)
        expect_line(text, originals[i].name, originals[i].value);
    expect_line(text, "batch_norm_decay", "0.995");
    free(text);
}

/* Each is listed in --help. (nrof_preprocess_threads is ours by meaning: the original's 4 threads.)
 */
static void test_help(void **state)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    (void)state;
    assert_non_null(f);
    fn_args_help(fn_train_tool(), f);
    assert_int_equal(fclose(f), 0);
    for (size_t i = 0; i < sizeof originals / sizeof *originals; i++) {
        char option[128];
        snprintf(option, sizeof option, "--%s ", originals[i].name);
        if (!strstr(text, option)) {
            option[strlen(option) - 1] = '\n';
            assert_non_null(strstr(text, option));
        }
    }
    assert_non_null(strstr(text, "--nrof_preprocess_threads"));
    free(text);
}

static void test_values(void **state)
{
    char *argv[] = {(char *)(uintptr_t) "fn-train",
                    (char *)(uintptr_t) "--store=db",
                    (char *)(uintptr_t) "--learning_rate",
                    (char *)(uintptr_t) "-1",
                    (char *)(uintptr_t) "--random-crop",
                    (char *)(uintptr_t) "--weight_decay",
                    (char *)(uintptr_t) "5e-4",
                    NULL};
    const struct fn_train_options *o;
    char *checkpoint, *text;
    json_t *json;
    (void)state;
    assert_ok(fn_train_options_parse(7, argv, &o, &checkpoint));
    assert_null(checkpoint);
    assert_string_equal(o->store, "db");
    assert_true(o->random_crop == 1 && o->learning_rate == -1 && o->weight_decay == 5e-4);
    assert_int_equal(fn_train_options_given("random_crop"), 1);
    assert_int_equal(fn_train_options_given("random_flip"), 0);
    text = printed();
    expect_line(text, "weight_decay", "0.0005");
    expect_line(text, "random_crop", "True");
    free(text);
    json = fn_train_options_json();
    assert_string_equal(json_string_value(json_object_get(json, "weight_decay")), "0.0005");
    assert_true(json_string_value(json_object_get(json, "store"))[0] == '/');
    assert_null(json_object_get(json, "resume"));
    json_decref(json);
    fn_train_options_free();
}

static void test_paths(void **state)
{
    static const struct {
        const char *base, *path, *want;
    } cases[] = {{"out", "models", "out/models"},
                 {"out/", "models/", "out/models/"},
                 {"out", "/models", "/models"},
                 {NULL, "models", "models"},
                 {"out", "~/models", "/home/x/models"},
                 {"~", "models", "/home/x/models"},
                 {"", "models", "models"},
                 {"out", "~y/models", "out/~y/models"}};
    (void)state;
    assert_int_equal(setenv("HOME", "/home/x", 1), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *joined = fn_path_under(cases[i].base, cases[i].path);
        assert_string_equal(joined, cases[i].want);
        free(joined);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

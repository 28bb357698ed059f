/* SPDX-License-Identifier: MIT */
/* Command lines: what is taken, what is refused with which sentence, what --help says. */
#include "tests/test.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include "base/args.h"
#include "base/args_internal.h"

static const char *const codecs[] = {"jpeg", "png", "raw", "keep", NULL};
static const char *const optimizers[] = {"ADAGRAD", "ADADELTA", "ADAM", "RMSPROP", "MOM", NULL};

static struct values {
    const char *store, *codec, *optimizer;
    int64_t size, any;
    uint64_t shard_bytes;
    double rate;
    int overwrite, flip;
    int share;
    struct fn_arg_list inputs;
    struct fn_common common;
} v;

static int check_share(void *value, const char *text)
{
    char *end;
    long percent = strtol(text, &end, 10);
    if (end == text || strcmp(end, "%") != 0 || percent < 0 || percent > 100)
        return fn_fail(FN_EUSAGE, "want a percentage such as 5%%");
    *(int *)value = (int)percent;
    return FN_OK;
}

static void show_share(const void *value, char *buf, size_t cap)
{
    snprintf(buf, cap, "%d%%", *(const int *)value);
}

static struct fn_arg table[] = {
    {.kind = FN_ARG_HEADING, .help = "Store"},
    {.name = "store",
     .letter = 'd',
     .kind = FN_ARG_STRING,
     .value = &v.store,
     .metavar = "DIR",
     .help = "folder of the store"},
    {.name = "size",
     .kind = FN_ARG_INT,
     .value = &v.size,
     .min = 0,
     .max = 4096,
     .help =
         "side of a picture in pixels, 0 to keep it as it is; a sentence that is long enough to "
         "need a second line in every width that is possible"},
    {.name = "any", .kind = FN_ARG_INT, .value = &v.any, .help = "any whole number"},
    {.name = "shard-bytes",
     .kind = FN_ARG_BYTES,
     .value = &v.shard_bytes,
     .min = 4096,
     .max = 0,
     .help = "size of a shard"},
    {.name = "learning_rate",
     .kind = FN_ARG_REAL,
     .value = &v.rate,
     .min = 0,
     .max = 10,
     .help = "rate"},
    {.name = "codec",
     .letter = 'c',
     .kind = FN_ARG_CHOICE,
     .value = &v.codec,
     .choices = codecs,
     .help = "how pictures are stored"},
    {.name = "optimizer",
     .kind = FN_ARG_CHOICE,
     .value = &v.optimizer,
     .choices = optimizers,
     .help = "rule of the update"},
    {.name = "overwrite",
     .letter = 'o',
     .kind = FN_ARG_FLAG,
     .value = &v.overwrite,
     .help = "replace what is there"},
    {.name = "random_flip", .kind = FN_ARG_FLAG, .value = &v.flip, .help = "mirror half of them"},
    {.name = "max-share",
     .kind = FN_ARG_CHECKED,
     .value = &v.share,
     .check = check_share,
     .show = show_share,
     .metavar = "P%",
     .help = "stop when more are bad"},
    {.name = "input",
     .letter = 'i',
     .kind = FN_ARG_LIST,
     .value = &v.inputs,
     .metavar = "FILE",
     .help = "a further input"},
    {.name = "old_name", .kind = FN_ARG_INT, .value = &v.any},
    FN_COMMON_ARGS(&v.common),
    {0},
};

static struct fn_tool tool = {
    .name = "fn-test",
    .synopsis = "[OPTIONS] STORE [INPUT]\n--join DIR...",
    .purpose = "Tries what a command line can hold.",
    .epilog = "Examples:\n  fn-test db\n",
    .args = table,
    .max_operands = -1,
    .operand_name = "INPUT",
};

static const char **operands;
static size_t operand_count;

/* parse("--size 5 x"): words between single blanks; "" is a word too. */
static int parse(const char *line)
{
    static char copy[1000];
    static char *argv[40];
    int argc = 0;
    argv[argc++] = tool.name ? (char *)(uintptr_t)tool.name : NULL;
    snprintf(copy, sizeof copy, "%s", line);
    char *rest = copy, *word;
    while (*line && (word = strsep(&rest, " ")) != NULL && argc < 39)
        argv[argc++] = word;
    argv[argc] = NULL;
    fn_args_free(&tool, &operands);
    memset(&v, 0, sizeof v);
    v.codec = "jpeg";
    v.optimizer = "ADAGRAD";
    v.size = 182;
    v.shard_bytes = UINT64_C(4) << 30;
    v.rate = 0.1;
    v.flip = 1;
    v.share = 5;
    return fn_args_parse(&tool, argc, argv, &operands, &operand_count);
}

static void refused(const char *line, const char *sentence)
{
    int rc = parse(line);
    if (rc != FN_EUSAGE)
        fail_msg("'%s' gives %d, want a usage error", line, rc);
    if (strcmp(fn_err_text(rc), sentence) != 0)
        fail_msg("'%s' says\n  %s\nwant\n  %s", line, fn_err_text(rc), sentence);
    assert_int_equal(operand_count, 0);
}

static int forget(void **state)
{
    (void)state;
    fn_args_free(&tool, &operands);
    tool.min_operands = 0;
    tool.max_operands = -1;
    return 0;
}

static void test_forms(void **state)
{
    (void)state;
    assert_ok(parse(""));
    assert_true(v.size == 182 && operand_count == 0);
    assert_ok(parse("a --size 5 b --store=x=y - --codec png c"));
    assert_true(v.size == 5);
    assert_string_equal(v.store, "x=y");
    assert_ptr_equal(v.codec, codecs[1]);
    assert_int_equal(operand_count, 4);
    assert_string_equal(operands[0], "a");
    assert_string_equal(operands[1], "b");
    assert_string_equal(operands[2], "-");
    assert_string_equal(operands[3], "c");
    /* '-' and '_' alike, both ways. */
    assert_ok(parse("--shard_bytes 64k --learning-rate 0.5 --no_random-flip"));
    assert_true(v.shard_bytes == 65536 && v.rate == 0.5 && v.flip == 0);
    /* Letters. */
    assert_ok(parse("-qvd x -cpng -oiA -i B"));
    assert_true(v.common.quiet && v.common.verbose && v.overwrite);
    assert_string_equal(v.store, "x");
    assert_string_equal(v.codec, "png");
    assert_int_equal(v.inputs.count, 2);
    assert_string_equal(v.inputs.items[0], "A");
    assert_string_equal(v.inputs.items[1], "B");
    /* The last one holds; how often is counted. */
    assert_ok(parse("--overwrite --no-overwrite --size 1 --size 2"));
    assert_true(v.overwrite == 0 && v.size == 2);
    assert_int_equal(table[2].given, 2);
    assert_int_equal(table[1].given, 0);
    /* After "--" nothing is an option. */
    assert_ok(parse("-- --size -q --"));
    assert_int_equal(operand_count, 3);
    assert_string_equal(operands[0], "--size");
    assert_true(v.size == 182 && !v.common.quiet);
    /* Empty words, values that look like options by a '='. */
    assert_ok(parse("--store=  --input=--size"));
    assert_string_equal(v.store, "");
    assert_int_equal(operand_count, 1);
    assert_string_equal(operands[0], "");
    assert_string_equal(v.inputs.items[0], "--size");
    /* Taken but not listed. */
    assert_ok(parse("--old-name -3"));
    assert_true(v.any == -3);
}

static void test_values(void **state)
{
    (void)state;
    assert_ok(parse("--any -9223372036854775808"));
    assert_true(v.any == INT64_MIN);
    assert_ok(parse("--any +9223372036854775807"));
    assert_true(v.any == INT64_MAX);
    assert_ok(parse("--size 0 --learning_rate 1e-3 --max-share 7%"));
    assert_true(v.size == 0 && v.rate == 1e-3 && v.share == 7);
    assert_ok(parse("--size 4096 --learning_rate .5"));
    assert_true(v.size == 4096 && v.rate == 0.5);
    static const struct {
        const char *line;
        uint64_t bytes;
    } map[] = {{"--shard-bytes 4096", 4096},
               {"--shard-bytes 4k", 4096},
               {"--shard-bytes 5K", 5120},
               {"--shard-bytes 3M", 3 << 20},
               {"--shard-bytes 7g", UINT64_C(7) << 30},
               {"--shard-bytes 2T", UINT64_C(2) << 40},
               {"--shard-bytes 16777215T", UINT64_C(16777215) << 40},
               {"--shard-bytes 18446744073709551615", UINT64_MAX}};
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        assert_ok(parse(map[i].line));
        assert_true(v.shard_bytes == map[i].bytes);
    }
}

static void test_bad_values(void **state)
{
    (void)state;
    static const char *const not_int[] = {"",  "x",  "5x",   "1.5", " 5",
                                          "+", "--", "0x10", "+-5", "99999999999999999999"};
    for (size_t i = 0; i < sizeof not_int / sizeof not_int[0]; i++) {
        char line[80], sentence[200];
        if (strchr(not_int[i], ' '))
            continue; /* parse() splits there */
        snprintf(line, sizeof line, "--any=%s", not_int[i]);
        snprintf(sentence, sizeof sentence, "option --any: '%s' is not a whole number", not_int[i]);
        refused(line, sentence);
    }
    refused("--size 4097", "option --size: '4097' is not a whole number from 0 to 4096");
    refused("--size -1", "option --size: '-1' is not a whole number from 0 to 4096");
    static const char *const not_real[] = {"",    "nan",  "inf",  "0x1p3", "1e999",
                                           "1,5", "-0.1", "10.1", "1e"};
    for (size_t i = 0; i < sizeof not_real / sizeof not_real[0]; i++) {
        char line[80], sentence[200];
        snprintf(line, sizeof line, "--learning-rate=%s", not_real[i]);
        snprintf(sentence, sizeof sentence,
                 "option --learning_rate: '%s' is not a finite number from 0 to 10", not_real[i]);
        refused(line, sentence);
    }
    static const char *const not_bytes[] = {"", "k", "-1", "4kB", "4KiB", "1.5G", "4095", "0x1000"};
    for (size_t i = 0; i < sizeof not_bytes / sizeof not_bytes[0]; i++) {
        char line[80], sentence[200];
        snprintf(line, sizeof line, "--shard-bytes=%s", not_bytes[i]);
        snprintf(sentence, sizeof sentence,
                 "option --shard-bytes: '%s' is not a number of bytes, such as 65536, 64k, 512M, "
                 "4G or 1T, of at least 4096",
                 not_bytes[i]);
        refused(line, sentence);
    }
    static const char *const too_many[] = {"16777216T", "18446744073709551616", "17179869184G"};
    for (size_t i = 0; i < sizeof too_many / sizeof too_many[0]; i++) {
        char line[80], sentence[200];
        snprintf(line, sizeof line, "--shard-bytes=%s", too_many[i]);
        snprintf(sentence, sizeof sentence,
                 "option --shard-bytes: '%s' is more than 2^64 - 1 bytes", too_many[i]);
        refused(line, sentence);
    }
    refused("-c gif", "option -c: 'gif' is not one of jpeg, png, raw or keep");
    refused("--codec jpg",
            "option --codec: 'jpg' is not one of jpeg, png, raw or keep; did you mean jpeg?");
    refused("--optimizer adam", "option --optimizer: 'adam' is not one of ADAGRAD, ADADELTA, ADAM, "
                                "RMSPROP or MOM; did you mean ADAM?");
    refused("--max-share 5", "option --max-share: '5': want a percentage such as 5%");
}

static void test_unknown_options(void **state)
{
    (void)state;
    refused("--theads 2", "unknown option --theads; did you mean --threads?");
    refused("--stroe=x", "unknown option --stroe; did you mean --store?");
    refused("--learningrate 1", "unknown option --learningrate; did you mean --learning_rate?");
    refused("--rate 1", "unknown option --rate");
    refused("--frobnicate", "unknown option --frobnicate");
    refused("--learn 1", "unknown option --learn; did you mean --learning_rate?");
    refused("--optim x", "unknown option --optim; did you mean --optimizer?");
    refused("--hepl", "unknown option --hepl; did you mean --help?");
    refused("--no-overwite", "unknown option --no-overwite; did you mean --no-overwrite?");
    refused("--no-size", "unknown option --no-size: --size takes a value, it has no 'no'");
    refused("--old_nam 1", "unknown option --old_nam"); /* not listed, not suggested */
    refused("-x", "unknown option -x");
    refused("-5", "unknown option -5");
    refused("-qx", "unknown option -x in -qx");
    refused("-size 5", "unknown option -size; did you mean --size?");
    refused("-size=5", "unknown option -size=5; did you mean --size?");
    refused("-sizze", "unknown option -sizze; did you mean --size?");
    refused("--overwrite=1", "option --overwrite takes no value, but '1' was given");
    refused("--help=1", "option --help takes no value, but '1' was given");
}

static void test_missing_values(void **state)
{
    (void)state;
    refused("--store", "option --store wants a value (DIR), and the line ends there");
    refused("-c", "option -c wants a value (jpeg|png|raw|keep), and the line ends there");
    refused("--store --size 5",
            "option --store wants a value (DIR), but --size follows; if that is "
            "the value, write --store=--size");
    refused("--any --", "option --any wants a value (N), but -- follows; if that is the value, "
                        "write --any=--");
    assert_ok(parse("--store --strange")); /* no option of ours: a value */
    assert_string_equal(v.store, "--strange");
}

static void test_operand_counts(void **state)
{
    (void)state;
    tool.min_operands = 1;
    tool.max_operands = 2;
    refused("", "no INPUT was given");
    refused("a b c", "'c' is one operand too many: at most 2 (INPUT) can be given");
    assert_ok(parse("a b"));
    tool.min_operands = 2;
    refused("a", "want at least 2 operands (INPUT), got 1");
    tool.min_operands = tool.max_operands = 0;
    refused("a", "'a' is not an option, and nothing else is taken");
    assert_ok(parse(""));
}

static void test_distance(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        unsigned distance;
    } map[] = {{"", "", 0},       {"a", "", 1},          {"", "abc", 3},
               {"abc", "abc", 0}, {"abc", "axc", 1},     {"abc", "acb", 1},
               {"abc", "bca", 2}, {"a-b_c", "A_b-C", 0}, {"kitten", "sitting", 3}};
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        assert_int_equal(fn_arg_distance(map[i].a, map[i].b), map[i].distance);
        assert_int_equal(fn_arg_distance(map[i].b, map[i].a), map[i].distance);
    }
    char long_name[200];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(fn_arg_distance(long_name, "a"), 62);
}

static void test_help(void **state)
{
    (void)state;
    assert_ok(parse(""));
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    fn_args_help(&tool, out);
    fclose(out);
    static const char want[] =
        "usage: fn-test [OPTIONS] STORE [INPUT]\n"
        "       fn-test --join DIR...\n"
        "\n"
        "Tries what a command line can hold.\n"
        "\n"
        "Store:\n"
        "  -d, --store DIR          folder of the store\n"
        "      --size N             side of a picture in pixels, 0 to keep it as it is; a\n"
        "                           sentence that is long enough to need a second line in\n"
        "                           every width that is possible (default: 182)\n"
        "      --any N              any whole number (default: 0)\n"
        "      --shard-bytes BYTES  size of a shard (default: 4G)\n"
        "      --learning_rate X    rate (default: 0.1)\n"
        "  -c, --codec jpeg|png|raw|keep\n"
        "                           how pictures are stored (default: jpeg)\n"
        "      --optimizer NAME     rule of the update: ADAGRAD, ADADELTA, ADAM, RMSPROP\n"
        "                           or MOM (default: ADAGRAD)\n"
        "  -o, --overwrite          replace what is there\n"
        "      --[no-]random_flip   mirror half of them (default: on)\n"
        "      --max-share P%       stop when more are bad (default: 5%)\n"
        "  -i, --input FILE         a further input; may be given several times\n"
        "\n"
        "Common:\n"
        "      --threads N          compute threads, 0 for one per core (default: 0)\n"
        "  -q, --quiet              say nothing but warnings and errors\n"
        "  -v, --verbose            say more\n"
        "      --json               print the summary as one JSON object on stdout, and\n"
        "                           nothing else there\n"
        "  -h, --help               print this and exit\n"
        "      --version            print the version and exit\n"
        "\n"
        "Examples:\n"
        "  fn-test db\n";
    assert_string_equal(text, want);
    free(text);
}

/* The longest line of the help on a terminal of so many columns. */
static size_t longest_on_terminal(unsigned short columns)
{
    static char text[4000]; /* less than a terminal holds unread */
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    int outer = test_terminal();
    FILE *out = fopen(ptsname(outer), "w");
    assert_non_null(out);
    assert_int_equal(ioctl(fileno(out), TIOCSWINSZ, &size), 0);
    fn_args_help(&tool, out);
    fclose(out);
    size_t bytes = 0; /* they come in pieces, and EIO after the last */
    for (ssize_t more; (more = read(outer, text + bytes, sizeof text - 1 - bytes)) > 0;)
        bytes += (size_t)more;
    assert_true(bytes > 1000);
    text[bytes] = '\0';
    close(outer);
    size_t longest = 0;
    for (char *line = strtok(text, "\r\n"); line; line = strtok(NULL, "\r\n"))
        longest = strlen(line) > longest ? strlen(line) : longest;
    return longest;
}

static void test_help_fits_the_terminal(void **state)
{
    (void)state;
    assert_ok(parse(""));
    assert_in_range(longest_on_terminal(40), 70, 80);
    assert_in_range(longest_on_terminal(90), 81, 90);
    assert_in_range(longest_on_terminal(200), 91, 100);
}

#define test(function) cmocka_unit_test_teardown(function, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_forms),           test(test_values),         test(test_bad_values),
        test(test_unknown_options), test(test_missing_values), test(test_operand_counts),
        test(test_distance),        test(test_help),           test(test_help_fits_the_terminal),
    };
    return cmocka_run_group_tests_name("args", tests, NULL, NULL);
}

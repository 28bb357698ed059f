/* SPDX-License-Identifier: MIT */
/* Pages: escaping of hostile bytes, tables, pictures, atomic writing; checked by Python's parsers.
 */
#include "base/html.h"
#include "tests/in_folder.h"
#include "tests/python.h"

#define PATH path_of("page.html")

static struct fn_html *begin(const char *title)
{
    struct fn_html *html;
    assert_ok(fn_html_open(&html, PATH, "Test", title, "a lead & more"));
    return html;
}

/* The page as text, malloc'd. */
static char *end(struct fn_html *html)
{
    unsigned char *text;
    size_t bytes;
    assert_ok(fn_html_commit(html, "test"));
    fn_html_close(&html);
    assert_null(html);
    assert_ok(fn_file_read(PATH, 1 << 20, &text, &bytes));
    assert_int_equal(python_run("check_page.py", PATH), 0);
    return (char *)text;
}

static void test_escape(void **state)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        {"plain", "[plain]"},
        {"<script>alert(1)</script>", "[&lt;script&gt;alert(1)&lt;/script&gt;]"},
        {"a\"b'c&d", "[a&quot;b&#39;c&amp;d]"},
        {"]]>--><!--", "[]]&gt;--&gt;&lt;!--]"},
        {"caf\303\251 \344\275\240 \360\237\230\200",
         "[caf\303\251 \344\275\240 \360\237\230\200]"},
        {"\377\300\257", "[\\xff\\xc0\\xaf]"}, /* never UTF-8; an overlong slash */
        {"\355\240\200", "[\\xed\\xa0\\x80]"}, /* a surrogate */
        {"\357\277\277", "[\\xef\\xbf\\xbf]"}, /* U+FFFF is no character */
        {"\302\205", "[\\xc2\\x85]"},          /* C1 control */
        {"\001\t\n\033[31m\177", "[\\x01\\x09\\x0a\\x1b[31m\\x7f]"},
        {"cut \342\202", "[cut \\xe2\\x82]"},
    };
    (void)state;
    struct fn_html *html = begin("\"><svg onload=alert(1)>\n\377");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fn_html_put(html, "<p>[");
        fn_html_text(html, rows[i].from, strlen(rows[i].from));
        fn_html_put(html, "]</p>\n");
    }
    char *text = end(html);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strstr(text, rows[i].to))
            fail_msg("row %zu is not %s", i, rows[i].to);
    assert_non_null(strstr(text, "<title>&quot;&gt;&lt;svg onload=alert(1)&gt;\\x0a\\xff - Test<"));
    assert_non_null(strstr(text, "a lead &amp; more"));
    assert_null(strstr(text, "<script"));
    free(text);
}

/* Every byte, alone and before every other, wherever strangers' bytes may stand. */
static void test_every_byte(void **state)
{
    static const char *const columns[] = {"name", "#number"};
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', 13, 10, 26, 10};
    (void)state;
    struct fn_html *html = begin("bytes");
    for (int a = 0; a < 256; a += 1) {
        char pair[512];
        for (int b = 0; b < 256; b++) {
            pair[2 * b] = (char)a;
            pair[2 * b + 1] = (char)b;
        }
        fn_html_put(html, "<p title=\"");
        fn_html_text(html, pair, sizeof pair);
        fn_html_put(html, "\">");
        fn_html_name(html, pair, sizeof pair);
        fn_html_put(html, "</p>\n");
    }
    char name[] = "x<\"'&\377";
    const struct fn_html_tile tile = {name, name, name};
    fn_html_section(html, name, name);
    fn_html_tiles(html, &tile, 1);
    fn_html_facts(html);
    fn_html_fact(html, name, "%s", name);
    fn_html_facts_end(html);
    fn_html_table(html, name, columns, 2);
    fn_html_cell(html, "%s", name);
    fn_html_cell(html, "%d", 7);
    fn_html_cell(html, "half a row");
    fn_html_table_end(html);
    fn_html_image(html, png, sizeof png, 3, 2, name);
    fn_html_section_end(html);
    char *text = end(html);
    assert_non_null(strstr(text, "<tr><td><bdi>x&lt;&quot;&#39;&amp;\\xff</bdi></td>"
                                 "<td class=\"n\">7</td></tr>"));
    assert_non_null(strstr(text, "<img width=\"3\" height=\"2\" alt=\"x&lt;"));
    free(text);
}

/* The test vectors of RFC 4648, after a JPEG's first two bytes so that the page is one. */
static void test_base64(void **state)
{
    static const struct {
        const char *data, *text;
    } rows[] = {{"\377\330f", "/9hm\""},
                {"\377\330fo", "/9hmbw==\""},
                {"\377\330foo", "/9hmb28=\""},
                {"\377\330foob", "/9hmb29i\""},
                {"\377\330\376\377", "/9j+/w==\""}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fn_html *html = begin("base64");
        fn_html_image(html, (const uint8_t *)rows[i].data, strlen(rows[i].data), 1, 1, "a");
        char *text = end(html);
        const char *at = strstr(text, "image/jpeg;base64,");
        assert_non_null(at);
        assert_memory_equal(at + strlen("image/jpeg;base64,"), rows[i].text, strlen(rows[i].text));
        free(text);
    }
}

static void test_thumb(void **state)
{
    struct fn_image image = {0}, small = {0};
    struct fn_bytes made = {0};
    struct fn_codec *codec;
    (void)state;
    assert_ok(fn_codec_open(&codec));
    assert_ok(fn_image_reserve(&image, 300, 150));
    memset(image.rgb, 200, (size_t)300 * 150 * 3);
    struct fn_html *html = begin("thumb");
    assert_ok(fn_html_thumb(html, codec, &image, 100, "wide", &small, &made));
    assert_ok(fn_html_thumb(html, codec, &image, 400, "as it is", &small, &made));
    char *text = end(html);
    assert_non_null(strstr(text, "<img width=\"100\" height=\"50\" alt=\"wide\""));
    assert_non_null(strstr(text, "<img width=\"300\" height=\"150\" alt=\"as it is\""));
    free(text);
    fn_image_free(&image);
    fn_image_free(&small);
    fn_bytes_free(&made);
    fn_codec_close(&codec);
}

/* Without a commit the old page stays, and nothing is left beside it. */
static void test_atomic(void **state)
{
    unsigned char *text;
    size_t bytes;
    char command[4200];
    (void)state;
    assert_ok(fn_file_write(PATH, "old", 3));
    struct fn_html *html = begin("new");
    fn_html_put(html, "<p>half a page");
    assert_true(fn_html_bytes(html) > 1000);
    fn_html_close(&html);
    assert_ok(fn_file_read(PATH, 100, &text, &bytes));
    assert_string_equal((char *)text, "old");
    free(text);
    snprintf(command, sizeof command, "test \"$(ls '%s')\" = page.html", folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(fn_html_open(&html, "/no/such/folder/page.html", "", "", ""), FN_ENOENT);
    assert_null(html);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape), cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_base64), cmocka_unit_test(test_thumb),
        cmocka_unit_test(test_atomic),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

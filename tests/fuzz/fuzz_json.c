/* SPDX-License-Identifier: MIT */
/* JSON from files that may be damaged: parsed or refused, and what was parsed is written and read
 * again as the same value. The bytes also serve as a name that need not be UTF-8. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tests/fuzz/fuzz.h"

static void expect(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *value = NULL, *again = NULL;
    if (fn_json_parse((const char *)data, size, "input", &value) == FN_OK) {
        char *text = fn_json_text(value);
        expect(text != NULL);
        expect(fn_json_parse(text, strlen(text), "output", &again) == FN_OK);
        expect(json_equal(value, again));
        free(text);
    }
    json_decref(value);
    json_decref(again);

    json_t *name = fn_json_bytes((const char *)data, size);
    expect(name != NULL);
    expect(strlen(json_string_value(name)) == json_string_length(name));
    json_decref(name);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* Archives: any bytes as an entry's path, and any bytes as a file, which is what the corpus of
 * tiny tars and zips makes of them. */
#include "ingest/entry.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fn_entry_name name;
    const char *path = (const char *)data;
    if (fn_entry_name(path, size, &name) == FN_ENTRY_PICTURE) {
        fuzz_require(!fn_entry_hidden(path, size));
        fuzz_require(fn_name_ok(name.class_name, name.class_bytes));
        fuzz_require(fn_name_ok(name.name, name.name_bytes));
        fuzz_require(name.class_name >= path && name.name > name.class_name + name.class_bytes);
        fuzz_require(name.name + name.name_bytes < path + size);
    }
    fuzz_input(data, size);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* Bounding-box files: taken or refused with a line's number; what was taken is found again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/faces.h"
#include "tests/fuzz/fuzz.h"

static void expect(int holds)
{
    if (!holds)
        abort();
}

/* The input as a path that can be opened, without a disk. */
static int as_file(const uint8_t *data, size_t size, char *path, size_t cap)
{
    int fd = memfd_create("boxes", MFD_CLOEXEC);
    expect(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, cap, "/proc/self/fd/%d", fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fn_boxes *boxes;
    struct fn_box box;
    char path[64], name[64] = {0};
    int fd = as_file(data, size, path, sizeof path);
    int rc = fn_boxes_open(&boxes, path);
    expect(rc == FN_OK || (rc == FN_EFORMAT && strstr(fn_err_text(rc), path)));
    if (rc == FN_OK) {
        size_t n = 0; /* the first word of the input as a name to look for */
        while (n < size && n < sizeof name - 1 && data[n] > ' ')
            n++;
        memcpy(name, data, n);
        enum fn_box_found found = fn_boxes_find(boxes, name, &box);
        if (found == FN_BOX_FOUND)
            expect(box.x1 < box.x2 && box.y1 < box.y2);
        if (fn_boxes_count(boxes) == 0)
            expect(found == FN_BOX_UNKNOWN);
    }
    fn_boxes_close(&boxes);
    close(fd);
    return 0;
}

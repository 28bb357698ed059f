/* SPDX-License-Identifier: MIT */
/* The one thing wanted from EXIF: the orientation, from bytes that nobody may be trusted to have
 * written well. */
#include "base/image_internal.h"

static unsigned get16(const uint8_t *p, int big)
{
    return big ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static uint32_t get32(const uint8_t *p, int big)
{
    return big ? (uint32_t)get16(p, 1) << 16 | get16(p + 2, 1)
               : (uint32_t)get16(p + 2, 0) << 16 | get16(p, 0);
}

int fn_exif_orientation(const uint8_t *tiff, size_t bytes)
{
    enum { TAG_ORIENTATION = 0x0112, SHORT = 3, LONG = 4, SIGNED_SHORT = 8, SIGNED_LONG = 9 };
    enum { ENTRY_BYTES = 12 }; /* tag 2, type 2, count 4, value (or where it is) 4 */
    int orientation = 1;
    if (bytes < 10)
        return 1;
    int big = tiff[0] == 'M' && tiff[1] == 'M';
    if (!big && !(tiff[0] == 'I' && tiff[1] == 'I'))
        return 1;
    size_t at = get32(tiff + 4, big);
    if (get16(tiff + 2, big) != 42 || at > bytes - 2)
        return 1;
    unsigned entries = get16(tiff + at, big);
    at += 2;
    for (unsigned i = 0; i < entries && bytes - at >= ENTRY_BYTES; i++, at += ENTRY_BYTES) {
        const uint8_t *entry = tiff + at;
        unsigned type = get16(entry + 2, big);
        uint32_t count = get32(entry + 4, big), value = 0;
        if (get16(entry, big) != TAG_ORIENTATION)
            continue;
        if ((type == SHORT || type == SIGNED_SHORT) && (count == 1 || count == 2))
            value = get16(entry + 8, big);
        if ((type == LONG || type == SIGNED_LONG) && count == 1)
            value = get32(entry + 8, big);
        orientation = value >= 1 && value <= 8 ? (int)value : 1;
    }
    return orientation;
}

/* SPDX-License-Identifier: MIT */
/* Huffman codes of a baseline JPEG to coefficients, in place of libjpeg(-turbo)'s own decoder,
 * which takes three fifths of the time in which faces are decoded. Differences: the scan is copied
 * once without its stuffed zeros, so that bits come eight bytes at a time; one lookup of 10 bits
 * gives up to two coefficients.
 *
 * Whatever is unusual is refused, before the first bit or in mid-scan, and is then libjpeg's from
 * the picture's start: what it takes, refuses or grumbles about stays its own decision.
 *
 * One state per codec, used by one thread; tables are kept while pictures bring the same ones. */
#ifndef FN_BASE_JPEG_HUFFMAN_H
#define FN_BASE_JPEG_HUFFMAN_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jpeglib.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether this libjpeg is one in whose place it was tried (2.1.5 and 3.2.0). How libjpeg's modules
 * call each other is not in its public headers, if unchanged since its version 6. */
#if defined(LIBJPEG_TURBO_VERSION_NUMBER) && LIBJPEG_TURBO_VERSION_NUMBER >= 2001000 &&            \
    LIBJPEG_TURBO_VERSION_NUMBER < 3003000
#define FN_HUFFMAN_FITS 1
#else
#define FN_HUFFMAN_FITS 0
#endif

struct fn_huffman;
int fn_huffman_open(struct fn_huffman **huffman); /* FN_ENOMEM */
void fn_huffman_close(struct fn_huffman **huffman);

/* The scan that `in`, after jpeg_start_decompress, is about to read from the bytes of its source,
 * all of which must be there. 1: it is one for fn_huffman_mcu. 0: it is not: progressive,
 * arithmetic, several scans, restarts, tables for more than 8 bits, fill bytes before its end, more
 * than FN_HUFFMAN_PIXELS, or no memory for the copy. */
int fn_huffman_begin(struct fn_huffman *huffman, const struct jpeg_decompress_struct *in);
/* So that sums of differences fit: at most 2^16 blocks of a component, each within 2^11. */
#define FN_HUFFMAN_PIXELS (1 << 22)

/* The next MCU: coefficients in natural order to its blocks, which must be zero; NULL: nowhere.
 * 0: a code that no table has, or the scan's bytes have ended. */
int fn_huffman_mcu(struct fn_huffman *huffman, JBLOCKROW *blocks);

/* After the last MCU: where the scan's bytes end, relative to where they began, if all of them were
 * needed; else 0. */
size_t fn_huffman_end(const struct fn_huffman *huffman);

#ifdef __cplusplus
}
#endif
#endif

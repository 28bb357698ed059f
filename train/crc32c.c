/* SPDX-License-Identifier: MIT */
/* CRC-32C (Castagnoli), four bytes a step, from tables made on first use. */
#include <pthread.h>
#include <string.h>

#include "train/events.h"

static uint32_t table[4][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* table[k][b]: what byte b does to the checksum when k more bytes follow it. */
static void make_tables(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t c = b;
        for (int bit = 0; bit < 8; bit++)
            c = c >> 1 ^ (c & 1 ? 0x82f63b78u : 0);
        table[0][b] = c;
    }
    for (uint32_t b = 0; b < 256; b++)
        for (int k = 1; k < 4; k++)
            table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 255];
}

uint32_t fn_crc32c(const void *data, size_t bytes)
{
    const unsigned char *p = data;
    uint32_t c = 0xffffffffu;
    pthread_once(&once, make_tables);
    for (; bytes >= 4; p += 4, bytes -= 4) {
        c ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        c = table[3][c & 255] ^ table[2][c >> 8 & 255] ^ table[1][c >> 16 & 255] ^
            table[0][c >> 24];
    }
    for (; bytes; p++, bytes--)
        c = c >> 8 ^ table[0][(c ^ *p) & 255];
    return ~c;
}

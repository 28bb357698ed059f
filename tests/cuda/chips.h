/* SPDX-License-Identifier: MIT */
/* Chips that are not there, as cuDNN's device properties describe them. */
#ifndef FN_TESTS_CUDA_CHIPS_H
#define FN_TESTS_CUDA_CHIPS_H

#include <stdio.h>

/* Published figures of each chip, as cuDNN's device properties want them. */
static const struct chip {
    const char *name;
    int capability, multiprocessors, shared, threads, blocks;
    long long memory, clock, cache, memory_clock; /* bytes, kHz */
    int bf16;
} chips[] = {
    {"Tesla T4", 750, 40, 65536, 1024, 16, 15800000000, 1590000, 4194304, 5001000, 0},
    {"A100", 800, 108, 166912, 2048, 32, 85000000000, 1410000, 41943040, 1593000, 1},
    {"RTX 3090", 860, 82, 101376, 1536, 16, 25400000000, 1695000, 6291456, 9751000, 1},
    {"RTX 4090", 890, 128, 101376, 1536, 24, 25300000000, 2520000, 75497472, 10501000, 1},
    {"H100", 900, 132, 232448, 2048, 32, 85000000000, 1980000, 52428800, 2619000, 1},
    {"H200", 900, 132, 232448, 2048, 32, 150000000000, 1980000, 62914560, 3201000, 1},
    {"B200", 1000, 148, 232448, 2048, 32, 190000000000, 1965000, 132644864, 3996000, 1},
    {"RTX 5090", 1200, 170, 101376, 1536, 24, 33600000000, 2407000, 100663296, 14001000, 1},
};
enum { CHIPS = sizeof chips / sizeof chips[0] };

static inline void describe(const struct chip *c, char *json, size_t size)
{
    snprintf(json, size,
             "{\"deviceVer\":%d,\"multiProcessorCount\":%d,\"warpSize\":32,"
             "\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":%d,"
             "\"reservedSharedMemoryPerBlock\":%d,\"maxRegistersPerSM\":65536,\"maxCtasPerSM\":%d,"
             "\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":%d,\"regsPerBlock\":65536,"
             "\"totalGlobalMem\":%lld,\"smClockRateKHz\":%lld,\"l2CacheSize\":%lld,"
             "\"maxBlockSize\":[1024,1024,64],\"memClockRateKHz\":%lld,"
             "\"maxGridSize\":[2147483647,65535,65535],\"supportCoopLaunch\":1,\"pciDeviceId\":0,"
             "\"isTccDriver\":0,\"cudaDeviceId\":0,\"driverVer\":13000,\"deviceName\":\"%s\"}",
             c->capability, c->multiprocessors, c->shared, c->capability >= 800 ? 1024 : 0,
             c->blocks, c->threads, c->memory, c->clock, c->cache, c->memory_clock, c->name);
}

#endif

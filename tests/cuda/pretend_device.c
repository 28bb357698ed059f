/* SPDX-License-Identifier: MIT */
/* The pretend GPU itself: what it is, what it has been asked, and how it fails. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/pretend_core.h"

enum { RUNTIME = 12000 }; /* what the libraries that are pretended need of a driver */

struct fn_pretend_state fn_pretend;

static pthread_mutex_t lock;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t shuffled;
static int is_chosen; /* by FN_PRETEND or a test */
static char fault[512];

/* ---- options ---- */

static const struct option {
    const char *name;
    size_t offset;
    uint64_t value; /* unless said otherwise */
} known[] = {
    {"order", offsetof(struct fn_pretend_options, order), FN_PRETEND_LAZY},
    {"seed", offsetof(struct fn_pretend_options, seed), 1},
    {"devices", offsetof(struct fn_pretend_options, devices), 1},
    {"capability", offsetof(struct fn_pretend_options, capability), 90},
    {"driver", offsetof(struct fn_pretend_options, driver), 13000},
    {"memory", offsetof(struct fn_pretend_options, memory), UINT64_C(64) << 30},
    {"fail_alloc", offsetof(struct fn_pretend_options, fail_alloc), 0},
    {"lose_after", offsetof(struct fn_pretend_options, lose_after), 0},
    {"idle", offsetof(struct fn_pretend_options, idle), 0},
    {"kernel_ns", offsetof(struct fn_pretend_options, kernel_ns), 0},
    {"skip", offsetof(struct fn_pretend_options, skip), 0},
    {"bad_engine", offsetof(struct fn_pretend_options, bad_engine), 0},
    {"real_dnn", offsetof(struct fn_pretend_options, real_dnn), 0},
};
enum { OPTIONS = sizeof known / sizeof known[0] };

static void set_option(struct fn_pretend_options *o, const struct option *k, uint64_t value)
{
    memcpy((char *)o + k->offset, &value, sizeof value);
}

struct fn_pretend_options fn_pretend_defaults(void)
{
    struct fn_pretend_options o;
    const char *at = getenv("FN_PRETEND");
    for (int i = 0; i < OPTIONS; i++)
        set_option(&o, &known[i], known[i].value);
    while (at && *at) {
        const size_t name = strcspn(at, "="), whole = strcspn(at, ",");
        int found = 0;
        for (int i = 0; i < OPTIONS; i++)
            if (strlen(known[i].name) == name && strncmp(known[i].name, at, name) == 0) {
                set_option(&o, &known[i], strtoull(at + name + 1, NULL, 0));
                found = 1;
            }
        if (!found || name >= whole) {
            fprintf(stderr, "pretend: FN_PRETEND: '%.*s' is no option\n", (int)whole, at);
            abort();
        }
        at += whole + (at[whole] == ',');
    }
    return o;
}

static void set(const struct fn_pretend_options *options)
{
    const uint64_t memory = fn_pretend.counts.memory;
    fn_pretend.options = *options;
    memset(&fn_pretend.counts, 0, sizeof fn_pretend.counts);
    fn_pretend.counts.memory = memory;
    fn_pretend.lost = 0;
    fn_pretend.last = cudaSuccess;
    fault[0] = '\0';
    shuffled = UINT64_C(0x9e3779b97f4a7c15) * (options->seed + 1);
}

static void start(void)
{
    const struct fn_pretend_options options = fn_pretend_defaults();
    pthread_mutexattr_t again;
    pthread_mutexattr_init(&again);
    pthread_mutexattr_settype(&again, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &again);
    pthread_mutexattr_destroy(&again);
    fn_emu_submit = fn_pretend_launch;
    is_chosen = getenv("FN_PRETEND") != NULL;
    set(&options);
}

void fn_pretend_set(const struct fn_pretend_options *options)
{
    pthread_once(&once, start);
    pthread_mutex_lock(&lock);
    set(options);
    is_chosen = 1;
    pthread_mutex_unlock(&lock);
}

void fn_pretend_next(void)
{
    static unsigned opened;
    struct fn_pretend_options o = fn_pretend_defaults();
    pthread_once(&once, start);
    pthread_mutex_lock(&lock);
    if (!is_chosen) {
        /* All orders in turn, also of every second device. */
        o.order = (opened + opened / 2) % (FN_PRETEND_RANDOM + 1);
        o.seed = ++opened;
        set(&o);
    }
    pthread_mutex_unlock(&lock);
}

struct fn_pretend_counts fn_pretend_counted(void)
{
    pthread_once(&once, start);
    pthread_mutex_lock(&lock);
    const struct fn_pretend_counts counts = fn_pretend.counts;
    pthread_mutex_unlock(&lock);
    return counts;
}

const char *fn_pretend_fault(void)
{
    return fault;
}

uint64_t fn_pretend_random(void)
{
    shuffled ^= shuffled << 13;
    shuffled ^= shuffled >> 7;
    shuffled ^= shuffled << 17;
    return shuffled >> 20;
}

/* ---- every call ---- */

static cudaError_t state_of_device(void)
{
    if (fn_pretend.lost)
        return cudaErrorLaunchFailure;
    if (fn_pretend.options.driver < RUNTIME)
        return cudaErrorInsufficientDriver;
    return fn_pretend.options.devices ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t fn_pretend_enter(void)
{
    pthread_once(&once, start);
    pthread_mutex_lock(&lock);
    fn_pretend.counts.calls++;
    return state_of_device();
}

cudaError_t fn_pretend_leave(cudaError_t error)
{
    if (error != cudaSuccess && error != cudaErrorNotReady)
        fn_pretend.last = error;
    pthread_mutex_unlock(&lock);
    return error;
}

cudaError_t fn_pretend_lose(void)
{
    if (!fn_pretend.options.lose_after || --fn_pretend.options.lose_after)
        return cudaSuccess;
    fn_pretend.lost = 1;
    return cudaErrorLaunchFailure;
}

cudaError_t fn_pretend_refuse(cudaError_t error, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(fault, sizeof fault, format, list);
    va_end(list);
    fn_pretend.counts.faults++;
    fprintf(stderr, "pretend: %s\n", fault);
    return error;
}

/* ---- places ---- */

enum { SITES = 64 };
static struct {
    const void *place;
    const char *call;
} sites[SITES];
static int site_count;

int fn_pretend_skips(const char *call, const void *place)
{
    int i = 0;
    while (i < site_count && (sites[i].place != place || sites[i].call != call))
        i++;
    if (i == SITES)
        return 0;
    if (i == site_count) {
        sites[site_count].place = place;
        sites[site_count++].call = call;
    }
    return fn_pretend.options.skip == (uint64_t)i + 1;
}

const char *fn_pretend_site(uint64_t number)
{
    return number >= 1 && number <= (uint64_t)site_count ? sites[number - 1].call : NULL;
}

/* ---- what it is ---- */

cudaError_t cudaGetDeviceCount(int *count)
{
    cudaError_t error = fn_pretend_enter();
    *count = error ? 0 : (int)fn_pretend.options.devices;
    return fn_pretend_leave(error);
}

cudaError_t cudaSetDevice(int device)
{
    cudaError_t error = fn_pretend_enter();
    if (!error && device != 0)
        error = cudaErrorInvalidDevice;
    return fn_pretend_leave(error);
}

cudaError_t cudaDriverGetVersion(int *version)
{
    pthread_once(&once, start);
    *version = (int)fn_pretend.options.driver;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = RUNTIME;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device)
{
    cudaError_t error = fn_pretend_enter();
    memset(p, 0, sizeof *p);
    if (!error && device != 0)
        error = cudaErrorInvalidDevice;
    snprintf(p->name, sizeof p->name, "pretend GPU");
    p->major = (int)fn_pretend.options.capability / 10;
    p->minor = (int)fn_pretend.options.capability % 10;
    p->totalGlobalMem = fn_pretend.options.memory;
    p->multiProcessorCount = 132;
    return fn_pretend_leave(error);
}

/* ---- errors ---- */

cudaError_t cudaGetLastError(void)
{
    pthread_once(&once, start);
    const cudaError_t last = fn_pretend.last;
    fn_pretend.last = fn_pretend.lost ? cudaErrorLaunchFailure : cudaSuccess;
    return last;
}

static const struct text {
    cudaError_t error;
    const char *name, *text;
} texts[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
};

static const struct text *text_of(cudaError_t error)
{
    static const struct text other = {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].error == error)
            return &texts[i];
    return &other;
}

const char *cudaGetErrorName(cudaError_t error)
{
    return text_of(error)->name;
}

const char *cudaGetErrorString(cudaError_t error)
{
    return text_of(error)->text;
}

/* SPDX-License-Identifier: MIT */
/* The pretend GPU is right where a program is right, and notices every mistake of the kind that
 * goes unnoticed on a fast GPU, or only now and then. */
#include <cuda_runtime_api.h>
#include <math.h>
#include <signal.h>
#include <sys/wait.h>

#include "kernels/cuda/kernels.h"
#include "tests/cuda/pretend.h"
#include "tests/test.h"

enum { COUNT = 1000, BYTES = COUNT * sizeof(float), ORDERS = 8 };

#define cu(call) assert_int_equal(call, cudaSuccess)

/* Every order; random ones by their seeds. */
static void in_order(int i)
{
    struct fn_pretend_options o = fn_pretend_defaults();
    o.order = (uint64_t)(i < FN_PRETEND_RANDOM ? i : FN_PRETEND_RANDOM);
    o.seed = (uint64_t)i;
    fn_pretend_set(&o);
}

/* Two streams, an event, a pinned and two device arrays. */
struct rig {
    cudaStream_t one, two;
    cudaEvent_t event;
    float *host, *a, *b;
    struct fn_k_queue q1, q2;
};

/* b += a. */
static int add(struct rig *r)
{
    const struct fn_k_runs runs = fn_k_plain(COUNT);
    const struct fn_k_numbers a = {r->a, NULL}, b = {r->b, NULL};
    return fn_k_combine(&r->q1, &runs, b, 1, a, 1);
}

static void rig_open(struct rig *r)
{
    memset(r, 0, sizeof *r);
    cu(cudaStreamCreateWithFlags(&r->one, cudaStreamNonBlocking));
    cu(cudaStreamCreateWithFlags(&r->two, cudaStreamNonBlocking));
    cu(cudaEventCreateWithFlags(&r->event, cudaEventDisableTiming));
    cu(cudaHostAlloc((void **)&r->host, BYTES, cudaHostAllocDefault));
    cu(cudaMalloc((void **)&r->a, BYTES));
    cu(cudaMalloc((void **)&r->b, BYTES));
    r->q1.stream = r->one;
    r->q2.stream = r->two;
    /* A kernel runs once before a capture. */
    cu(fn_k_fill(&r->q1, r->a, COUNT, 0));
    cu(fn_k_fill(&r->q1, r->b, COUNT, 0));
    cu(add(r));
    cu(cudaStreamSynchronize(r->one));
}

static void rig_close(struct rig *r)
{
    cu(cudaFree(r->a));
    cu(cudaFree(r->b));
    cu(cudaFreeHost(r->host));
    cu(cudaEventDestroy(r->event));
    cu(cudaStreamDestroy(r->one));
    cu(cudaStreamDestroy(r->two));
}

static float *behind(const float *device)
{
    return fn_pretend_behind(device);
}

/* ---- memory ---- */

static void test_memory(void **state)
{
    struct rig r;
    float *more;
    (void)state;
    in_order(FN_PRETEND_LAZY);
    rig_open(&r);
    assert_true(isnan(r.host[0]) && isnan(r.host[COUNT - 1]));
    cu(cudaMalloc((void **)&more, BYTES));
    cu(cudaMemcpyAsync(r.host, more, BYTES, cudaMemcpyDeviceToHost, r.one));
    r.host[7] = 1; /* too early: the copy comes later */
    cu(cudaStreamSynchronize(r.one));
    assert_true(isnan(r.host[7]));
    cu(cudaFree(more));
    float *again;
    cu(cudaMalloc((void **)&again, BYTES));
    assert_true(again > more); /* never reused */
    cu(cudaFree(again));
    rig_close(&r);
    assert_int_equal(fn_pretend_counted().faults, 0);
    assert_int_equal(fn_pretend_counted().memory, 0);
}

/* A mistake in a process of its own: 1 if it ended it, or was a fault. */
static int is_noticed(void (*mistake)(struct rig *r))
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct rig r;
        FILE *quiet = freopen("/dev/null", "w", stderr);
        (void)quiet;
        signal(SIGSEGV, SIG_DFL); /* cmocka would go on */
        signal(SIGABRT, SIG_DFL);
        rig_open(&r);
        mistake(&r);
        _exit(fn_pretend_counted().faults ? 2 : 0);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return status != 0;
}

static void nothing(struct rig *r)
{
    rig_close(r);
}

static void host_reads(struct rig *r)
{
    printf("%f\n", (double)*(volatile float *)r->a);
}

static void host_writes_freed(struct rig *r)
{
    cu(cudaFreeHost(r->host));
    *(volatile float *)r->host = 1;
}

static void freed_twice(struct rig *r)
{
    cu(cudaFree(r->a));
    (void)cudaFree(r->a);
}

static void other_kind(struct rig *r)
{
    (void)cudaFree(r->host);
}

static void middle(struct rig *r)
{
    (void)cudaFree(r->a + 1);
}

static void pageable(struct rig *r)
{
    float here[4] = {0};
    (void)cudaMemcpyAsync(r->a, here, sizeof here, cudaMemcpyHostToDevice, r->one);
}

static void too_long(struct rig *r)
{
    (void)cudaMemcpyAsync(r->a, r->host, BYTES + 1, cudaMemcpyHostToDevice, r->one);
}

static void wrong_way(struct rig *r)
{
    (void)cudaMemcpyAsync(r->a, r->host, BYTES, cudaMemcpyDeviceToHost, r->one);
}

static void set_outside(struct rig *r)
{
    (void)cudaMemsetAsync(r->a + 1, 0, BYTES, r->one);
}

static void kernel_overruns(struct rig *r)
{
    cu(fn_k_fill(&r->q1, r->a, COUNT + 1, 1));
    (void)cudaFree(r->a);
}

static void kernel_on_host(struct rig *r)
{
    (void)fn_k_fill(&r->q1, r->host, COUNT, 1);
}

static void kernel_on_heap(struct rig *r)
{
    (void)fn_k_fill(&r->q1, malloc(BYTES), COUNT, 1);
}

static void kernel_on_freed(struct rig *r)
{
    cu(cudaFree(r->a));
    (void)fn_k_fill(&r->q1, r->a, COUNT, 1);
}

static void default_stream(struct rig *r)
{
    (void)cudaMemsetAsync(r->a, 0, BYTES, NULL);
}

static void destroyed_event(struct rig *r)
{
    cu(cudaEventDestroy(r->event));
    (void)cudaEventRecord(r->event, r->one);
}

static void wait_in_capture(struct rig *r)
{
    cu(cudaStreamBeginCapture(r->one, cudaStreamCaptureModeThreadLocal));
    (void)cudaStreamSynchronize(r->two);
}

static void allocate_in_capture(struct rig *r)
{
    void *more;
    cu(cudaStreamBeginCapture(r->one, cudaStreamCaptureModeThreadLocal));
    (void)cudaMalloc(&more, 8);
}

static void new_kernel_in_capture(struct rig *r)
{
    cu(cudaStreamBeginCapture(r->one, cudaStreamCaptureModeThreadLocal));
    (void)fn_k_widen(&r->q1, (const uint16_t *)r->a, r->b, COUNT);
}

static void event_from_outside(struct rig *r)
{
    cu(cudaEventRecord(r->event, r->two));
    cu(cudaStreamBeginCapture(r->one, cudaStreamCaptureModeThreadLocal));
    (void)cudaStreamWaitEvent(r->one, r->event, 0);
}

static void not_joined(struct rig *r)
{
    cudaGraph_t graph;
    cu(cudaStreamBeginCapture(r->one, cudaStreamCaptureModeThreadLocal));
    cu(cudaEventRecord(r->event, r->one));
    cu(cudaStreamWaitEvent(r->two, r->event, 0));
    cu(fn_k_fill(&r->q2, r->b, COUNT, 1));
    (void)cudaStreamEndCapture(r->one, &graph);
}

static void test_misuse(void **state)
{
    static const struct {
        const char *name;
        void (*mistake)(struct rig *r);
    } all[] = {
        {"nothing", nothing},
        {"the host reads device memory", host_reads},
        {"the host writes pinned memory that was freed", host_writes_freed},
        {"memory freed twice", freed_twice},
        {"pinned memory freed as device memory", other_kind},
        {"a pointer into the middle freed", middle},
        {"an asynchronous copy from the stack", pageable},
        {"a copy one byte too long", too_long},
        {"a copy in the other direction", wrong_way},
        {"a fill that leaves its allocation", set_outside},
        {"a kernel that writes one number too many", kernel_overruns},
        {"a kernel on pinned memory", kernel_on_host},
        {"a kernel on the heap", kernel_on_heap},
        {"a kernel on freed memory", kernel_on_freed},
        {"the default stream", default_stream},
        {"an event that was destroyed", destroyed_event},
        {"the host waits while capturing", wait_in_capture},
        {"an allocation while capturing", allocate_in_capture},
        {"a kernel's code is loaded while capturing", new_kernel_in_capture},
        {"a capture waits for an event from outside", event_from_outside},
        {"a capture ends with a stream not joined", not_joined},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const int noticed = is_noticed(all[i].mistake);
        printf("misuse %s: %s\n", all[i].name, noticed ? "noticed" : "nothing found");
        assert_int_equal(noticed, i > 0);
    }
}

/* ---- order ---- */

enum wait { WAIT_UPLOAD = 1, WAIT_USE = 2, WAIT_RESULT = 4, WAIT_ALL = 7 };

/* Uploads on one stream, sums on the other, the result read back; `waits`: which of the waits that
 * belong there are there. Three rounds through one buffer. Sum of what came back. */
static double uploads(struct rig *r, int waits, int *faults)
{
    double sum = 0;
    cudaEvent_t used, done;
    float *back;
    cu(cudaEventCreateWithFlags(&used, cudaEventDisableTiming));
    cu(cudaEventCreateWithFlags(&done, cudaEventDisableTiming));
    cu(cudaHostAlloc((void **)&back, BYTES, cudaHostAllocDefault));
    memset(back, 0, BYTES);
    for (int round = 1; round <= 3; round++) {
        if (round > 1)
            cu(cudaEventSynchronize(r->event)); /* the slot was read */
        for (int i = 0; i < COUNT; i++)
            r->host[i] = (float)round;
        if (waits & WAIT_USE)
            cu(cudaStreamWaitEvent(r->two, used, 0));
        cu(cudaMemcpyAsync(r->a, r->host, BYTES, cudaMemcpyHostToDevice, r->two));
        cu(cudaEventRecord(r->event, r->two));
        if (waits & WAIT_UPLOAD)
            cu(cudaStreamWaitEvent(r->one, r->event, 0));
        cu(add(r));
        cu(cudaEventRecord(used, r->one));
    }
    cu(cudaMemcpyAsync(back, r->b, BYTES, cudaMemcpyDeviceToHost, r->one));
    cu(cudaEventRecord(done, r->one));
    if (waits & WAIT_RESULT)
        cu(cudaEventSynchronize(done));
    for (int i = 0; i < COUNT; i++)
        sum += (double)back[i];
    cu(cudaStreamSynchronize(r->one));
    cu(cudaStreamSynchronize(r->two));
    cu(cudaFreeHost(back));
    *faults = (int)fn_pretend_counted().faults;
    return sum;
}

static void test_order(void **state)
{
    (void)state;
    for (int waits = 0; waits <= WAIT_ALL; waits++) {
        int wrong = 0;
        for (int i = 0; i < ORDERS; i++) {
            struct rig r;
            int faults;
            in_order(i);
            rig_open(&r);
            wrong += uploads(&r, waits, &faults) != (1 + 2 + 3) * COUNT;
            assert_int_equal(faults, 0);
            rig_close(&r);
        }
        printf("waits %d%d%d: wrong in %d of %d orders\n", waits & 1, waits >> 1 & 1, waits >> 2,
               wrong, ORDERS);
        assert_int_equal(wrong != 0, waits != WAIT_ALL);
    }
}

static void test_events(void **state)
{
    struct rig r;
    int asked = 0;
    (void)state;
    in_order(FN_PRETEND_LAZY);
    rig_open(&r);
    cu(cudaEventQuery(r.event)); /* never recorded: nothing to wait for */
    cu(cudaEventSynchronize(r.event));
    cu(fn_k_fill(&r.q1, r.a, COUNT, 3));
    cu(cudaEventRecord(r.event, r.one));
    while (cudaEventQuery(r.event) == cudaErrorNotReady)
        assert_true(asked++ < 10);
    assert_true(asked > 0);
    assert_true(behind(r.a)[0] == 3);
    rig_close(&r);
}

/* ---- graphs ---- */

/* a = 1 and b = 2 beside each other, then b += a: 3. `waits`: 1 the second stream waits for the
 * first to begin, 2 the first waits for its end. */
static void capture(struct rig *r, int joined, cudaGraphExec_t *exec)
{
    cudaGraph_t graph;
    size_t nodes = 0;
    cudaEvent_t end;
    cu(cudaEventCreateWithFlags(&end, cudaEventDisableTiming));
    cu(cudaStreamBeginCapture(r->one, cudaStreamCaptureModeThreadLocal));
    cu(cudaEventRecord(r->event, r->one));
    cu(cudaStreamWaitEvent(r->two, r->event, 0));
    cu(fn_k_fill(&r->q1, r->a, COUNT, 1));
    cu(fn_k_fill(&r->q2, r->b, COUNT, 2));
    if (joined) {
        cu(cudaEventRecord(end, r->two));
        cu(cudaStreamWaitEvent(r->one, end, 0));
    }
    cu(add(r));
    if (!joined) { /* too late */
        cu(cudaEventRecord(end, r->two));
        cu(cudaStreamWaitEvent(r->one, end, 0));
    }
    cu(cudaStreamEndCapture(r->one, &graph));
    cu(cudaGraphGetNodes(graph, NULL, &nodes));
    assert_int_equal(nodes, 3);
    assert_int_equal(fn_pretend_counted().captured_kernels, 3);
    cu(cudaGraphInstantiate(exec, graph, 0));
    cu(cudaGraphDestroy(graph));
    cu(cudaEventDestroy(end));
}

static void test_graphs(void **state)
{
    (void)state;
    for (int joined = 0; joined <= 1; joined++) {
        int wrong = 0;
        for (int i = 0; i < ORDERS; i++) {
            cudaGraphExec_t exec;
            struct rig r;
            in_order(i);
            rig_open(&r);
            capture(&r, joined, &exec);
            for (int round = 0; round < 4; round++) {
                cu(cudaGraphLaunch(exec, r.one));
                cu(cudaStreamSynchronize(r.one));
                wrong += behind(r.b)[COUNT - 1] != 3;
            }
            cu(cudaGraphExecDestroy(exec));
            rig_close(&r);
            assert_int_equal(fn_pretend_counted().faults, 0);
        }
        printf("graph %s: wrong in %d launches\n", joined ? "joined" : "joined too late", wrong);
        assert_int_equal(wrong != 0, !joined);
    }
}

/* ---- failures ---- */

static void test_failures(void **state)
{
    struct fn_pretend_options o = fn_pretend_defaults();
    struct rig r;
    void *memory;
    int count = 7;
    (void)state;
    o.devices = 0;
    fn_pretend_set(&o);
    assert_int_equal(cudaGetDeviceCount(&count), cudaErrorNoDevice);
    assert_int_equal(count, 0);
    assert_int_equal(cudaGetLastError(), cudaErrorNoDevice);
    assert_int_equal(cudaGetLastError(), cudaSuccess);
    o = fn_pretend_defaults();
    o.driver = 11040;
    fn_pretend_set(&o);
    assert_int_equal(cudaMalloc(&memory, 8), cudaErrorInsufficientDriver);
    o = fn_pretend_defaults();
    o.fail_alloc = 2;
    o.memory = 1 << 20;
    fn_pretend_set(&o);
    cu(cudaMalloc(&memory, 8));
    cu(cudaFree(memory));
    assert_int_equal(cudaMalloc(&memory, 8), cudaErrorMemoryAllocation);
    assert_null(memory);
    assert_int_equal(cudaMalloc(&memory, (1 << 20) + 1), cudaErrorMemoryAllocation);
    cu(cudaMalloc(&memory, 1 << 20));
    assert_int_equal(cudaMalloc(&memory, 1), cudaErrorMemoryAllocation);
    o = fn_pretend_defaults();
    fn_pretend_set(&o);
    rig_open(&r);
    o.lose_after = 2;
    fn_pretend_set(&o);
    cu(fn_k_fill(&r.q1, r.a, COUNT, 1));
    assert_int_equal(fn_k_fill(&r.q1, r.a, COUNT, 1), cudaErrorLaunchFailure);
    assert_int_equal(cudaStreamSynchronize(r.one), cudaErrorLaunchFailure);
    assert_int_equal(cudaFree(r.a), cudaErrorLaunchFailure);
    assert_int_equal(cudaStreamDestroy(r.one), cudaErrorLaunchFailure);
    o.lose_after = 0;
    fn_pretend_set(&o);
    cu(cudaMalloc(&memory, 8)); /* and back */
    cu(cudaFree(memory));
    assert_int_equal(fn_pretend_counted().faults, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory), cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_order),  cmocka_unit_test(test_events),
        cmocka_unit_test(test_graphs), cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

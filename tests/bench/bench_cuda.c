/* SPDX-License-Identifier: MIT */
/* A recorded training step of the full network, counted by the pretend GPU (nothing is computed):
 * kernels of our own, convolutions of cuDNN (at least one kernel each), copies and fills; the aim
 * is at most 950 in all. And what a step asks of the runtime while it is replayed. */
#include "tests/cuda/pretend.h"
#include "tests/rig.h"

static void count(int precision)
{
    const struct rig_options ro = {"cuda", "inception_resnet_v1", 160,        512, 1000, 2,
                                   1,      FN_HEAD_SOFTMAX,       FN_ADAGRAD, 1};
    const struct fn_step_options o = {.keep = 0.4,
                                      .norm_factor = 5e-4,
                                      .norm_p = 1,
                                      .center_factor = 1e-2,
                                      .center_alfa = 0.95,
                                      .bn_decay = 0.995,
                                      .update = {FN_ADAGRAD, 5e-4, 0.9999},
                                      .record = 1};
    struct fn_pretend_options p = fn_pretend_defaults();
    struct fn_pretend_counts before = {0}, c;
    struct rig r;
    p.idle = 1;
    fn_pretend_set(&p);
    if (!rig_open_in(&r, &ro, precision))
        return;
    for (uint64_t t = 0; t < 4; t++) {
        const struct fn_step step = {.seed = 1, .step = t, .lr = 0.1, .t = t + 1};
        if (t == 3)
            before = fn_pretend_counted();
        rig_upload(&r);
        assert_ok(fn_step_train(r.exec, &step, r.dev_images, r.dev_labels, &o));
        assert_ok(r.be->losses_post(r.dev, (int)t));
    }
    c = fn_pretend_counted();
    const uint64_t all = c.captured_kernels + c.captured_plans + c.captured_copies;
    printf(
        "%s: %llu in a recorded step (aim 950): %llu kernels, %llu convolutions, %llu copies and "
        "fills\n",
        precision == FN_BF16 ? "bf16" : "fp32", (unsigned long long)all,
        (unsigned long long)c.captured_kernels, (unsigned long long)c.captured_plans,
        (unsigned long long)c.captured_copies);
    printf("      a replayed step: %llu calls, %llu allocations, %llu waits\n",
           (unsigned long long)(c.calls - before.calls),
           (unsigned long long)(c.allocations - before.allocations),
           (unsigned long long)(c.syncs - before.syncs));
    rig_close(&r);
}

int main(void)
{
    count(FN_FP32);
    count(FN_BF16);
    return 0;
}

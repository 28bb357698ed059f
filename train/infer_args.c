/* SPDX-License-Identifier: MIT */
#include "train/infer_args.h"

#include <string.h>

const char *const fn_infer_devices[] = {"auto", "ref", "cpu", "cuda", NULL};
const char *const fn_infer_precisions[] = {"fp32", "bf16", NULL};

struct fn_infer_options fn_infer_args_options(const struct fn_infer_args *a,
                                              const struct fn_common *common,
                                              const struct fn_arg *table)
{
    int told = 0;
    for (const struct fn_arg *row = table; row->name; row++)
        if (!strcmp(row->name, FN_INFER_FIXED))
            told = row->given;
    return (struct fn_infer_options){
        .model = a->model,
        .ema = a->ema,
        .device = a->device,
        .precision = strcmp(a->precision, "bf16") == 0 ? FN_BF16 : FN_FP32,
        .threads = (int)common->threads,
        .batch = (int)a->batch,
        .told = {a->image_size ? (int)a->image_size : -1, told ? !a->fixed : -1},
    };
}

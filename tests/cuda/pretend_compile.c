/* SPDX-License-Identifier: MIT */
/* From descriptors to a convolution: everything that the library would check is checked. */
#include "kernels/op.h"
#include "tests/cuda/pretend_dnn.h"

static const struct pass {
    int type, pass, convolution, x, w, y, alpha, beta;
} passes[] = {
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, FN_FORWARD,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, FN_BACKWARD_DATA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, FN_BACKWARD_WEIGHTS,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
};

/* n, c, h, w with channels last and nothing between. */
static int is_packed(const struct descriptor *t)
{
    const int64_t *size =
        (const int64_t *)(const void *)find(t, CUDNN_ATTR_TENSOR_DIMENSIONS)->value;
    const int64_t want[4] = {size[1] * size[2] * size[3], 1, size[1] * size[3], size[1]};
    return memcmp(find(t, CUDNN_ATTR_TENSOR_STRIDES)->value, want, sizeof want) == 0;
}

cudnnStatus_t fn_dnn_check_tensor(const struct descriptor *t)
{
    const struct attribute *size = t ? find(t, CUDNN_ATTR_TENSOR_DIMENSIONS) : NULL,
                           *stride = t ? find(t, CUDNN_ATTR_TENSOR_STRIDES) : NULL;
    if (!size || !stride || size->count != 4 || stride->count != 4)
        return fn_dnn_wrong(CUDNN_STATUS_BAD_PARAM, "a tensor without four sizes and strides");
    for (int i = 0; i < 4; i++)
        if (integer(t, CUDNN_ATTR_TENSOR_DIMENSIONS, i) < 1)
            return fn_dnn_wrong(CUDNN_STATUS_BAD_PARAM, "a tensor of size 0");
    if (!is_packed(t))
        return fn_dnn_wrong(CUDNN_STATUS_NOT_SUPPORTED, "a tensor that is not packed NHWC");
    const int type = word(t, CUDNN_ATTR_TENSOR_DATA_TYPE);
    if (type != CUDNN_DATA_FLOAT && type != CUDNN_DATA_BFLOAT16)
        return fn_dnn_wrong(CUDNN_STATUS_NOT_SUPPORTED, "a tensor neither fp32 nor bf16");
    return CUDNN_STATUS_SUCCESS;
}

static int64_t size_at(const struct descriptor *t, int at)
{
    return integer(t, CUDNN_ATTR_TENSOR_DIMENSIONS, at);
}

/* Rows or columns of y are what padding, kernel and stride leave of x. */
static int fits(const struct descriptor *cd, int at, int64_t in, int64_t k, int64_t out)
{
    const int64_t stride = integer(cd, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, at);
    const int64_t whole = in + integer(cd, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, at) +
                          integer(cd, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, at) - k;
    return stride >= 1 && whole >= 0 && whole / stride + 1 == out &&
           integer(cd, CUDNN_ATTR_CONVOLUTION_DILATIONS, at) == 1;
}

cudnnStatus_t fn_dnn_compile(const struct descriptor *op, struct work *out)
{
    const struct pass *p = passes;
    while (p->type != op->type)
        p++;
    const struct descriptor *cd = part(op, p->convolution),
                            *t[3] = {part(op, p->x), part(op, p->w), part(op, p->y)};
    const struct descriptor *x = t[0], *w = t[1], *y = t[2];
    if (!cd || !x || !w || !y)
        return fn_dnn_wrong(CUDNN_STATUS_BAD_PARAM, "an operation with a part missing");
    const float beta = real(op, p->beta);
    if (real(op, p->alpha) != 1 || (beta != 0 && (beta != 1 || p->pass != FN_BACKWARD_DATA)))
        return fn_dnn_wrong(CUDNN_STATUS_NOT_SUPPORTED,
                            "alpha other than 1, or beta other than 0 (data gradient: or 1)");
    if (size_at(x, 1) != size_at(w, 1) || size_at(y, 1) != size_at(w, 0) ||
        size_at(x, 0) != size_at(y, 0) ||
        !fits(cd, 0, size_at(x, 2), size_at(w, 2), size_at(y, 2)) ||
        !fits(cd, 1, size_at(x, 3), size_at(w, 3), size_at(y, 3)))
        return fn_dnn_wrong(CUDNN_STATUS_BAD_PARAM, "sizes that do not fit together");
    const int type = word(x, CUDNN_ATTR_TENSOR_DATA_TYPE);
    out->align = 1;
    for (int i = 0; i < 3; i++) {
        if (word(t[i], CUDNN_ATTR_TENSOR_DATA_TYPE) != type)
            return fn_dnn_wrong(CUDNN_STATUS_NOT_SUPPORTED, "tensors of several types");
        out->uid[i] = integer(t[i], CUDNN_ATTR_TENSOR_UNIQUE_ID, 0);
        const int64_t align = integer(t[i], CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 0);
        out->align = align > out->align ? align : out->align;
    }
    out->conv =
        (struct fn_pretend_conv){.pass = p->pass,
                                 .bf16 = type == CUDNN_DATA_BFLOAT16,
                                 .accumulate = beta != 0,
                                 .n = size_at(x, 0),
                                 .h = size_at(x, 2),
                                 .w = size_at(x, 3),
                                 .cin = size_at(x, 1),
                                 .kh = size_at(w, 2),
                                 .kw = size_at(w, 3),
                                 .stride = integer(cd, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, 0),
                                 .pad_h = integer(cd, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, 0),
                                 .pad_w = integer(cd, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, 1),
                                 .cout = size_at(w, 0),
                                 .oh = size_at(y, 2),
                                 .ow = size_at(y, 3)};
    return CUDNN_STATUS_SUCCESS;
}

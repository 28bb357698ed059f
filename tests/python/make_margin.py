# SPDX-License-Identifier: MIT
"""Writes tests/margin_golden.h: what PyTorch, in float64, makes of margins and smoothed labels.

    python3 tests/python/make_margin.py >tests/margin_golden.h

Loss and gradients of a head of N prelogits (D numbers) and K classes: cosines, the margin, the scale,
torch.nn.functional.cross_entropy. ArcFace as in insightface's recognition/arcface_torch/losses.py, CosFace as
in the same file; the inputs are the formulas that tests/test_margin.c has too."""
import math

import torch

N, D, K = 4, 6, 5
LABELS = [3, 0, 4, 0]
CASES = [("none", 1.0, 0.0, 0.1), ("arcface", 64.0, 0.5, 0.0), ("arcface", 16.0, 0.4, 0.2), ("cosface", 64.0, 0.35, 0.0),
         ("cosface", 30.0, 0.2, 0.05)]


def inputs():
    x = torch.tensor([[2 * math.sin(1.7 * (i * D + j) + 0.3) for j in range(D)] for i in range(N)], dtype=torch.float64)
    w = torch.tensor([[math.cos(2.3 * (i * D + j)) for j in range(D)] for i in range(K)], dtype=torch.float64)
    w[4] = -x[2] + 0.05 * w[4]  # a row that is nearly opposite to its label: past the angle where arcface turns
    return x.requires_grad_(), w.requires_grad_()


def logits_of(x, w, kind, scale, margin):
    if kind == "none":
        return x @ w.T
    cosines = torch.nn.functional.normalize(x) @ torch.nn.functional.normalize(w).T
    rows = torch.arange(N)
    own = cosines[rows, LABELS]
    if kind == "arcface":
        moved = own * math.cos(margin) - torch.sqrt(1 - own**2) * math.sin(margin)
        own = torch.where(own > math.cos(math.pi - margin), moved, own - math.sin(math.pi - margin) * margin)
    else:
        own = own - margin
    return scale * cosines.index_put((rows, torch.tensor(LABELS)), own)


def numbers(values):
    return "{" + ", ".join(repr(float(v)) for v in values) + "}"


print("/* SPDX-License-Identifier: MIT */")
print(f"/* Written by tests/python/make_margin.py with PyTorch {torch.__version__.split('+')[0]}. */")
print(f"enum {{ N = {N}, D = {D}, K = {K}, CASES = {len(CASES)} }};")
print(f"static const int32_t golden_labels[N] = {{{', '.join(map(str, LABELS))}}};")
print("static const struct {\n    struct fn_margin rule;\n    double loss, dx[N * D], dw[K * D];\n} golden[CASES] = {")
for kind, scale, margin, smoothing in CASES:
    x, w = inputs()
    loss = torch.nn.functional.cross_entropy(logits_of(x, w, kind, scale, margin), torch.tensor(LABELS), label_smoothing=smoothing)
    loss.backward()
    name = {"none": "FN_MARGIN_NONE", "arcface": "FN_MARGIN_ARC", "cosface": "FN_MARGIN_COS"}[kind]
    print(f"{{{{{name}, {scale}, {margin}, {smoothing}}}, {loss.item()!r}, {numbers(x.grad.flatten())},")
    print(f"{numbers(w.grad.flatten())}}},")
print("};")

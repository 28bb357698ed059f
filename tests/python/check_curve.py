# SPDX-License-Identifier: MIT
"""tests/test_curve.c: trains the network that it describes with PyTorch, in float64, from the same weights on the same
batches, and compares the losses step by step.

The folder has net.txt (size, steps, batch, classes, optimizer, rate, weight decay, band; parameters; nodes in order),
weights.f64, images.u8, labels.i32, losses.f64. What is compared is autograd, batch norm and the optimizer of PyTorch."""
import sys

import numpy as np
import torch
import torch.nn.functional as F

folder = sys.argv[1]
lines = [line.split() for line in open(f"{folder}/net.txt")]
head = lines[0]
size, steps, n = (int(v) for v in head[:3])
optimizer, rate, decay, band = head[3], float(head[4]), float(head[5]), float(head[6])
torch.set_num_threads(1)

weights = np.fromfile(f"{folder}/weights.f64")
params, kinds, at = {}, {}, 0
for line in (line for line in lines if line[0] == "param"):
    shape = [int(v) for v in line[3:]]
    count = int(np.prod(shape))
    params[line[1]] = torch.tensor(weights[at:at + count].reshape(shape), requires_grad=True)
    kinds[line[1]] = line[2]
    at += count
assert at == weights.size


def normalize(x, beta, relu):
    x = F.batch_norm(x, None, None, bias=params[beta], training=True, eps=1e-3)
    return F.relu(x) if relu else x


def forward(images):
    buffers = {0: {0: (images - 127.5) / 128}}
    for line in (line for line in lines if line[0] == "node"):
        kind, weight, bias = line[1], line[2], line[3]
        source, c0, c, out, o0, skip, stride, same, relu = (int(v) for v in line[4:13])
        x = torch.cat([buffers[source][k] for k in sorted(buffers[source])], 1)[:, c0:c0 + c]
        if kind in ("conv", "up"):
            w = params[weight]
            x = F.conv2d(x, w, stride=stride, padding=(w.shape[2] // 2, w.shape[3] // 2) if same else 0)
        if kind == "conv":
            x = normalize(x, bias, relu)
        elif kind == "up":
            x = torch.cat([buffers[skip][k] for k in sorted(buffers[skip])], 1) + float(line[13]) * (x + params[bias].view(1, -1, 1, 1))
            x = F.relu(x) if relu else x
        elif kind == "maxpool":
            x = F.max_pool2d(x, 3, 2)
        elif kind == "avgpool":
            x = x.mean((2, 3), keepdim=True)
        elif kind == "fc":
            x = normalize(F.linear(x.flatten(1), params[weight]), bias, relu)
        if kind != "dropout":
            buffers.setdefault(out, {})[o0] = x
    return F.linear(x, params["logits.weight"], params["logits.bias"])


images = np.fromfile(f"{folder}/images.u8", dtype=np.uint8).reshape(steps, n, size, size, 3).transpose(0, 1, 4, 2, 3)
labels = np.fromfile(f"{folder}/labels.i32", dtype=np.int32).reshape(steps, n)
losses = np.fromfile(f"{folder}/losses.f64")
assert losses.size == steps
if optimizer == "MOM":
    rule = torch.optim.SGD(params.values(), lr=rate, momentum=0.9, nesterov=True)
else:
    rule = torch.optim.Adagrad(params.values(), lr=rate, initial_accumulator_value=0.1, eps=0)
worst = 0
for step in range(steps):
    rule.zero_grad()
    logits = forward(torch.tensor(np.ascontiguousarray(images[step]), dtype=torch.float64))
    loss = F.cross_entropy(logits, torch.tensor(labels[step].astype(np.int64)))
    loss = loss + decay / 2 * sum((params[k]**2).sum() for k in params if kinds[k] == "kernel")
    loss.backward()
    rule.step()
    off = abs(loss.item() - losses[step]) / loss.item()
    worst = max(worst, off)
    if step in (0, 1, 9, 49, 99, steps - 1):
        print(f"  {optimizer}, step {step + 1}: PyTorch {loss.item():.9f}, here {losses[step]:.9f}, off by {off:.1e}")
    if not off <= band:
        sys.exit(f"step {step + 1}: off by {off:.3e}, the band is {band:.0e}")
print(f"  {optimizer}: within {worst:.1e} over {steps} steps")

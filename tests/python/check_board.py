# SPDX-License-Identifier: MIT
"""check_board.py LOGS CHECKPOINT TREE: what TensorBoard reads of a run of 2 epochs of 100 batches of 8."""
import glob, io, struct, sys, json
import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

logs, checkpoint, tree = sys.argv[1:4]
ea = EventAccumulator(logs, size_guidance={"scalars": 0, "histograms": 0, "images": 0})
ea.Reload()

# The crops of the first batch: neither turned nor mirrored here, so each is the middle of some picture.
middles = set()
for path in glob.glob(f"{tree}/*/*"):
    picture = np.asarray(Image.open(path).convert("RGB"))
    middles.add(picture[4:84, 4:84].tobytes())
tags = ea.Tags()["images"]
assert sorted(tags) == sorted(f"first_batch/image/{i}" for i in range(8)), tags
for tag in tags:
    event = ea.Images(tag)[0]
    crop = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
    assert (event.width, event.height, crop.shape) == (80, 80, (80, 80, 3)) and event.step == 1
    assert crop.tobytes() in middles, tag

# Weights at step 200 are the checkpoint's; each variable has its gradients; prelogits are there.
raw = open(f"{checkpoint}/model.safetensors", "rb").read()
size = struct.unpack("<Q", raw[:8])[0]
header = json.loads(raw[8:8 + size])
weights = {k: np.frombuffer(raw[8 + size:], "<f4", (v["data_offsets"][1] - v["data_offsets"][0]) // 4, v["data_offsets"][0])
           for k, v in header.items() if k != "__metadata__" and v["dtype"] == "F32" and "running_" not in k}
tags = set(ea.Tags()["histograms"])
names = {t for t in tags if not t.endswith("/gradients") and t != "prelogits"}
assert "last_linear.weight" in names and "logits.weight" in names and "conv2d_1a.conv.weight" in names, names
assert tags == names | {n + "/gradients" for n in names} | {"prelogits"}
for name in names:
    events = ea.Histograms(name)
    assert [e.step for e in events] == [100, 200], name
    h, w = events[-1].histogram_value, weights[name].astype(float)
    assert h.num == w.size and h.min == w.min() and h.max == w.max(), name
    assert np.isclose(h.sum, w.sum(), rtol=1e-6, atol=1e-6) and sum(h.bucket) == w.size, name
    g = ea.Histograms(name + "/gradients")[-1].histogram_value
    assert g.num == w.size and np.isfinite(g.sum_squares) and g.sum_squares > 0, name
assert ea.Histograms("prelogits")[-1].histogram_value.num == 8 * 16

# prelogits_hist: everything is counted; its mean is that of the norms in steps.tsv (p = 1), to half a bin.
steps = np.genfromtxt(f"{logs}/steps.tsv", names=True, delimiter="\t")
hist = np.genfromtxt(f"{logs}/prelogits_hist.tsv", names=True, delimiter="\t")
width = 4 / 1000
for epoch in (1, 2):
    rows = hist[hist["epoch"] == epoch]
    assert rows["count"].sum() == 100 * 8 * 16, rows["count"].sum()
    assert np.allclose(rows["low"] / width, np.round(rows["low"] / width)) and rows["low"].max() < 4
    mean = (rows["count"] * (rows["low"] + width / 2)).sum() / rows["count"].sum()
    norms = steps["prelogits_norm"][(epoch - 1) * 100:epoch * 100].mean() / 16 - 1e-4
    assert abs(mean - norms) < width / 2, (mean, norms)
for tag in ("learning_rate_1", "cross_entropy__raw_", "total_loss_1", "time/total", "lfw/accuracy", "validation/accuracy"):
    assert tag in ea.Tags()["scalars"], tag
print("TensorBoard agrees")

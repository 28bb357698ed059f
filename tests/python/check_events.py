# SPDX-License-Identifier: MIT
"""TensorBoard's own reader on the folder that test_events.c writes."""
import sys
import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

ea = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "histograms": 0, "images": 0})
ea.Reload()
assert sorted(ea.Tags()["scalars"]) == ["lfw/accuracy", "loss", "time/save"], ea.Tags()
loss = ea.Scalars("loss")
assert [e.step for e in loss] == list(range(1, 31)), [e.step for e in loss]
assert all(e.value == np.float32(1 / e.step) for e in loss)
assert [e.step for e in ea.Scalars("time/save")] == [1, 2, 3]
assert [(e.step, e.value) for e in ea.Scalars("lfw/accuracy")] == [
    (s, np.float32(0.25) + np.float32(s)) for s in (0, 10, 20)]
h = ea.Histograms("weights")[0]
assert h.step == 30
v = h.histogram_value
rows = (np.arange(1000, dtype=np.float32) - 500) / np.float32(100)
assert v.num == 1000 and v.min == rows.min() and v.max == rows.max(), v
assert abs(v.sum - rows.astype(float).sum()) < 1e-6
assert abs(v.sum_squares - (rows.astype(float) ** 2).sum()) < 1e-6
assert sum(v.bucket) == 1000
# Every bucket holds the values between the limits, as in TensorFlow: limit[i-1] <= v < limit[i].
low, wide = -np.inf, rows.astype(float)
for limit, count in zip(v.bucket_limit, v.bucket):
    assert count == ((wide >= low) & (wide < limit)).sum(), (low, limit, count)
    low = limit
image = ea.Images("crops/image/0")[0]
assert (image.width, image.height, image.step) == (2, 1, 30)
assert image.encoded_image_string.startswith(b"\x89PNG"), image.encoded_image_string
print("TensorBoard agrees")

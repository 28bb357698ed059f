# SPDX-License-Identifier: MIT
"""The safetensors library and NumPy on the folder that test_safetensors.c writes."""
import sys
import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

path = sys.argv[1] + "/ours.safetensors"
t = load_file(path)
assert sorted(t) == ["a.weight", "empty", "scalar", "steps", "wide"], sorted(t)
assert t["a.weight"].dtype == np.float32 and t["a.weight"].shape == (2, 3)
assert (t["a.weight"] == np.arange(6, dtype=np.float32).reshape(2, 3) / 4).all()
assert t["scalar"].shape == () and t["scalar"] == np.float32(-1.5)
assert t["steps"].dtype == np.int64 and (t["steps"] == [1, -2, 1 << 40]).all()
assert t["wide"].dtype == np.float64 and (t["wide"] == [1 / 3, 1e300]).all()
assert t["empty"].shape == (0, 4)
with safe_open(path, "numpy") as f:
    assert f.metadata()["note"] == "ä \"quoted\"", f.metadata()
n = np.load(sys.argv[1] + "/ours.npy")
assert n.dtype == np.float32 and n.shape == (7, 5) and n.flags.c_contiguous
assert (n == np.arange(35, dtype=np.float32).reshape(7, 5)).all()
assert np.load(sys.argv[1] + "/none.npy").shape == (0, 3)
print("safetensors and NumPy agree")

# SPDX-License-Identifier: MIT
"""check_filter.py E.npy E.tsv D.tsv PERCENTILE MIN_IMAGES: distances and filtering as the original's scripts
compute them, from the embeddings; prints how many pictures, and how many classes, are left out."""
import sys
import numpy as np

rows = np.load(sys.argv[1])
names = [line.rstrip("\n").split("\t")[1:] for line in open(sys.argv[2])][1:]
table = [line.rstrip("\n").split("\t") for line in open(sys.argv[3])]
assert table[0] == ["distance", "class", "name"], table[0]
assert [r[1:] for r in table[1:]] == names
classes = np.array([n[0] for n in names])
distance = np.zeros(len(rows))
for name in np.unique(classes):
    embeddings = rows[classes == name].astype(np.float64)
    distance[classes == name] = np.sqrt(np.sum(np.square(embeddings - embeddings.mean(axis=0)), axis=1))
ours = np.array([float(r[0]) for r in table[1:]])
assert np.allclose(ours, distance, rtol=1e-7, atol=1e-9), np.abs(ours - distance).max()

percentile, least = float(sys.argv[4]), int(sys.argv[5])
hist, edges = np.histogram(ours, 100)
cdf = np.cumsum(hist).astype(np.float64) / np.sum(hist)
threshold = np.interp(percentile * 0.01, cdf, (edges[:-1] + edges[1:]) / 2)
left = {name: int((classes == name).sum()) for name in np.unique(classes)}
gone, lost = 0, set()
for name in classes[ours >= threshold]:
    left[name] -= 1
    lost.add(name)
    gone += 1
small = [name for name in lost if left[name] < least]
gone += sum(left[name] for name in small)
print(f"{threshold:.5g} {gone} {len(small)}")

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""report.py SOURCES FOLDER ARCHITECTURES: what the compiler said of every kernel of the .cu files in
SOURCES (FOLDER/NAME.cu.o.ptxas): registers on each architecture, shared memory, and how many threads
of a multiprocessor they leave room for. Fails on a spill, on stack used, on a file or an architecture
that is missing."""
import glob
import os
import re
import subprocess
import sys

# threads and bytes of shared memory of a multiprocessor (CUDA C++ programming guide, table of
# compute capabilities); all have 65,536 registers
THREADS = {75: 1024, 80: 2048, 86: 1536, 89: 1536, 90: 2048, 100: 2048, 120: 1536}
SHARED = {75: 64, 80: 164, 86: 100, 89: 100, 90: 228, 100: 228, 120: 100}


def parse(path):
    """(kernel, architecture) -> registers, shared bytes; and what is wrong."""
    kernels, wrong, key = {}, [], None
    for line in open(path, encoding="utf-8", errors="replace"):
        m = re.search(r"Compiling entry function '(\S+)' for 'sm_(\d+)'", line)
        if m:
            key = (m.group(1), int(m.group(2)))
        m = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill", line)
        if m and any(int(n) for n in m.groups()):
            wrong.append(f"{path}: {key}: {line.strip()}")
        m = re.search(r"Used (\d+) registers", line)
        if m and key:
            shared = re.search(r"(\d+) bytes smem", line)
            kernels[key] = (int(m.group(1)), int(shared.group(1)) if shared else 0)
    return kernels, wrong


def readable(names):
    """Names without parameters, as C++ writes them."""
    text = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True,
                          check=False).stdout.split("\n")
    short = (re.sub(r"^void ", "", re.sub(r"\(.*$", "", t.replace("(int)", ""))) for t in text)
    return dict(zip(names, short))


def occupancy(registers, shared, block, arch):
    """Share of a multiprocessor's threads that can be there at once."""
    each = (registers + 7) // 8 * 8 * block
    blocks = min(65536 // each, THREADS[arch] // block)
    if shared:
        blocks = min(blocks, SHARED[arch] * 1024 // (shared + 1024))
    return 100 * blocks * block // THREADS[arch]


def threads_of(source):
    """Threads of a block: the file's own number, or device.h's 8 warps."""
    m = re.search(r"enum \{ THREADS = (\d+) \}", open(source, encoding="utf-8").read())
    return int(m.group(1)) if m else 256


def main():
    sources, folder = sys.argv[1:3]
    architectures = [int(a) for a in sys.argv[3].split()]
    wrong, count, most = [], 0, 0
    print(f"{'file':12} {'kernel':46} " + " ".join(f"sm_{a:<4}" for a in architectures) +
          "  shared  occupancy")
    for source in sorted(glob.glob(f"{sources}/*.cu")):
        file = os.path.basename(source)
        path, file = f"{folder}/{file}.o.ptxas", file[:-len(".cu")]
        if not os.path.exists(path):
            wrong.append(f"{source}: was not compiled")
            continue
        kernels, bad = parse(path)
        wrong += bad
        if not kernels:
            wrong.append(f"{path}: no kernel")
        names = readable(sorted({k for k, _ in kernels}))
        for name in sorted(names, key=names.get):
            here = [kernels.get((name, a)) for a in architectures]
            wrong += [f"{path}: {names[name]}: not for sm_{a}"
                      for a, k in zip(architectures, here) if not k]
            here = [k or (0, 0) for k in here]
            block = threads_of(source)
            least = min(occupancy(*k, block, a) for a, k in zip(architectures, here) if k[0])
            count, most = count + 1, max(most, max(k[0] for k in here))
            print(f"{file:12} {names[name]:46} " + " ".join(f"{k[0]:<7}" for k in here) +
                  f" {max(k[1] for k in here):6}  {least:8} %")
    print(f"{count} kernels, {len(architectures)} architectures, at most {most} registers, "
          f"{len(wrong)} with spills, stack or missing")
    for w in wrong:
        print("WRONG", w)
    return 1 if wrong or not count else 0


sys.exit(main())

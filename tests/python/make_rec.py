# SPDX-License-Identifier: MIT
"""A class-folder tree as insightface packs it: DIR/train.rec, train.idx and train.lst (standard library only).

make_rec.py TREE DIR: pictures 1..n with labels (class, 1), record 0 with the range of the class records, then these,
each with the range of its pictures; the magic inside of a picture splits a record, as dmlc's writer does it.
"""
import os
import struct
import sys

MAGIC = struct.pack("<I", 0xCED7230A)


def part(flag, data):
    return MAGIC + struct.pack("<I", flag << 29 | len(data)) + data + b"\0" * (-len(data) % 4)


def record(data):
    places = [i for i in range(0, len(data) - 3, 4) if data[i : i + 4] == MAGIC]
    starts = [0] + [i + 4 for i in places]
    pieces = [data[a:b] for a, b in zip(starts, places + [len(data)])]
    if len(pieces) == 1:
        return part(0, pieces[0])
    flags = [1] + [2] * (len(pieces) - 2) + [3]
    return b"".join(part(f, p) for f, p in zip(flags, pieces))


def picture(number, labels, data):
    return record(struct.pack("<IfQQ", len(labels), 0, number, 0) + struct.pack("<%df" % len(labels), *labels) + data)


def main(tree, out):
    os.makedirs(out, exist_ok=True)
    rec, idx, lst, ranges, n = b"", "", "", [], 0
    for label, name in enumerate(sorted(os.listdir(tree))):
        first = n + 1
        for file in sorted(os.listdir(os.path.join(tree, name))):
            n += 1
            with open(os.path.join(tree, name, file), "rb") as f:
                data = f.read()
            idx += "%d\t%d\n" % (n, len(rec))
            rec += picture(n, (label, 1), data)
            lst += "1\t/somewhere/%s/%s\t%d\n" % (name, file, label)
        ranges.append((first, n + 1))
    for i, labels in enumerate([(n + 1, n + 1 + len(ranges))] + ranges):
        number = n + i if i else 0
        idx += "%d\t%d\n" % (number, len(rec))
        rec += picture(number, labels, b"")
    for name, text in (("train.rec", rec), ("train.idx", idx.encode()), ("train.lst", lst.encode())):
        with open(os.path.join(out, name), "wb") as f:
            f.write(text)
    with open(os.path.join(out, "property"), "w") as f:
        f.write("%d,112,112\n" % len(ranges))


main(*sys.argv[1:])

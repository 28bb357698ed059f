# SPDX-License-Identifier: MIT
"""make_rows.py KIND N [FACES.tsv]: rows of the aligned layout on stdout.
rows      N rows of classes of 100, with the pictures of FACES.tsv in turn
classes   N rows, each of a class of its own, with a picture of one pixel
line      a good row, a row of N bytes, a good row
picture   a good row, a row with a picture of about N bytes, a good row"""
import base64
import os
import sys
import zlib

kind, count = sys.argv[1], int(sys.argv[2])
out = sys.stdout.buffer


def chunk(name, data):
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def png(side):
    rows = b"".join(b"\0" + os.urandom(3 * side) for _ in range(side))
    head = side.to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


def row(mid, rank, picture):
    out.write(b"m.%07d\t%d\thttp://a\thttp://b\tFaceId-0\tAAAAAAAAAAAAAAAAAAAAAA==\t" % (mid, rank) + picture + b"\n")


small = base64.b64encode(png(1))
if kind == "rows":
    with open(sys.argv[3], "rb") as faces:
        pictures = [line.rstrip(b"\n").split(b"\t")[6] for line in faces]
    for i in range(count):
        row(i // 100, i % 100, pictures[i % len(pictures)])
elif kind == "classes":
    for i in range(count):
        row(i, 0, small)
elif kind == "line":
    row(0, 0, small)
    piece = b"A" * (1 << 20)
    for _ in range(count >> 20):
        out.write(piece)
    out.write(b"\n")
    row(0, 1, small)
else:
    row(0, 0, small)
    row(0, 1, base64.b64encode(png(int((count / 3) ** 0.5))))
    row(0, 2, small)

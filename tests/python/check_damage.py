#!/usr/bin/env python3
"""check_damage.py FILE.tsv STORE SUMMARY.json LIST.tsv: did fn-ingest judge every row as make_tsv.py's list
says? FILE.tsv.damage has line, kind, verdict and record of the damaged rows, FILE.tsv.expect.json the totals;
SUMMARY.json is what fn-ingest --json printed, LIST.tsv what fn-dump STORE list did. Exits 1 with what differs."""
import json, sys

REASONS = {
    "missing_column": "columns", "extra_column": "columns", "b64_char": "bad_base64", "b64_padding": "bad_base64",
    "nul_byte": "bad_base64", "jpeg_truncated": "damaged_image", "not_image": "not_image", "long_junk": "not_image",
    "empty_data": "empty_data", "empty_mid": "bad_name", "header_bomb": "image_too_large",
}
path, store, summary, listing = sys.argv[1:]
wrong = []


def differ(what, got, want):
    if got != want:
        wrong.append("%s: %r, want %r" % (what, got, want))


damage = {}
for line in open(path + ".damage"):
    number, kind, verdict, record = line.rstrip("\n").split("\t")
    damage[int(number)] = (kind, verdict, record)

# Every row of the file: where it begins, and the record it should give.
offsets, records, layout7 = {}, [], json.load(open(path + ".expect.json"))["layout"] == "aligned7"
offset = 0
for number, row in enumerate(open(path, "rb"), 1):
    offsets[number] = offset
    offset += len(row)
    if damage.get(number, ("", "accept", ""))[1] == "accept":
        f = row.rstrip(b"\r\n").split(b"\t")
        name = f[1] + b"-" + f[4] if layout7 else f[2]
        records.append((f[0] + b"/" + name.replace(b"/", b"_")).decode())

want = {n: REASONS[kind] for n, (kind, verdict, record) in damage.items() if verdict == "reject"}
got = {}
for row in open(store + "/rejects.tsv", "rb").read().decode().splitlines():
    if row.startswith("#"):
        continue
    source, number, at, reason, detail = row.split("\t")
    number = int(number)
    differ("offset of line %d" % number, int(at), offsets[number])
    if not detail:
        wrong.append("line %d: no detail" % number)
    if number in got:
        wrong.append("line %d is rejected twice" % number)
    got[number] = reason
for number in sorted(set(want) | set(got)):
    differ("line %d (%s)" % (number, damage.get(number, ("good",))[0]), got.get(number), want.get(number))

expect = json.load(open(path + ".expect.json"))
s = json.load(open(summary))
v = expect["verdicts"]
differ("rows", s["rows"], expect["lines"])
differ("records", s["records"], v["accept"])
differ("duplicates", s["duplicates"], v["duplicate"])
differ("skipped", s["skipped"], v["skip"])
differ("rejected", sum(s["rejected"].values()), v["reject"])
differ("classes", s["classes"], expect["classes"])
differ("sum", s["records"] + s["duplicates"] + s["skipped"] + s["filtered"] + sum(s["rejected"].values()), s["rows"])

listed = []
for row in open(listing, "rb").read().decode().splitlines():
    if not row.startswith("#"):
        f = row.split("\t")
        listed.append(f[2] + "/" + f[3])
differ("number of records listed", len(listed), len(records))
for a, b in zip(listed, records):  # in input order
    if a != b:
        wrong.append("record %s, want %s" % (a, b))
        break
if wrong:
    sys.exit("\n".join(wrong[:20]))
print("%d rows judged as they should be" % s["rows"])

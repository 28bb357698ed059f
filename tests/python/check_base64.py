#!/usr/bin/env python3
"""check_base64.py FILE: lines `text answer`, both hexadecimal; the answer is what strict decoding of the text
gave, or - where it was refused. Python decodes the same with validate=True; it takes unused bits that are not
zero, which encoding again tells apart. Exits 1 with the first difference."""
import base64, binascii, sys

answers = {True: 0, False: 0}
for number, line in enumerate(open(sys.argv[1]), 1):
    text, answer = line.rstrip("\n").split(" ")
    text = bytes.fromhex(text)
    try:
        data = base64.b64decode(text, validate=True)
        want = data.hex() if base64.b64encode(data) == text else "-"
    except (binascii.Error, ValueError):
        want = "-"
    if answer != want:
        sys.exit("line %d: %r: %s, want %s" % (number, text, answer, want))
    answers[want == "-"] += 1
if min(answers.values()) < 100:
    sys.exit("too few of one answer: %r" % answers)

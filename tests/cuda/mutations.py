#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Leaves out, one at a time, every barrier, shuffle, vote and sum over threads or blocks of the
kernels, builds the emulator's tests with that one file changed, and says which test notices.

    mutations.py SOURCE BUILD SCRATCH [WORD]   WORD: only lines of FILE:LINE or text with it in them

SOURCE/BUILD: the tree and its build folder, whose tests are built. SCRATCH: an empty folder.
What is put in the place of a call:

    barrier            nothing
    shuffle, vote      the thread's own value
    sum of a warp, of a block      the thread's own value
    sum of the grid, last block    true in block 0 alone, whichever comes last

Headers are changed for one file of kernels after the other, until a test notices. Exit code 1: one
was not noticed. A fence is not among them: on the emulator every write is visible at once."""
import json
import os
import re
import subprocess
import sys

TESTS = ["layers", "losses", "optim", "extra", "conv", "bf16", "large"]
FIRST = {  # of the tests: where a file's kernels are looked at; else all in turn
    "layers": "avgpool bias bn dropout l2norm maxpool residual stats",
    "losses": "center distances norm_loss softmax triplet",
    "optim": "finite moving optim step",
    "extra": "gradient margin",
    "conv": "convert standardize",
}
BALANCED = r"\((?:[^()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))*\)"
RULES = [  # what, the call, what stands in its place (of its arguments)
    ("barrier", r"__syncthreads" + BALANCED, lambda a: "((void)0)"),
    ("shuffle", r"__shfl_xor_sync" + BALANCED, lambda a: "(%s)" % a[1]),
    ("vote", r"__any_sync" + BALANCED, lambda a: "(%s)" % a[1]),
    ("warp's sum", r"fn_warp_sum" + BALANCED, lambda a: "(%s)" % a[0]),
    ("block's sum", r"fn_block_sum" + BALANCED, lambda a: "(%s)" % a[0]),
    ("grid's sum", r"fn_grid_sum<\d+>" + BALANCED, lambda a: "(blockIdx.x == 0)"),
    ("last block", r"fn_is_last_block" + BALANCED, lambda a: "(blockIdx.x + blockIdx.y == 0)"),
]


def arguments(call):
    """The arguments of a call, split at its own commas."""
    inner, depth, parts = call[call.index("(") + 1:-1], 0, [""]
    for c in inner:
        depth += (c in "(<[") - (c in ")>]")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts]


def mutations(text):
    """(line, what, the text with the call replaced) of every call, comments and definitions aside."""
    blank = re.sub(r"/\*.*?\*/|//[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)
    found = []
    for what, pattern, stand_in in RULES:
        for m in re.finditer(pattern, blank):
            if re.search(r"(inline|__device__)\s+\w+\s+$", blank[:m.start()]):
                continue
            line = blank.count("\n", 0, m.start()) + 1
            new = text[:m.start()] + stand_in(arguments(m.group())) + text[m.end():]
            found.append((line, what, new))
    return sorted(found, key=lambda f: f[0])


class Tree:
    def __init__(self, source, build, scratch):
        self.source, self.build, self.scratch = source, build, scratch
        self.folder = os.path.join(source, "kernels", "cuda")
        self.compile, self.link = {}, {}
        with open(os.path.join(build, "compile_commands.json")) as f:
            for c in json.load(f):
                if c["file"].endswith(".cu") and "/fn_emulated_objects.dir/" in c["command"]:
                    self.compile[os.path.basename(c["file"])] = c

    def text(self, name):
        with open(os.path.join(self.folder, name)) as f:
            return f.read()

    def object(self, kernels, changed, text):
        """kernels/cuda/`kernels`, compiled with `text` as the file `changed`; None: does not compile."""
        place = os.path.join(self.scratch, "kernels", "cuda")
        os.makedirs(place, exist_ok=True)
        for name in os.listdir(place):
            os.remove(os.path.join(place, name))
        for name, body in {kernels: self.text(kernels), changed: text}.items():
            with open(os.path.join(place, name), "w") as f:
                f.write(body)
        c = self.compile[kernels]
        out = os.path.join(self.scratch, "changed.o")
        command = c["command"].replace(c["file"], os.path.join(place, kernels))
        command = re.sub(r" -o \S+", " -o " + out, command).replace(" -I", " -I%s -I" % self.scratch, 1)
        run = subprocess.run(command + " -w", shell=True, cwd=c["directory"], stderr=subprocess.DEVNULL)
        return out if run.returncode == 0 else None

    def program(self, test, changed):
        """The test's program with this object before the library that has the right one."""
        if test not in self.link:
            all_commands = subprocess.run(["ninja", "-C", self.build, "-t", "commands", test], check=True,
                                          capture_output=True, text=True).stdout.splitlines()
            self.link[test] = next(c for c in reversed(all_commands) if " -o bin/%s " % test in c)
        out = os.path.join(self.scratch, "program")
        command = self.link[test].replace(" -o bin/%s " % test, " %s -o %s " % (changed, out))
        subprocess.run(command, shell=True, check=True, cwd=self.build)
        return out


def outcome(program):
    """What ended a test: None if it passed."""
    try:
        run = subprocess.run([program], env=dict(os.environ, FN_TEST_BACKENDS="cuda"), timeout=300,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
    except subprocess.TimeoutExpired:
        return "hangs"
    if run.returncode == 0:
        return None
    failed = re.search(r"\[  FAILED  \] (\w+)", run.stdout)
    return failed.group(1) if failed else "stopped by the emulator"


def noticed(tree, kernels, changed, text):
    """(test, how) that notices the change in this file of kernels; None: none does."""
    object_file = tree.object(kernels, changed, text)
    if not object_file:
        return "the compiler"
    stem = kernels[:-3]
    first = [t for t in TESTS if stem in FIRST.get(t, "").split()]
    for test in first + [t for t in TESTS if t not in first and kernels == changed]:
        name = ("cuda_" if test in ("bf16", "large") else "cuda_op_") + test
        how = outcome(tree.program(name, object_file))
        if how:
            return "%s: %s" % (name, how)
    return None


def users(tree, header, line):
    """Files of kernels that call the header's function of this line, or one of those that call it."""
    blocks = re.split(r"\n(?=\}\n)", tree.text(header))
    bodies, at = {}, 0
    for block in blocks:
        name = re.search(r"(fn_\w+)\([^;]*\)\n\{", block)
        end = at + block.count("\n") + 1
        if name:
            bodies[name.group(1)] = block
            if at < line <= end:
                wanted = {name.group(1)}
        at = end
    grown = True
    while grown:
        more = {n for n, body in bodies.items() if any(re.search(r"\b%s\b" % w, body) for w in wanted)}
        grown = not more <= wanted
        wanted |= more
    return [n for n in sorted(tree.compile)
            if any(re.search(r"\b%s\b" % w, tree.text(n)) for w in wanted)]


def main():
    tree, word = Tree(*sys.argv[1:4]), sys.argv[4] if len(sys.argv) > 4 else ""
    headers = [n for n in sorted(os.listdir(tree.folder)) if n.endswith(".h")]
    tried = missed = 0
    for name in headers + sorted(tree.compile):
        text = tree.text(name)
        for line, what, changed in mutations(text):
            place = "%s:%d" % (name, line)
            if word not in "%s %s" % (place, what):
                continue
            by = None
            for kernels in users(tree, name, line) if name in headers else [name]:
                by = noticed(tree, kernels, name, changed)
                if by:
                    by += " (%s)" % kernels if name in headers else ""
                    break
            tried += 1
            missed += by is None
            print("%-18s %-12s %-40s %s" % (place, what, text.splitlines()[line - 1].strip()[:40],
                                            by or "NOT NOTICED"), flush=True)
    print("%d left out, %d not noticed" % (tried, missed))
    return missed != 0


sys.exit(main())

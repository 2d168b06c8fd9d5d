#!/usr/bin/env python3
"""check_op_tests.py SOURCE: every op of the registry has tests of invalid input.

For each op of src/ops/op_list.h and each kind of invalid input, a test (tests/unit/invalid_*_test.c) has a line
REFUSED(op, KIND, ..) or REFUSED_CASE(op, KIND, ..), or IMPOSSIBLE(op, KIND, why); see tests/invalid_input.h.
Failing allocations need no list: cpu.op_allocations walks through the registry.
"""
import glob
import os
import re
import sys

KINDS = ("RANK", "SIZE", "DTYPE", "MISSING", "OPTION")


def main(source):
    with open(os.path.join(source, "src/ops/op_list.h"), encoding="utf-8") as file:
        ops = re.findall(r"^\s*X\((\w+)\)", file.read(), re.M)
    refused, impossible, run = {}, {}, set()
    for path in sorted(glob.glob(os.path.join(source, "tests/unit/invalid_*_test.c"))):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for macro, op, kind in re.findall(r"\b(REFUSED|REFUSED_CASE|IMPOSSIBLE)\((\w+), (\w+),", text):
            (impossible if macro == "IMPOSSIBLE" else refused).setdefault(op, set()).add(kind)
        run.update(re.findall(r"cmocka_unit_test\((\w+)_refuses\)", text))
    faults = []
    for op in ops:
        has, has_not = refused.get(op, set()), impossible.get(op, set())
        faults += [f"{op}: no test of invalid input of the kind {kind}" for kind in KINDS if kind not in has | has_not]
        faults += [f"{op}: {kind} is both tested and said to be impossible" for kind in sorted(has & has_not)]
        if not has:
            faults.append(f"{op}: no invalid input at all is tested")
        if op not in run:
            faults.append(f"{op}: no test {op}_refuses is run")
    faults += [f"{op}: tested, but no op of the registry" for op in sorted((set(refused) | set(impossible)) - set(ops))]
    for op, kinds in sorted({**refused, **impossible}.items()):
        faults += [f"{op}: unknown kind {kind}" for kind in sorted(kinds - set(KINDS))]
    if len(ops) < 10:
        faults.append(f"only {len(ops)} ops were found in {source}: is that the project's folder?")
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

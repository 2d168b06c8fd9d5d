#!/usr/bin/env python3
"""summary.py TABLE...: the tables of vendor_compile (tests/compile/table.c), one device each, as Markdown by shader.

Of each shader and device the worst pipeline: the most registers of an invocation, and where the driver says it the fewest
waves per SIMD unit; spills, if there are any. Then pipelines with few waves and the reasons, and shared memory and memory
instructions on one of AMD's devices (RDNA 3, if it is among them).
"""
import sys


class Pipeline:
    def __init__(self, columns, line):
        self.shader = line[columns["shader"]:].split()[0]

        def number(name):
            # Numbers stand right-aligned under their heading.
            end = columns[name] + len(name)
            text = line[:end].split()[-1] if line[end - 1] != " " else ""
            return int(text) if text else None

        self.registers, self.spills = number("registers"), number("spills")
        self.shared, self.waves = number("shared"), number("waves")
        memory = line[columns["loads"]:columns["from"]].split()
        self.memory = [[int(n) for n in part.split("/")] for part in memory]
        self.source = line[columns["from"]:].split()[0]
        self.reason = line.split("; ", 1)[1] if "; " in line else None


def read(path):
    lines = open(path, encoding="utf-8").read().splitlines()
    head = lines[1]
    columns = {name: head.index(name) for name in ("shader", "registers", "spills", "shared", "waves", "loads", "from")}
    return lines[0][2:], [Pipeline(columns, line) for line in lines[2:]]


def cell(pipelines):
    if not pipelines:
        return ""
    text = str(max(p.registers for p in pipelines))
    waves = [p.waves for p in pipelines if p.waves is not None]
    if waves:
        text += f"/{min(waves)}"
    spilling = [p for p in pipelines if p.spills and not p.reason]
    if spilling:
        text += f" **{len(spilling)} spill**"
    return text


def main():
    devices = []
    for path in sys.argv[1:]:
        title, pipelines = read(path)
        devices.append((title.split(":")[0], title, pipelines))
    order = ["polaris10", "vega10", "navi10", "navi21", "gfx1100", "navi31", "gfx1150", "gfx1201",
             "tgl", "dg2", "lnl", "bmg", "ptl", "turing", "ampere", "ada"]
    devices.sort(key=lambda device: order.index(device[0]) if device[0] in order else len(order))
    for name, title, pipelines in devices:
        spilling = sum(1 for p in pipelines if p.spills)
        models = sum(1 for p in pipelines if p.source == "model")
        print(f"- `{name}`: {title.split(': ', 1)[1]}. {len(pipelines)} pipelines, {models} of them of models; {spilling} spill.")
    print("\n| shader | " + " | ".join(name for name, _, _ in devices) + " |")
    print("|---" * (len(devices) + 1) + "|")
    shaders = sorted({p.shader for _, _, pipelines in devices for p in pipelines})
    for shader in shaders:
        cells = [cell([p for p in pipelines if p.shader == shader]) for _, _, pipelines in devices]
        print(f"| {shader} | " + " | ".join(cells) + " |")
    few = {}
    for name, _, pipelines in devices:
        for p in pipelines:
            if p.reason and p.waves:
                few.setdefault((p.shader, p.reason), []).append((name, p))
    if few:
        print("\nPipelines with fewer than four waves on a SIMD unit, and why:\n")
        print("| shader | pipelines of models, of all | fewest waves, of models, of all | devices | reason |")
        print("|---|---|---|---|---|")
        for (shader, reason), found in sorted(few.items()):
            names = ", ".join(dict.fromkeys(name for name, _ in found))
            models = [p.waves for _, p in found if p.source == "model"]
            print(f"| {shader} | {len(models)}, {len(found)} | {min(models, default='none')}, "
                  f"{min(p.waves for _, p in found)} | {names} | {reason} |")
    counting = [device for device in devices if any(p.memory for p in device[2])]
    if not counting:
        return
    name, _, pipelines = next((device for device in counting if device[0] == "navi31"), counting[-1])
    print(f"\nShared memory and memory instructions on `{name}`, of the pipelines of models: the most bytes of a workgroup, and\n"
          "the instructions of all pipelines of a shader together.\n")
    print("| shader | pipelines | shared bytes | loads of 4 | 8 | 16 | stores of 4 | 8 | 16 |")
    print("|---|---|---|---|---|---|---|---|---|")
    for shader in shaders:
        own = [p for p in pipelines if p.shader == shader and p.source == "model" and p.memory]
        if own:
            sums = [sum(p.memory[side][size] for p in own) for side in (0, 1) for size in range(3)]
            print(f"| {shader} | {len(own)} | {max(p.shared for p in own)} | " + " | ".join(map(str, sums)) + " |")


main()

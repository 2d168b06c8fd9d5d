"""python3 check.py CASE.safetensors...: does the oracle reproduce these recordings?

Prints one line a case with the worst error over outputs (of max(1, max |want|)) and over gradients and final
parameters (of max |want|); exit status 1 if any is beyond float32 rounding or a tensor is missing on a side.

Some recordings of one module with the same parameters (plain, mask, ..) hold the sum of all their parameter
gradients, each file the same; such siblings among the given files are checked by their sum.
"""
import sys

import numpy as np

import recording
import replay

# The recordings are float64 results rounded to float32: half an ulp, 6e-8 of the largest element.
BOUND = 1e-7
# The relational recordings were made with the eps that PyTorch's RMSNorm takes for float64, 2^-52; the equations, and
# the models in float32, have that of float32, 2^-23. This is the trace of the difference.
RELATIONAL_BOUND = 1e-6


def _siblings_key(tensors):
    parameters = [name for name in sorted(tensors) if name.startswith(("param.", "grad.param."))]
    return tuple((name, tensors[name].tobytes()) for name in parameters)


def main(paths):
    cases, groups = [], {}
    for path in paths:
        tensors, metadata = recording.read(path)
        if not replay.supported(metadata):
            print(f"{path}: not a model of this oracle ({metadata['model']})")
            continue
        got = replay.replay(tensors, metadata)
        bound = RELATIONAL_BOUND if metadata["model"] == "relational" else BOUND
        cases.append((path, tensors, got, bound))
        if metadata["family"] == "module":
            groups.setdefault(_siblings_key(tensors), []).append(got)
    for group in groups.values():
        for name in [name for name in group[0] if name.startswith("grad.param.")]:
            total = sum(got[name] for got in group)
            for got in group:
                got[name] = total
    return any([_report(*case) for case in cases])


def _report(path, tensors, got, bound):
    """Prints the line of a case; true if it is bad."""
    want = {name: x for name, x in tensors.items() if name.split(".")[0] in ("output", "grad", "final")}
    worst = {"output": (0.0, ""), "grad": (0.0, ""), "final": (0.0, "")}
    for name in set(want) & set(got):
        kind = name.split(".")[0]
        largest = np.abs(want[name]).max()
        scale = max(1.0, largest) if kind == "output" else largest + 1e-9
        worst[kind] = max(worst[kind], (np.abs(got[name] - want[name]).max() / scale, name))
    lacking = sorted(set(want) ^ set(got))
    bad = bool(lacking) or any(error > bound for error, _ in worst.values())
    errors = "  ".join(f"{kind} {error:.1e} {name}" for kind, (error, name) in worst.items() if name)
    print(f"{'FAIL' if bad else 'ok  '} {path.split('/')[-1]}: {errors}",
          f"LACKING {lacking}" if lacking else "")
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What the comparisons with PyTorch share: the device, timing, and results as JSON lines.

Each script of this folder prints one JSON object a line, {"what", "n", "pass", "variant", "seconds"}, as soon as it is
measured, so that a script that is ended early has said what it knew. Exit code 77: PyTorch, or this GPU for it, is not
there, and why stands on stderr.

Variants: "reference", the equations written down plainly; "dual", written by hand for a GPU (each script says how);
and both through torch.compile, where this PyTorch has it. All in float32 without TF32, as this library computes.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

SKIPPED = 77

try:
    import torch
except ImportError as error:
    print(f"python3 has no PyTorch: {error}", file=sys.stderr)
    sys.exit(SKIPPED)


def parse(description, sizes):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--n", type=int, default=sizes, help="the size (default %(default)s)")
    parser.add_argument("--repeat", type=int, default=5, help="timed runs, of which the shortest counts")
    parser.add_argument("--torch-device", default=os.environ.get("QUARTIC_TORCH_DEVICE"),
                        help="the device as PyTorch calls it; without, the one that --quartic and --device name")
    parser.add_argument("--quartic", help="the program quartic, which tells the device's name")
    parser.add_argument("--device", default="vulkan", help="as quartic names it (default %(default)s)")
    parser.add_argument("--check", metavar="FILE", help="instead compare with a recording, in double")
    return parser.parse_args()


def skip(reason):
    print(reason, file=sys.stderr)
    sys.exit(SKIPPED)


def models_of(name):
    """The words that tell devices apart: those with a digit, such as H200, 7900, A770."""
    return {word for word in re.split(r"[^a-z0-9]+", name.lower()) if re.search(r"\d", word) and len(word) > 1}


def name_of_quartic(program, device):
    """The name of the device that is measured, by `quartic devices`."""
    listed = json.loads(subprocess.run([program, "devices", "--json"], capture_output=True, check=True).stdout)
    vulkan = [entry for entry in listed if entry["type"] not in ("cpu", "none") and entry["usable"]]
    if device in ("vulkan", "auto"):
        return vulkan[0]["name"] if vulkan else ""
    for entry in listed:
        if device in (entry["device"], entry["name"]):
            return entry["name"]
    return next((entry["name"] for entry in listed if device.lower() in entry["name"].lower()), device)


def devices_of_torch():
    """All (device, name) that PyTorch can compute on beside the CPU. ROCm is called cuda, too."""
    found = []
    if torch.cuda.is_available():
        found += [(f"cuda:{k}", torch.cuda.get_device_name(k)) for k in range(torch.cuda.device_count())]
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        found += [(f"xpu:{k}", torch.xpu.get_device_name(k)) for k in range(torch.xpu.device_count())]
    if hasattr(torch.backends, "mps") and torch.backends.mps.is_available():
        found += [("mps", "Apple")]
    return found


def choose_device(arguments):
    """The device that the library was measured on; skips, with exit code 77, if PyTorch has not got it."""
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = False
    if hasattr(torch.backends, "cudnn"):
        torch.backends.cudnn.allow_tf32 = False
    if arguments.torch_device:
        return torch.device(arguments.torch_device)
    found = devices_of_torch()
    if not found:
        skip(f"PyTorch {torch.__version__} finds no GPU")
    if not arguments.quartic:
        return torch.device(found[0][0])
    wanted = name_of_quartic(arguments.quartic, arguments.device)
    for device, name in found:
        if models_of(name) & models_of(wanted) or (name == "Apple" and "apple" in wanted.lower()):
            return torch.device(device)
    return skip(f"PyTorch has {', '.join(name for _, name in found)}, and not {wanted}")


def wait(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "xpu":
        torch.xpu.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def least_seconds(device, function, repeat):
    """The shortest of some runs, after two that prepare."""
    least = float("inf")
    for run in range(repeat + 2):
        wait(device)
        begin = time.perf_counter()
        function()
        wait(device)
        if run >= 2:
            least = min(least, time.perf_counter() - begin)
    return least


def emit(what, n, passed, variant, seconds):
    print(json.dumps({"what": what, "n": n, "pass": passed, "variant": variant, "seconds": seconds}), flush=True)


def compiled(function):
    """The function through torch.compile; None, and says so, where there is no such thing."""
    if not hasattr(torch, "compile"):
        print(f"PyTorch {torch.__version__} has no torch.compile", file=sys.stderr)
        return None
    return torch.compile(function)


def variants_of(functions):
    """Pairs (name, function): those given, then each of them compiled."""
    for name, function in functions:
        yield name, function
    for name, function in functions:
        made = compiled(function)
        if made is not None:
            yield name + ", torch.compile", made


def measure(what, n, variant, device, repeat, function, inputs):
    """Times a function of tensors forward, and backward with a gradient of ones. What fails, such as for lack of
    memory, is told on stderr, and the next variant goes on."""
    try:
        with torch.no_grad():
            emit(what, n, "forward", variant, least_seconds(device, lambda: function(*inputs), repeat))
        leaves = [x.detach().requires_grad_() for x in inputs]

        def both():
            for x in leaves:
                x.grad = None
            out = function(*leaves)
            wait(device)
            begin = time.perf_counter()
            out.backward(torch.ones_like(out))
            wait(device)
            return time.perf_counter() - begin

        emit(what, n, "backward", variant, min(both() for _ in range(repeat + 2)))
    except Exception as error:  # whatever a compiler or driver raises
        print(f"{what}, n = {n}, {variant}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
              file=sys.stderr)
    if device.type == "cuda":
        torch.cuda.empty_cache()


if __name__ == "__main__":  # what the comparisons would use, for the report
    chosen = choose_device(parse(__doc__, 0))
    print(json.dumps({"torch": torch.__version__, "torch_device": str(chosen), "name": dict(devices_of_torch()).get(
        str(chosen), "")}))

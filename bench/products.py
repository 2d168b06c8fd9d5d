"""Square matrix products in PyTorch, float32 without TF32, as `quartic bench products` times them."""
from common import choose_device, emit, least_seconds, parse  # first: says so where there is no PyTorch

import torch


def main():
    arguments = parse(__doc__, 8192)
    device, side = choose_device(arguments), 512
    while side <= arguments.n:
        a, b = torch.randn(side, side, device=device), torch.randn(side, side, device=device)
        emit("product", side, "forward", "reference", least_seconds(device, lambda: a @ b, arguments.repeat))
        side *= 2


if __name__ == "__main__":
    main()

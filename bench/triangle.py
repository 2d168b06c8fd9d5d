"""Triangle attention (around the starting node, 4 heads of 32, with a bias) and triangle multiplication (outgoing, 128
channels, with its norms, gates and projections) in PyTorch, as `quartic bench triangle` times them.

dual: attention takes each node i as one problem of ordinary attention with a bias that all share, by
scaled_dot_product_attention (or, before PyTorch 2, row by row), so that no (n, n, n) tensor is stored; multiplication
takes the channels as a batch of matrix products.

--check says how far both are apart, in double, at a small n; FILE is not read.
"""
from common import choose_device, measure, parse, variants_of  # first: says so where there is no PyTorch

import torch

HEADS, WIDTH, CHANNELS = 4, 32, 128


def attention_reference(q, k, v, bias):
    """q, k, v (i, j, h, d), bias (l, j, h) to (i, j, h, d)"""
    scores = torch.einsum("ijhd,ilhd->hijl", q, k) * WIDTH ** -0.5 + bias.permute(2, 1, 0).unsqueeze(1)
    return torch.einsum("hijl,ilhd->ijhd", torch.softmax(scores, -1), v)


def attention_dual(q, k, v, bias):
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))  # (i, h, j, d)
    shared = bias.permute(2, 1, 0).unsqueeze(0)  # (1, h, j, l)
    if hasattr(torch.nn.functional, "scaled_dot_product_attention"):
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=shared)
    else:
        out = torch.stack([torch.softmax(a @ b.transpose(-1, -2) * WIDTH ** -0.5 + shared[0], -1) @ c
                           for a, b, c in zip(q, k, v)])
    return out.transpose(1, 2)


def rms(x):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5)


def multiplication(product):
    def multiply(z, left_gate, left, right_gate, right, out, gate):
        x = rms(z)
        a = torch.sigmoid(x @ left_gate.T) * (x @ left.T)
        b = torch.sigmoid(x @ right_gate.T) * (x @ right.T)
        return torch.sigmoid(x @ gate.T) * (rms(product(a, b)) @ out.T)
    return multiply


def product_reference(a, b):
    return torch.einsum("ilc,jlc->ijc", a, b)


def product_dual(a, b):
    return (a.permute(2, 0, 1) @ b.permute(2, 1, 0)).permute(1, 2, 0)


def check():
    """Fails unless the two forms of each kernel agree."""
    n, double = 7, torch.float64
    heads = [torch.randn(n, n, HEADS, WIDTH, dtype=double) for _ in range(3)] + [torch.randn(n, n, HEADS, dtype=double)]
    edges = [torch.randn(n, n, CHANNELS, dtype=double) for _ in range(2)]
    pairs = [(attention_reference(*heads), attention_dual(*heads)), (product_reference(*edges), product_dual(*edges))]
    worst = max((a - b).abs().max().item() for a, b in pairs)
    print(f"the two forms differ by at most {worst:.2g}")
    return worst < 1e-9


def main():
    arguments = parse(__doc__, 256)
    if arguments.check:
        raise SystemExit(not check())
    device, n = choose_device(arguments), arguments.n
    heads = [torch.randn(n, n, HEADS, WIDTH, device=device) for _ in range(3)]
    bias = torch.randn(n, n, HEADS, device=device)
    for name, function in variants_of([("reference", attention_reference), ("dual", attention_dual)]):
        measure("triangle-attention", n, name, device, arguments.repeat, function, [*heads, bias])
    del heads, bias
    z = torch.randn(n, n, CHANNELS, device=device)
    weights = [torch.randn(CHANNELS, CHANNELS, device=device) * CHANNELS ** -0.5 for _ in range(6)]
    functions = [("reference", multiplication(product_reference)), ("dual", multiplication(product_dual))]
    for name, function in variants_of(functions):
        measure("triangle-multiplication", n, name, device, arguments.repeat, function, [z, *weights])


if __name__ == "__main__":
    main()

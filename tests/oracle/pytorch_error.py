"""python3 pytorch_error.py CASE.safetensors...: PyTorch's own float32 error on recordings of relational models.

Computes each recording straight from the equations (a query, key and value for every edge), forward and backward, in
float32, and writes the worst error over outputs and over gradients, in multiples of the recordings' bounds, into the
file's metadata as "pytorch_float32". tests/cpu/relational_accuracy_test.c holds this library to it. Needs torch; nothing
else here does.
"""
import sys

import numpy as np
import torch

import recording
import relational
import replay


def rms(x, weight):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + relational.NORM_EPS) * weight


def forward(p, c, tokens, mask):
    linear, functional = torch.nn.functional.linear, torch.nn.functional
    reference, heads, width = c["compatibility"] == "reference", c["heads"], c["dim_head"]
    b, n = tokens.shape

    def feedforward(prefix, x):
        hidden = functional.gelu(linear(rms(x, p[prefix + "0.weight"]), p[prefix + "1.weight"]))
        return linear(hidden, p[prefix + "4.weight"])

    x = p["token_emb.weight"][tokens] + p["pos_emb.weight"][:n]
    rows, columns = linear(x, p["to_edge_emb.to_rows.weight"]), linear(x, p["to_edge_emb.to_cols.weight"])
    e = linear(rows[:, :, None] + columns[:, None], p["to_edge_emb.to_edges.0.weight"])
    e = functional.layer_norm(e, e.shape[-1:], p["to_edge_emb.to_edges.1.weight"], p["to_edge_emb.to_edges.1.bias"], 1e-5)
    visible = torch.ones(b, 1, n, n, dtype=torch.bool) if mask is None else mask[:, None, None, :].expand(b, 1, n, n)
    if c["causal"]:
        visible = visible & torch.ones(n, n, dtype=torch.bool).tril()
    for layer in range(c["depth"]):
        at = f"layers.{layer}."
        nodes, edges = rms(x, p[at + "0.0.norm.weight"]), rms(e, p[at + "0.0.edges_norm.weight"])
        q, k, v = linear(nodes, p[at + "0.0.to_qkv.0.weight"]).reshape(b, n, 3, heads, width).unbind(2)
        of_edges = linear(edges, p[at + "0.0.to_edges_qkv.0.weight"]).reshape(b, n, n, 3, heads, width).unbind(3)
        q = (q[:, None] if reference else q[:, :, None]) + of_edges[0]
        k, v = k[:, None] + of_edges[1], v[:, None] + of_edges[2]
        sim = torch.einsum("bijhd,bijhd->bhij", q * width ** (0.5 if reference else -0.5), k)
        maps = sim.masked_fill(~visible, -torch.finfo(sim.dtype).max).softmax(-1) * visible.any(-1, keepdim=True)
        out = torch.einsum("bhij,bijhd->bihd", maps, v).reshape(b, n, heads * width)
        x = x + linear(out, p[at + "0.0.to_out.1.weight"])
        x = x + feedforward(at + "0.1.", x)
        nodes, edges = rms(x, p[at + "1.0.node_norm.weight"]), rms(e, p[at + "1.0.edges_norm.weight"])
        parts = [nodes[:, :, None].expand(-1, -1, n, -1), nodes[:, None].expand(-1, n, -1, -1), edges]
        if not c["causal"]:
            parts.append(edges.transpose(1, 2))
        e = e + linear(torch.cat(parts, -1), p[at + "1.0.proj.weight"], p[at + "1.0.proj.bias"])
        e = e + feedforward(at + "1.1.", e)
    return linear(x if reference else rms(x, p["final_norm.weight"]), p["to_logits.weight"])


def errors(tensors, metadata):
    """The worst of |got - want| over its bound, of outputs and of gradients."""
    c = {**relational.DEFAULTS, **replay.config_of(metadata)}
    p = {name[6:]: torch.tensor(x).requires_grad_() for name, x in tensors.items() if name.startswith("param.")}
    mask = torch.tensor(tensors["input.mask"].astype(bool)) if "input.mask" in tensors else None
    logits = forward(p, c, torch.tensor(tensors["input.tokens"].astype(np.int64)), mask)
    targets = torch.tensor(tensors["input.targets"].astype(np.int64)).reshape(-1)
    loss = torch.nn.functional.cross_entropy(logits.reshape(len(targets), -1), targets, ignore_index=-1)
    loss.backward()

    def of_bound(got, want, relative, least, absolute):
        got, want = np.asarray(got, dtype=float), np.asarray(want, dtype=float)
        return np.abs(got - want).max() / (relative * max(least, np.abs(want).max()) + absolute)

    outputs = max(of_bound(logits.detach(), tensors["output.logits"], 2e-5, 1.0, 0.0),
                  of_bound(loss.detach(), tensors["output.loss"], 2e-5, 1.0, 0.0))
    gradients = max(of_bound(np.zeros(x.shape) if x.grad is None else x.grad, tensors["grad." + name], 1e-4, 0.0, 1e-6)
                    for name, x in p.items())
    return outputs, gradients


def main(paths):
    torch.set_num_threads(1)
    for path in paths:
        tensors, metadata = recording.read(path)
        outputs, gradients = errors(tensors, metadata)
        metadata["pytorch_float32"] = f"{outputs:.3g} {gradients:.3g}"
        recording.write(path, tensors, metadata)
        print(f"{path}: outputs {outputs:.3g}, gradients {gradients:.3g} of the bounds")


if __name__ == "__main__":
    main(sys.argv[1:])

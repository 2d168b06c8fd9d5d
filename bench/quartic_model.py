"""The quartic transformer of docs/performance.md (256 tokens, dim 512, depth 2, dim_edges 32, batch 1) in PyTorch: a
forward pass and a training step (loss, gradients, clipping, AdamW), as `quartic bench` times them.

reference: Taylor attention by its features, 1, x and all products of two, as the published package computes it.
dual: by pairs of tokens, with weights 1 + s + s^2/2 of the products s = q k, and no features at all. Which of them is
quicker depends on n and on the width of the heads (docs/edge-attention.md).

--check FILE compares both with a recording of tests/golden, logits and gradients, in double.
"""
import json
import os
import sys

from common import choose_device, compiled, emit, least_seconds, parse  # first: says so where there is no PyTorch

import torch
from torch.nn.functional import cross_entropy, gelu, layer_norm, silu

DEFAULTS = dict(num_tokens=256, dim=512, depth=2, dim_edges=32, dim_head=64, heads=8, linear_dim_head=16,
                linear_heads=16, ff_mult=4, max_seq_len=2048, num_residual_streams=4)


def rms(x, scale):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5) * scale


def l2(x, gain):
    return x / x.norm(dim=-1, keepdim=True).clamp(min=1e-12) * x.shape[-1] ** 0.5 * gain


def heads_of(x, parts, width):
    """(.., m, parts * h * width) to parts tensors (.., h, m, width)"""
    x = x.reshape(*x.shape[:-1], parts, -1, width)
    return x.movedim(-3, 0).transpose(-2, -3)


def features(x):
    """1, x and x x / sqrt(2), flat"""
    pairs = (x.unsqueeze(-1) * x.unsqueeze(-2)).flatten(-2) * 0.5 ** 0.5
    return torch.cat([torch.ones_like(x[..., :1]), x, pairs], -1)


def taylor_reference(q, k, v):
    q, k = features(q), features(k)
    total = (q * k.sum(-2, keepdim=True)).sum(-1, keepdim=True)
    return q @ (k.transpose(-1, -2) @ v) / total.clamp(min=1e-5)


def taylor_dual(q, k, v):
    s = q @ k.transpose(-1, -2)
    w = 1 + s + 0.5 * s * s
    return w @ v / w.sum(-1, keepdim=True).clamp(min=1e-5)


class Weights:
    """Tensors by the names of a state_dict, below a prefix."""

    def __init__(self, tensors, prefix=""):
        self.tensors, self.prefix = tensors, prefix

    def __getitem__(self, name):
        return self.tensors[self.prefix + name]

    def at(self, prefix):
        return Weights(self.tensors, self.prefix + prefix)


def feedforward(p, x):
    return gelu(rms(x, p["0.scale"]) @ p["1.weight"].T) @ p["4.weight"].T


def node_attention(p, x, edges, width):
    x = rms(x, p["rmsnorm.scale"])
    q, k, v = heads_of(x @ p["to_qkv.0.weight"].T, 3, width)  # (b, h, n, d)
    gates = torch.sigmoid(x @ p["to_gates.0.weight"].T + p["to_gates.0.bias"])
    sim = (q * width ** -0.5) @ k.transpose(-1, -2)
    if edges is not None:
        e = p.at("edges_to_attn_bias.")
        sim = sim + (rms(edges, e["0.scale"]) @ e["1.weight"].T + e["1.bias"]).permute(0, 3, 1, 2)
    talk = p["pre_talking_heads.weight"].flatten(1)
    attention = torch.softmax(torch.einsum("oh,bhij->boij", talk, sim), -1)
    out = (attention @ v).transpose(1, 2) * gates.unsqueeze(-1)
    out = out.flatten(2) @ p["to_out.1.weight"].T
    if edges is None:
        return out, None
    return out, torch.einsum("eh,bhij->bije", p["to_edges_out.0.weight"].flatten(1), attention)


def taylor_attention(p, x, width, form):
    """Along the last but one axis of x (.., m, d)."""
    normed = l2(x, p["norm.gamma"])
    q, = heads_of(normed @ p["to_q.0.weight"].T, 1, width)
    k, v = heads_of(normed @ p["to_kv.0.weight"].T, 2, width)
    out = form(q * width ** -0.5, k, v).transpose(-2, -3)
    gates = torch.sigmoid(x @ p["to_v_gates.0.weight"].T)
    return (out * gates.unsqueeze(-1)).flatten(-2) @ p["to_out.0.weight"].T


def axial_attention(p, edges, width, form):
    edges = edges + taylor_attention(p.at("row_attn."), edges, width, form)
    edges = edges + taylor_attention(p.at("col_attn."), edges.transpose(1, 2), width, form).transpose(1, 2)
    gain, _ = node_attention(p.at("diagonal_attn."), edges.diagonal(dim1=1, dim2=2).transpose(1, 2), None, width)
    return edges + torch.diag_embed(gain.transpose(1, 2)).permute(0, 2, 3, 1)


def hyper_connection(p, residuals, branch):
    """residuals (b, s, n, d)"""
    if residuals.shape[1] == 1:
        return residuals + branch(residuals[:, 0]).unsqueeze(1)
    normed = l2(residuals, p["norm.gamma"] + 1)
    alpha = torch.tanh(normed @ p["dynamic_alpha_fn"]) * p["dynamic_alpha_scale"] + p["static_alpha"].unsqueeze(1)
    beta = torch.tanh(normed @ p["dynamic_beta_fn"]) * p["dynamic_beta_scale"] + p["static_beta"].unsqueeze(1)
    mixed = torch.einsum("bsnt,bsnd->btnd", alpha, residuals)
    return mixed[:, 1:] + beta.unsqueeze(-1) * branch(mixed[:, 0]).unsqueeze(1)


def forward(weights, config, tokens, form):
    """Logits (b, n, vocabulary)"""
    p, n = Weights(weights), tokens.shape[1]
    x = p["token_emb.weight"][tokens] + p["pos_emb.weight"][:n]
    e = p.at("to_edge_emb.")
    pairs = (x @ e["to_rows.weight"].T).unsqueeze(2) + (x @ e["to_cols.weight"].T).unsqueeze(1)
    edges = layer_norm(pairs @ e["to_edges.0.weight"].T, pairs.shape[-1:], e["to_edges.1.weight"], e["to_edges.1.bias"])
    m, place = p.at("dynamic_rel_pos_bias.mlp."), torch.arange(n, device=tokens.device, dtype=x.dtype)
    apart = (place[:, None] - place[None, :]).unsqueeze(-1)
    h = silu(silu(apart @ m["0.0.weight"].T + m["0.0.bias"]) @ m["1.0.weight"].T + m["1.0.bias"])
    edges = edges + h @ m["2.weight"].T + m["2.bias"]
    residuals = x.unsqueeze(1).expand(-1, config["num_residual_streams"], -1, -1)
    for layer in range(config["depth"]):
        q = p.at(f"layers.{layer}.")
        gains = []

        def attend(x, q=q, edges=edges, gains=gains):
            out, gain = node_attention(q.at("0.0.branch."), x, edges, config["dim_head"])
            gains.append(gain)
            return out

        residuals = hyper_connection(q.at("0.0."), residuals, attend)
        residuals = hyper_connection(q.at("0.1."), residuals, lambda x, q=q: feedforward(q.at("0.1.branch."), x))
        edges = axial_attention(q.at("1.0."), edges + gains[0], config["linear_dim_head"], form)
        edges = edges + feedforward(q.at("1.1."), edges)
    return rms(residuals.sum(1), p["to_logits.0.scale"]) @ p["to_logits.1.weight"].T


def make_weights(c, device):
    """Random weights of a model's shapes; which, matters to no time."""
    shapes = {"token_emb.weight": (c["num_tokens"], c["dim"]), "pos_emb.weight": (c["max_seq_len"], c["dim"]),
              "to_logits.0.scale": (c["dim"],), "to_logits.1.weight": (c["num_tokens"], c["dim"])}
    d, de, s = c["dim"], c["dim_edges"], c["num_residual_streams"]

    def add(prefix, **more):
        shapes.update({prefix + name.replace("__", "."): shape for name, shape in more.items()})

    add("to_edge_emb.", to_rows__weight=(de, d), to_cols__weight=(de, d))
    shapes.update({"to_edge_emb.to_edges.0.weight": (de, de), "to_edge_emb.to_edges.1.weight": (de,),
                   "to_edge_emb.to_edges.1.bias": (de,)})
    mlp = "dynamic_rel_pos_bias.mlp."
    shapes.update({mlp + "0.0.weight": (d, 1), mlp + "0.0.bias": (d,), mlp + "1.0.weight": (d, d),
                   mlp + "1.0.bias": (d,), mlp + "2.weight": (de, d), mlp + "2.bias": (de,)})

    def add_attention(prefix, dim, heads, width):
        shapes.update({prefix + "rmsnorm.scale": (dim,), prefix + "to_qkv.0.weight": (3 * heads * width, dim),
                       prefix + "to_gates.0.weight": (heads, dim), prefix + "to_gates.0.bias": (heads,),
                       prefix + "pre_talking_heads.weight": (heads, heads, 1, 1),
                       prefix + "to_out.1.weight": (dim, heads * width)})

    def add_feedforward(prefix, dim):
        wide = c["ff_mult"] * dim
        shapes.update({prefix + "0.scale": (dim,), prefix + "1.weight": (wide, dim), prefix + "4.weight": (dim, wide)})

    for layer in range(c["depth"]):
        at = f"layers.{layer}."
        for connection in ("0.0.", "0.1."):
            shapes.update({at + connection + "norm.gamma": (d,), at + connection + "dynamic_alpha_fn": (d, s + 1),
                           at + connection + "dynamic_alpha_scale": (), at + connection + "static_alpha": (s, s + 1),
                           at + connection + "dynamic_beta_fn": (d,), at + connection + "dynamic_beta_scale": (),
                           at + connection + "static_beta": (s,)})
        add_attention(at + "0.0.branch.", d, c["heads"], c["dim_head"])
        shapes.update({at + "0.0.branch.edges_to_attn_bias.0.scale": (de,),
                       at + "0.0.branch.edges_to_attn_bias.1.weight": (c["heads"], de),
                       at + "0.0.branch.edges_to_attn_bias.1.bias": (c["heads"],),
                       at + "0.0.branch.to_edges_out.0.weight": (de, c["heads"], 1, 1)})
        add_feedforward(at + "0.1.branch.", d)
        inner = c["linear_heads"] * c["linear_dim_head"]
        for axis in ("row_attn.", "col_attn."):
            shapes.update({at + "1.0." + axis + "norm.gamma": (de,), at + "1.0." + axis + "to_q.0.weight": (inner, de),
                           at + "1.0." + axis + "to_kv.0.weight": (2 * inner, de),
                           at + "1.0." + axis + "to_v_gates.0.weight": (c["linear_heads"], de),
                           at + "1.0." + axis + "to_out.0.weight": (de, inner)})
        add_attention(at + "1.0.diagonal_attn.", de, c["linear_heads"], c["linear_dim_head"])
        add_feedforward(at + "1.1.", de)
    weights = {}
    for name, shape in shapes.items():
        scale = shape[-1] ** -0.5 if len(shape) >= 2 else 1.0
        weights[name] = torch.randn(shape, device=device) * scale if len(shape) >= 2 else torch.ones(shape, device=device)
    return weights


def time_model(arguments, device):
    config, n = DEFAULTS, arguments.n
    tokens = torch.randint(config["num_tokens"], (1, n), device=device)
    targets = torch.randint(config["num_tokens"], (n,), device=device)
    for variant, form in (("reference", taylor_reference), ("dual", taylor_dual)):
        for name, prepare in ((variant, lambda f: f), (variant + ", torch.compile", compiled)):
            weights = {key: w.requires_grad_() for key, w in make_weights(config, device).items()}
            model = prepare(lambda weights, tokens, form=form: forward(weights, config, tokens, form))
            if model is None:
                continue
            optimizer = torch.optim.AdamW(weights.values(), lr=1e-4)

            def infer():
                with torch.no_grad():
                    model(weights, tokens)

            def train():
                optimizer.zero_grad()
                cross_entropy(model(weights, tokens)[0], targets).backward()
                torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
                optimizer.step()

            for passed, function in (("forward", infer), ("training", train)):
                try:
                    emit("quartic", n, passed, name, least_seconds(device, function, arguments.repeat))
                except Exception as error:  # whatever a compiler or driver raises
                    print(f"quartic, n = {n}, {name}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)


def check_recording(path):
    """The worst errors of logits and gradients, each over the largest number of its tensor."""
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tests", "oracle"))
    import recording
    tensors, metadata = recording.read(path)
    config = {**DEFAULTS, **json.loads(metadata["config"])}
    for variant, form in (("reference", taylor_reference), ("dual", taylor_dual)):
        weights = {name[len("param."):]: torch.tensor(value, dtype=torch.float64, requires_grad=True)
                   for name, value in tensors.items() if name.startswith("param.")}
        tokens = torch.tensor(tensors["input.tokens"], dtype=torch.int64)
        logits = forward(weights, config, tokens, form)
        loss = cross_entropy(logits.flatten(0, 1), torch.tensor(tensors["input.targets"], dtype=torch.int64).flatten())
        loss.backward()
        pairs = [(logits.detach(), tensors["output.logits"])]
        pairs += [(weights[name[len("grad."):]].grad, want) for name, want in tensors.items() if name.startswith("grad.")]
        errors = []
        for got, want in pairs:
            want = torch.tensor(want, dtype=torch.float64)
            got = torch.zeros_like(want) if got is None else got  # of what the loss does not depend on
            errors.append(((got - want).abs().max() / want.abs().max().clamp(min=1e-6)).item())
        print(f"{variant}: logits {errors[0]:.2g}, worst of {len(errors) - 1} gradients {max(errors[1:]):.2g}")
        if not max(errors) < 1e-4:
            sys.exit(1)


if __name__ == "__main__":
    given = parse(__doc__, 128)
    if given.check:
        check_recording(given.check)
    else:
        time_model(given, choose_device(given))

"""The equations of the QuarticTransformer and its modules in float64, straight from their definition.

Shapes: b batch, i receiving node, j sending node, d features, h heads, s and t residual streams.
A Params is a dictionary of Tensors by their state_dict names; params.at("layers.0.") looks below a prefix.
"""
import numpy as np

import edge_forms
import multi_stream
import relational
from autodiff import (Tensor, einsum, exp, gelu, keep, lift, log, maximum, sigmoid, silu, softmax, sqrt, tanh)

QUARTIC_DEFAULTS = dict(dim_edges=None, dim_head=64, heads=8, causal=False, linear_dim_head=16, linear_heads=16,
                        ff_mult=4, max_seq_len=2048, edges_diagonal_attn=True, num_residual_streams=4,
                        ablate_edges=False, compatibility="default", readout="node", hyper_connections="mixed")


class Params:
    """norm_eps: of the rms norms in these modules."""

    def __init__(self, tensors, prefix="", norm_eps=1e-5):
        self.tensors, self.prefix, self.norm_eps = tensors, prefix, norm_eps

    def __getitem__(self, name):
        return self.tensors[self.prefix + name]

    def __contains__(self, name):
        return self.prefix + name in self.tensors

    def at(self, prefix):
        return Params(self.tensors, self.prefix + prefix, self.norm_eps)


def linear(x, weight, bias=None):
    y = einsum("nk,ok->no", x.reshape(-1, x.shape[-1]), weight).reshape(*x.shape[:-1], weight.shape[0])
    return y if bias is None else y + bias


def rms(x, scale, eps=1e-5):
    return x / sqrt((x * x).mean(-1) + eps) * scale


def l2(x, gain):
    norm = sqrt((x * x).sum(-1, keepdims=True))
    return x / maximum(norm, 1e-12) * x.shape[-1] ** 0.5 * gain


def layer_norm(x, weight, bias):
    centred = x - x.mean(-1)
    return centred / sqrt((centred * centred).mean(-1) + 1e-5) * weight + bias


def split_heads(x, parts, width):
    """(b, n, parts * h * width) to parts tensors (b, n, h, width)."""
    b, n, total = x.shape
    heads = total // (parts * width)
    x = x.reshape(b, n, parts, heads, width)
    return [x[:, :, part] for part in range(parts)]


def feedforward(p, x):
    return linear(gelu(linear(rms(x, p["0.scale"]), p["1.weight"])), p["4.weight"])


def node_attention(p, x, edges, mask, causal, dim_head, scale_power):
    """Gives the output (b, i, d), with edges what they gain (b, i, j, de), and the logits before mask (b, h, i, j)."""
    b, n, _ = x.shape
    x = rms(x, p["rmsnorm.scale"], p.norm_eps)
    q, k, v = split_heads(linear(x, p["to_qkv.0.weight"]), 3, dim_head)
    gates = sigmoid(linear(x, p["to_gates.0.weight"], p["to_gates.0.bias"]))  # (b, i, h)
    sim = einsum("bihd,bjhd->bhij", q * dim_head ** scale_power, k)
    if edges is not None:
        e = p.at("edges_to_attn_bias.")
        bias = linear(rms(edges, e["0.scale"]), e["1.weight"], e["1.bias"])  # (b, i, j, h)
        sim = sim + bias.transpose(0, 3, 1, 2)
    talk = p["pre_talking_heads.weight"]
    sim = einsum("oh,bhij->boij", talk.reshape(*talk.shape[:2]), sim)
    visible = np.ones((b, 1, n, n), bool)
    if mask is not None:
        visible = visible & mask[:, None, None, :]
    if causal:
        visible = visible & np.tril(np.ones((n, n), bool))
    attention = softmax(sim, visible)
    out = einsum("bhij,bjhd->bihd", attention, v) * gates.reshape(*gates.shape, 1)
    out = linear(out.reshape(b, n, -1), p["to_out.1.weight"])
    if edges is None:
        return out, None, sim
    w = p["to_edges_out.0.weight"]
    return out, einsum("eh,bhij->bije", w.reshape(*w.shape[:2]), attention), sim


def taylor_attention(p, x, visible, dim_head):
    """Over sequences x (b, m, d); visible (b, m), or (b, query, key), or None says which tokens are seen as keys."""
    b, m, _ = x.shape
    normed = l2(x, p["norm.gamma"])
    q, = split_heads(linear(normed, p["to_q.0.weight"]), 1, dim_head)
    k, v = split_heads(linear(normed, p["to_kv.0.weight"]), 2, dim_head)
    s = einsum("bihd,bjhd->bhij", q * dim_head ** -0.5, k)
    w = 1.0 + s + s * s * 0.5
    if visible is not None:
        w = keep(w, visible[:, None] if visible.ndim == 3 else visible[:, None, None, :])
    total = maximum(w.sum(-1), 1e-5)  # (b, h, i)
    out = einsum("bhij,bjhd->bhid", w, v) / total.reshape(*total.shape, 1)
    gates = sigmoid(linear(x, p["to_v_gates.0.weight"]))  # (b, i, h)
    out = out.transpose(0, 2, 1, 3) * gates.reshape(*gates.shape, 1)
    return linear(out.reshape(b, m, -1), p["to_out.0.weight"])


def axial_attention(p, edges, mask, causal, linear_dim_head, scale_power):
    b, n, _, de = edges.shape
    visible = np.ones((b, n, n), bool)  # (b, i, j)
    if mask is not None:
        visible = visible & mask[:, :, None] & mask[:, None, :]
    if causal:
        visible = visible & np.tril(np.ones((n, n), bool))
    # The row pass at (i, .) sees key j iff visible[i, j]; the column pass at (., j) key i iff visible[j, i].
    keys = visible.reshape(b * n, n)
    rows = taylor_attention(p.at("row_attn."), edges.reshape(b * n, n, de), keys, linear_dim_head)
    edges = edges + rows.reshape(b, n, n, de)
    columns = edges.transpose(0, 2, 1, 3).reshape(b * n, n, de)
    columns = taylor_attention(p.at("col_attn."), columns, keys, linear_dim_head)
    edges = edges + columns.reshape(b, n, n, de).transpose(0, 2, 1, 3)
    if "diagonal_attn.rmsnorm.scale" in p:
        diagonal = np.arange(n)
        gain, _, _ = node_attention(p.at("diagonal_attn."), edges[:, diagonal, diagonal], None, mask, causal,
                                    linear_dim_head, scale_power)
        edges = edges + einsum("ij,bid->bijd", np.eye(n), gain)
    return edges


def edge_embedding(p, x):
    rows, columns = linear(x, p["to_rows.weight"]), linear(x, p["to_cols.weight"])
    b, n, de = rows.shape
    outer = rows.reshape(b, n, 1, de) + columns.reshape(b, 1, n, de)
    return layer_norm(linear(outer, p["to_edges.0.weight"]), p["to_edges.1.weight"], p["to_edges.1.bias"])


def position_bias(p, n):
    r = lift((np.arange(n)[:, None] - np.arange(n)[None, :]).astype(float).reshape(n, n, 1))
    h = silu(linear(r, p["mlp.0.0.weight"], p["mlp.0.0.bias"]))
    h = silu(linear(h, p["mlp.1.0.weight"], p["mlp.1.0.bias"]))
    return linear(h, p["mlp.2.weight"], p["mlp.2.bias"])


def hyper_connection(p, residuals, branch, mixes=True):
    """residuals (b, s, n, d); branch maps (b, n, d) to (b, n, d). mixes: whether the streams are mixed."""
    normed = l2(residuals, p["norm.gamma"] + 1.0)
    streams = residuals.shape[1]
    alpha = tanh(einsum("bsnd,dt->bsnt", normed, p["dynamic_alpha_fn"])) * p["dynamic_alpha_scale"]
    alpha = alpha + p["static_alpha"].reshape(1, streams, 1, streams + 1)
    beta = tanh(einsum("bsnd,d->bsn", normed, p["dynamic_beta_fn"])) * p["dynamic_beta_scale"]
    beta = beta + p["static_beta"].reshape(1, streams, 1)
    mixed = einsum("bsnt,bsnd->btnd", alpha, residuals)
    branch_in = mixed[:, 0]
    kept = mixed[:, 1:] if mixes else residuals
    return kept + einsum("btn,bnd->btnd", beta, branch(branch_in)), branch_in


def pooled(x, mask):
    """The mean of x (b, n, d) over the real nodes, zeros where there is none."""
    real = np.ones(x.shape[:2]) if mask is None else mask.astype(float)
    return einsum("bnd,bn->bd", x, real / np.maximum(real.sum(1, keepdims=True), 1.0))


def quartic(params, config, tokens, mask=None):
    """Logits: (b, n, vocabulary), of a readout of edges (b, i, j, vocabulary), of graphs (b, vocabulary)."""
    c = {**QUARTIC_DEFAULTS, **config}
    streams = c["num_residual_streams"]
    scale_power = 0.5 if c["compatibility"] == "reference" else -0.5
    b, n = tokens.shape
    x = params["token_emb.weight"][tokens] + params["pos_emb.weight"][:n]
    edges = edge_embedding(params.at("to_edge_emb."), x) + position_bias(params.at("dynamic_rel_pos_bias."), n)
    residuals = einsum("s,bnd->bsnd", np.ones(streams), x)

    def connect(p, residuals, branch):
        if streams == 1:
            return residuals + branch(residuals[:, 0]).reshape(*residuals.shape)
        return hyper_connection(p, residuals, branch, c["hyper_connections"] == "mixed")[0]

    for layer in range(c["depth"]):
        p = params.at(f"layers.{layer}.")
        gain = sim = None

        def attend(x):
            nonlocal gain, sim
            out, gain, sim = node_attention(p.at("0.0.branch."), x, None if c["ablate_edges"] else edges, mask,
                                            c["causal"], c["dim_head"], scale_power)
            return out

        residuals = connect(p.at("0.0."), residuals, attend)
        residuals = connect(p.at("0.1."), residuals, lambda x: feedforward(p.at("0.1.branch."), x))
        if not c["ablate_edges"]:
            edges = edges + gain
            form = edge_forms.form_of(c, layer, "axial")
            edges = edge_forms.layer(p.at("1.0."), c, form, edges, sim, mask, scale_power)
            edges = edges + feedforward(p.at("1.1."), edges)
    x = edges if c["readout"] == "edge" else residuals.sum(1)
    x = rms(x, params["to_logits.0.scale"])
    return linear(pooled(x, mask) if c["readout"] == "graph" else x, params["to_logits.1.weight"])


def cross_entropy(logits, targets):
    """Mean over the targets that are not negative."""
    flat, targets = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
    rows = np.nonzero(targets >= 0)[0]
    top = flat.value.max(axis=-1, keepdims=True)
    logsum = log(exp(flat - top).sum(-1)) + top[:, 0]
    return (logsum[rows] - flat[rows, targets[rows]]).sum() * (1.0 / max(len(rows), 1))


# ---- modules: inputs by name to outputs by name --------------------------------------------------------------

def _module_taylor(p, c, inputs, mask):
    return {"out": taylor_attention(p, inputs["x"], mask, c["dim_head"])}


def _module_edge_embedding(p, c, inputs, mask):
    return {"out": edge_embedding(p, inputs["x"])}


def _module_position_bias(p, c, inputs, mask):
    return {"out": position_bias(p, c["seq_len"])}


def _module_hyper_connection(p, c, inputs, mask):
    streams, (folded, n, d) = c["num_residual_streams"], inputs["residuals"].shape
    if streams == 1:
        return {"branch_in": inputs["residuals"], "residuals": inputs["residuals"] + inputs["branch_out"]}
    residuals = inputs["residuals"].reshape(folded // streams, streams, n, d)
    mixes = c.get("hyper_connections", "mixed") == "mixed"
    out, branch_in = hyper_connection(p, residuals, lambda x: inputs["branch_out"], mixes)
    return {"branch_in": branch_in, "residuals": out.reshape(folded, n, d)}


MODULES = {"taylor_attention": _module_taylor, "edge_embedding": _module_edge_embedding,
           "dynamic_position_bias": _module_position_bias, "hyper_connection": _module_hyper_connection}


# ---- training ------------------------------------------------------------------------------------------------

def training_loss(params, config, tokens, targets, model):
    if model == "multi_stream":
        logits, aux = multi_stream.multi_stream(params, config, tokens)
        return cross_entropy(logits, targets) + aux * config.get("diversity_loss", 0.0)
    logits = (relational.relational if model == "relational" else quartic)(params, config, tokens)
    return cross_entropy(logits, targets)


def train(params, config, batches, model="quartic"):
    """AdamW with decoupled decay after clipping to a global norm. A parameter that the loss does not depend on
    (the last layer's edge side) keeps its value: it is not decayed either. batches (steps, b, n + 1); gives the
    losses, the gradient norms before clipping and the parameters afterwards."""
    values = {name: tensor.value.copy() for name, tensor in params.tensors.items()}
    first = {name: np.zeros(value.shape) for name, value in values.items()}
    second = {name: np.zeros(value.shape) for name, value in values.items()}
    losses, norms = [], []
    for step, tokens in enumerate(batches, 1):
        tensors = {name: Tensor(value) for name, value in values.items()}
        loss = training_loss(Params(tensors), config, tokens[:, :-1], tokens[:, 1:], model)
        loss.backward()
        gradients = {name: t.gradient for name, t in tensors.items() if t.gradient is not None}
        norm = np.sqrt(sum((g * g).sum() for g in gradients.values()))
        losses.append(float(loss.value))
        norms.append(float(norm))
        factor = min(1.0, config["clip"] / (norm + 1e-6)) if config["clip"] > 0 else 1.0
        for name, g in gradients.items():
            g = g * factor
            first[name] = 0.9 * first[name] + 0.1 * g
            second[name] = 0.999 * second[name] + 0.001 * g * g
            step_size = first[name] / (1 - 0.9 ** step)
            values[name] = values[name] * (1 - config["lr"] * config["weight_decay"]) - config["lr"] * step_size / (
                np.sqrt(second[name] / (1 - 0.999 ** step)) + 1e-8)
    return losses, norms, values

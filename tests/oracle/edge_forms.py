"""Attention over all edges in float64, straight from its equations: full, routed, the triangle forms, and triple, as
modules and as layers of the models. Shapes: b batch, edges (i, j) and (k, l), pivot l, pivots l and m, h heads, d
features, m = n * n. Nothing is fast: every tensor of pairs or triples of edges is there as the equations write it.
"""
import numpy as np

import models
from autodiff import einsum, exp, keep, log, maximum, sigmoid, softmax

DEFAULTS = dict(edge_heads=4, edge_dim_head=32, num_routed=0, routed_k_ratio=1.125,
                routed_iterations=20, routed_eps=0.1, routed_eps_init=0.0, routed_eps_decay=1.0,
                triangle_directions=None, triangle_orientation="default")
DIRECTIONS = ("through", "outgoing", "incoming")


def visible_edges(mask, b, n):
    """(b, i, j): both nodes are real."""
    return np.ones((b, n, n), bool) if mask is None else mask[:, :, None] & mask[:, None, :]


def seen_keys(mask, b, n, causal):
    """(b, query, key) over the m edges: key (k, l) has real nodes and, if causal, for query (i, j) l <= k <= i."""
    m = n * n
    visible = np.broadcast_to(visible_edges(mask, b, n).reshape(b, 1, m), (b, m, m))
    if not causal:
        return visible
    i = np.arange(n)[:, None, None, None]
    k, l = np.arange(n)[:, None], np.arange(n)[None, :]
    return visible & np.broadcast_to((l <= k) & (k <= i), (n, n, n, n)).reshape(1, m, m)


def pivots(mask, b, n, causal):
    """(b, i, j, l): pivot l is seen by edge (i, j)."""
    seen = np.ones((b, n, n, n), bool) if mask is None else np.broadcast_to(mask[:, None, None, :], (b, n, n, n))
    if causal:
        i, j, l = np.ogrid[:n, :n, :n]
        seen = seen & (j <= l) & (l <= i)
    return seen


def updated(n, causal):
    """(i, j, 1): edges that change."""
    return (np.tril(np.ones((n, n), bool)) if causal else np.ones((n, n), bool))[:, :, None]


# ---- full and routed -------------------------------------------------------------------------------------------


def attend(p, x, width, visible):
    """Gated softmax attention over x (b, m, d) without its residual; visible (b, query, key)."""
    b, m, _ = x.shape
    x = models.rms(x, p["norm_scale"], p.norm_eps)
    q, k, v = models.split_heads(models.linear(x, p["to_qkv.weight"]), 3, width)
    gates = sigmoid(models.linear(x, p["to_gates.weight"], p["to_gates.bias"]))  # (b, m, h)
    attention = softmax(einsum("bihd,bjhd->bhij", q * width ** -0.5, k), visible[:, None])
    out = einsum("bhij,bjhd->bihd", attention, v) * gates.reshape(*gates.shape, 1)
    return models.linear(out.reshape(b, m, -1), p["to_out.weight"])


def full(p, edges, mask, width, causal):
    b, n, _, de = edges.shape
    out = attend(p, edges.reshape(b, n * n, de), width, seen_keys(mask, b, n, causal)).reshape(b, n, n, de)
    return edges + keep(out, updated(n, causal))


def taylor(p, edges, mask, width, causal):
    b, n, _, de = edges.shape
    out = models.taylor_attention(p, edges.reshape(b, n * n, de), seen_keys(mask, b, n, causal), width)
    return edges + keep(out.reshape(b, n, n, de), updated(n, causal))


def coordinate_descent(scores, visible, k, iterations, eps, eps_init=None, eps_decay=1.0):
    """scores (b, m), visible the same or None. As CoLT5 uses it: each round lowers the softness after its use, and the
    weights take the softness that would be the next round's."""
    visible = np.ones(scores.shape, bool) if visible is None else visible
    now = max(eps_init or eps, eps)
    b = -scores
    for _ in range(iterations):
        z = (scores + b) * (1.0 / now)
        top = np.where(visible, z.value, -np.inf).max(axis=-1, keepdims=True)
        top = np.where(np.isfinite(top), top, 0.0)
        total = keep(exp(keep(z - top, visible)), visible).sum(-1, keepdims=True)
        seen = total.value > 0.0  # a row with nothing visible has no weights anyway
        a = (np.log(k) - log(total + ~seen * 1.0) - top) * now
        b = -maximum(scores + a, 0.0)
        now = max(now * eps_decay, eps)
    return keep(exp((scores + a + b) * (1.0 / now)), visible)


def choose(scores, seen, k, places):
    """Of rows of scores: the k[row] greatest (equal ones by their index), filled up to `places` with the first of the
    others. Gives the indices, ascending, and which of them were chosen."""
    ranked = np.argsort(-np.where(seen, scores, -np.inf), axis=-1, kind="stable")
    indices, chosen = [], []
    for row, wanted in zip(ranked, k):
        best = set(row[:wanted])
        others = [j for j in range(scores.shape[1]) if j not in best]
        indices.append(sorted([*best, *others[:places - len(best)]]))
        chosen.append([j in best for j in indices[-1]])
    return np.array(indices), np.array(chosen)


def routed(p, edges, sim, mask, width, k, ratio, iterations, eps, eps_init=None, eps_decay=1.0, causal=False):
    """sim (b, h, i, j) are the logits of the node attention. k 0: as many as nodes. Gives the edges, the soft choice
    (b, m) and the indices. Only real nodes count: of how many there are depends how many edges are chosen.
    Causal: each row (i, .) is a group that chooses its share of k, rounded up, among its edges with j <= i."""
    b, n, _, de = edges.shape
    m, groups = n * n, n if causal else 1
    of_group = m // groups

    def share(real):
        """What a group of a graph of `real` nodes has and wants."""
        wanted = k or real
        return (real, -(-wanted // max(real, 1))) if causal else (real * real, wanted)

    shares = [share(real) for real in ([n] * b if mask is None else mask.sum(1))]
    counts = np.repeat([min(wanted, has) for has, wanted in shares], groups)
    soft_counts = np.repeat([max(min(ratio * wanted, has), 1.0) for has, wanted in shares], groups)
    places = counts.max() if mask is None else max(min(share(real)) for real in range(1, n + 1))

    r = einsum("h,bhij->bij", p["to_route"], sim).reshape(b * groups, of_group)
    seen = (visible_edges(mask, b, n) & updated(n, causal)[:, :, 0]).reshape(b * groups, of_group)
    soft = coordinate_descent(r, seen, soft_counts[:, None], iterations, eps, eps_init, eps_decay).reshape(b, m)
    indices, active = choose(r.value, seen, counts, places)
    indices = indices.reshape(b, groups, places) + of_group * np.arange(groups)[:, None]
    k, indices, seen = groups * places, indices.reshape(b, groups * places), seen.reshape(b, m)
    active = active.reshape(b, k)
    rows = np.arange(b)[:, None]
    gate = soft[rows, indices]
    gate = gate + (1.0 - gate.value)  # 1 forward, the gradient of c backward
    x = edges.reshape(b, m, de)
    chosen = x[rows, indices]
    keys = np.broadcast_to((seen[rows, indices] & active)[:, None, :], (b, k, k))
    if causal:
        keys = keys & (indices[:, None, :] // n <= indices[:, :, None] // n)
    gain = attend(p.at("attn."), chosen, width, keys) * gate.reshape(b, k, 1)
    gain = keep(gain, (updated(n, causal).reshape(m)[indices] & active)[:, :, None])
    place = np.zeros((b, k, m))
    place[rows, np.arange(k)[None, :], indices] = 1.0
    return (x + einsum("bkm,bkd->bmd", place, gain)).reshape(b, n, n, de), soft, indices


# ---- triangles -------------------------------------------------------------------------------------------------


def _heads(x, width):
    return x.reshape(*x.shape[:3], x.shape[3] // width, width)  # (b, i, j, h, d)


def _merge(x):
    return x.reshape(*x.shape[:3], -1)


def triangle(p, edges, mask, width, causal):
    b, n = edges.shape[:2]
    x = models.rms(edges, p["norm_scale"], p.norm_eps)
    q, k, v1, v2 = (_heads(models.linear(x, p[f"to_{name}.weight"]), width) for name in ("q", "k", "v1", "v2"))
    scores = einsum("bilhd,bljhd->bhijl", q, k) * width ** -0.5
    attention = softmax(scores, pivots(mask, b, n, causal)[:, None])
    out = einsum("bhijl,bilhd,bljhd->bijhd", attention, v1, v2)
    return edges + keep(models.linear(_merge(out), p["to_out.weight"]), updated(n, causal))


def _start_end_pass(p, edges, mask, width, causal, start, alphafold):
    b, n = edges.shape[:2]
    x = models.rms(edges, p["norm_scale"], p.norm_eps)
    qkv = models.linear(x, p["to_qkv.weight"])
    heads = qkv.shape[-1] // (3 * width)
    qkv = qkv.reshape(b, n, n, 3, heads, width)
    q, k, v = (qkv[:, :, :, part] for part in range(3))
    third = models.linear(x, p["to_bias.weight"])  # (b, i, j, h)
    gates = sigmoid(models.linear(x, p["to_gates.weight"], p["to_gates.bias"]))
    key, value = ("bijhd,bilhd->bhijl", "bhijl,bilhd->bijhd") if start else ("bijhd,bljhd->bhijl", "bhijl,bljhd->bijhd")
    if start:
        bias = third.transpose(0, 3, 1, 2) if alphafold else third.transpose(0, 3, 2, 1)  # (b, h, j, l)
        bias = bias.reshape(b, heads, 1, n, n)
    else:
        bias = third.transpose(0, 3, 2, 1) if alphafold else third.transpose(0, 3, 1, 2)  # (b, h, i, l)
        bias = bias.reshape(b, heads, n, 1, n)
    attention = softmax(einsum(key, q * width ** -0.5, k) + bias, pivots(mask, b, n, causal)[:, None])
    out = einsum(value, attention, v) * gates.reshape(b, n, n, heads, 1)
    return edges + keep(models.linear(_merge(out), p["to_out.weight"]), updated(n, causal))


def triangle_start_end(p, edges, mask, width, causal, alphafold):
    edges = _start_end_pass(p.at("start."), edges, mask, width, causal, True, alphafold)
    return _start_end_pass(p.at("end."), edges, mask, width, causal, False, alphafold)


def _multiply_pass(p, edges, mask, direction, causal):
    b, n = edges.shape[:2]
    x = models.rms(edges, p["norm_scale"], p.norm_eps)
    real = visible_edges(mask, b, n)[..., None]

    def factor(name):
        gate = sigmoid(models.linear(x, p[f"to_{name}_gate.weight"], p[f"to_{name}_gate.bias"]))
        return keep(gate * models.linear(x, p[f"to_{name}.weight"]), real)

    pattern = {"through": "bilc,bljc,ijl->bijc", "outgoing": "bilc,bjlc,ijl->bijc", "incoming": "blic,bljc,ijl->bijc"}
    t = einsum(pattern[direction], factor("a"), factor("b"), pivots(None, 1, n, causal)[0].astype(float))
    gate = sigmoid(models.linear(x, p["to_gate.weight"], p["to_gate.bias"]))
    gain = gate * models.linear(models.rms(t, p["out_norm_scale"], p.norm_eps), p["to_out.weight"])
    return edges + keep(gain, updated(n, causal))


def triangle_multiply(p, edges, mask, directions, causal):
    for direction in directions:
        edges = _multiply_pass(p.at(direction + "."), edges, mask, direction, causal)
    return edges


# ---- pairs of pivots -------------------------------------------------------------------------------------------


def triple(p, edges, mask, width, causal):
    """The scores of all (i, j, l, m) at once."""
    b, n = edges.shape[:2]
    x = models.rms(edges, p["norm_scale"], p.norm_eps)
    q1, q2, k1, k2, v1, v2 = (_heads(models.linear(x, p[f"to_{name}.weight"]), width)
                              for name in ("q1", "q2", "k1", "k2", "v1", "v2"))
    bias = models.linear(x, p["to_bias.weight"])  # (b, l, m, h)
    heads = bias.shape[-1]

    def pivot_rows(from_i, to_j):
        """(b, i, j, pivot, h, d): from_i at (i, pivot) + to_j at (pivot, j)."""
        return (from_i.reshape(b, n, 1, n, heads, width)
                + to_j.transpose(0, 2, 1, 3, 4).reshape(b, 1, n, n, heads, width))

    scores = einsum("bijlhd,bijmhd->bhijlm", pivot_rows(q1, q2), pivot_rows(k1, k2)) * width ** -0.5
    scores = scores + bias.transpose(0, 3, 1, 2).reshape(b, heads, 1, 1, n, n)
    seen = pivots(mask, b, n, causal)
    pairs = seen[:, :, :, :, None] & seen[:, :, :, None, :]
    if causal:
        pairs = pairs & np.tri(n, dtype=bool)  # m <= l
    attention = softmax(scores.reshape(b, heads, n, n, n * n), pairs.reshape(b, 1, n, n, n * n))
    attention = attention.reshape(b, heads, n, n, n, n)
    out = einsum("bhijlm,bilhd,bmjhd->bijhd", attention, v1, v2)
    gates = sigmoid(models.linear(x, p["to_gates.weight"], p["to_gates.bias"]))  # (b, i, j, h)
    out = out * gates.reshape(b, n, n, heads, 1)
    return edges + keep(models.linear(_merge(out), p["to_out.weight"]), updated(n, causal))


# ---- a layer of a model ----------------------------------------------------------------------------------------


def directions_of(listed):
    """The passes that a configuration asks for, in their order."""
    if listed in (None, "all"):
        return DIRECTIONS
    return (listed,) if isinstance(listed, str) else tuple(listed)


def form_of(config, layer, standard):
    form = config.get("edge_attention", "default")
    form = form[layer] if isinstance(form, (list, tuple)) else form
    return standard if form == "default" else form


def layer(p, c, form, edges, sim, mask, scale_power):
    """What a layer's edges become by attention to each other; sim are the node attention's logits."""
    c = {**DEFAULTS, **c}
    n, width, causal = edges.shape[1], c["edge_dim_head"], c["causal"]
    if form == "none":
        return edges
    if form == "axial":
        attended = models.axial_attention(p, edges, mask, causal, c["linear_dim_head"], scale_power)
        return edges + attended if c.get("compatibility") == "reference" else attended
    if form == "taylor":
        return taylor(p, edges, mask, c["linear_dim_head"], causal)
    if form == "full":
        return full(p, edges, mask, width, causal)
    if form == "routed":
        return routed(p, edges, sim, mask, width, c["num_routed"], c["routed_k_ratio"], c["routed_iterations"],
                      c["routed_eps"], c["routed_eps_init"], c["routed_eps_decay"], causal)[0]
    if form == "triangle":
        return triangle(p, edges, mask, width, causal)
    if form == "triangle-start-end":
        return triangle_start_end(p, edges, mask, width, causal, c["triangle_orientation"] == "alphafold")
    if form == "triple":
        return triple(p, edges, mask, width, causal)
    return triangle_multiply(p, edges, mask, directions_of(c["triangle_directions"]), causal)


# ---- modules: inputs by name to outputs by name ----------------------------------------------------------------


def _module_descent(p, c, inputs, mask):
    return {"out": coordinate_descent(inputs["s"], mask, c["k"], c["n_iters"], c["eps"], c.get("eps_init"),
                                      c.get("eps_decay", 1.0))}


def _module_full(p, c, inputs, mask):
    return {"out": full(p, inputs["edges"], mask, c["dim_head"], c.get("causal", False))}


def _module_routed(p, c, inputs, mask):
    edges, soft, indices = routed(p, inputs["edges"], inputs["sim"], mask, c["dim_head"], c["num_routed"],
                                  c.get("k_ratio", 1.125), c["n_iters"], c["eps"], c.get("eps_init"),
                                  c.get("eps_decay", 1.0), c.get("causal", False))
    return {"edges": edges, "coordinate_descent": soft, "indices": indices}


def _module_triangle(p, c, inputs, mask):
    return {"out": triangle(p, inputs["edges"], mask, c["dim_head"], c.get("causal", False))}


def _module_start_end(p, c, inputs, mask):
    return {"out": triangle_start_end(p, inputs["edges"], mask, c["dim_head"], c.get("causal", False),
                                      c.get("orientation") == "alphafold")}


def _module_multiply(p, c, inputs, mask):
    return {"out": triangle_multiply(p, inputs["edges"], mask, directions_of(c.get("triangle_directions")),
                                     c.get("causal", False))}


def _module_triple(p, c, inputs, mask):
    return {"out": triple(p, inputs["edges"], mask, c["dim_head"], c.get("causal", False))}


MODULES = {"coordinate_descent": _module_descent, "edge_attention": _module_full,
           "routed_edge_attention": _module_routed, "triangle_attention": _module_triangle,
           "triangle_start_end": _module_start_end, "triangle_multiply": _module_multiply,
           "triple_attention": _module_triple}

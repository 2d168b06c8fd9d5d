"""The RelationalTransformer in float64, straight from its definition (a query, key and value for every edge), and its
extra recordings. Shapes: b batch, i receiving node, j sending node, d features, h heads."""
import zlib

import numpy as np

import edge_cases
import edge_forms
import models
from autodiff import einsum, gelu, softmax

NORM_EPS = 2.0 ** -23  # of all its norms, those of attention among edges too
DEFAULTS = dict(dim_edges=None, dim_head=64, heads=8, causal=False, ff_mult=4, max_seq_len=2048,
                compatibility="default", readout="node", linear_dim_head=16, linear_heads=16, edges_diagonal_attn=True)


def rms(x, weight):
    return models.rms(x, weight, NORM_EPS)


def feedforward(p, x):
    return models.linear(gelu(models.linear(rms(x, p["0.weight"]), p["1.weight"])), p["4.weight"])


def attention(p, c, x, edges, mask):
    """Gives what the nodes gain (b, i, d) and the logits before the mask (b, h, i, j)."""
    b, n, _ = x.shape
    heads, width, reference = c["heads"], c["dim_head"], c["compatibility"] == "reference"
    nodes = models.linear(rms(x, p["norm.weight"]), p["to_qkv.0.weight"]).reshape(b, n, 3, heads, width)
    pairs = models.linear(rms(edges, p["edges_norm.weight"]), p["to_edges_qkv.0.weight"])
    pairs = pairs.reshape(b, n, n, 3, heads, width)  # (b, i, j, qkv, h, d)
    as_receiver, as_sender = (b, n, 1, heads, width), (b, 1, n, heads, width)
    q = nodes[:, :, 0].reshape(*(as_sender if reference else as_receiver)) + pairs[:, :, :, 0]
    k = nodes[:, :, 1].reshape(*as_sender) + pairs[:, :, :, 1]
    v = nodes[:, :, 2].reshape(*as_sender) + pairs[:, :, :, 2]
    sim = einsum("bijhd,bijhd->bhij", q * width ** (0.5 if reference else -0.5), k)
    visible = np.ones((b, 1, n, n), bool)
    if mask is not None:
        visible = visible & mask[:, None, None, :]
    if c["causal"]:
        visible = visible & np.tril(np.ones((n, n), bool))
    out = einsum("bhij,bijhd->bihd", softmax(sim, visible), v)
    return models.linear(out.reshape(b, n, heads * width), p["to_out.1.weight"]), sim


def nodes_to_edges(p, c, x, edges):
    b, n, dim = x.shape
    de = edges.shape[-1]
    x, edges = rms(x, p["node_norm.weight"]), rms(edges, p["edges_norm.weight"])
    ones = np.ones((1, n, n, 1))
    parts = [x.reshape(b, n, 1, dim) * ones, x.reshape(b, 1, n, dim) * ones, edges]
    if not c["causal"]:
        parts.append(edges.transpose(0, 2, 1, 3))
    widths = [dim, dim, de, de]
    out, start = p["proj.bias"], 0
    for part, width in zip(parts, widths):  # the projection of the concatenation
        out = models.linear(part, p["proj.weight"][:, start:start + width]) + out
        start += width
    return out


def relational(params, config, tokens, mask=None):
    """Logits: (b, n, vocabulary), of a readout of edges (b, i, j, vocabulary), of graphs (b, vocabulary)."""
    c = {**DEFAULTS, **config}
    n = tokens.shape[1]
    x = params["token_emb.weight"][tokens] + params["pos_emb.weight"][:n]
    edges = models.edge_embedding(params.at("to_edge_emb."), x)
    for layer in range(c["depth"]):
        p = params.at(f"layers.{layer}.")
        gain, sim = attention(p.at("0.0."), c, x, edges, mask)
        x = x + gain
        x = x + feedforward(p.at("0.1."), x)
        edges = edges + nodes_to_edges(p.at("1.0."), c, x, edges)
        form = edge_forms.form_of(c, layer, "none")
        edges = edge_forms.layer(models.Params(p.tensors, p.prefix + "1.0.", NORM_EPS), c, form, edges, sim, mask, -0.5)
        edges = edges + feedforward(p.at("1.1."), edges)
    x = edges if c["readout"] == "edge" else x
    if c["compatibility"] != "reference":
        x = rms(x, params["final_norm.weight"])
    return models.linear(models.pooled(x, mask) if c["readout"] == "graph" else x, params["to_logits.weight"])


# ---- extra recordings ----------------------------------------------------------------------------------------


def shapes(config):
    """{state_dict name: shape}."""
    c = {**DEFAULTS, **config}
    d, vocabulary, inner = c["dim"], c["num_tokens"], c["heads"] * c["dim_head"]
    de = c["dim_edges"] or d
    last = de if c["readout"] == "edge" else d
    found = {"token_emb.weight": (vocabulary, d), "pos_emb.weight": (c["max_seq_len"], d), "final_norm.weight": (last,),
             "to_logits.weight": (vocabulary, last), "to_edge_emb.to_rows.weight": (de, d),
             "to_edge_emb.to_cols.weight": (de, d), "to_edge_emb.to_edges.0.weight": (de, de),
             "to_edge_emb.to_edges.1.weight": (de,), "to_edge_emb.to_edges.1.bias": (de,)}

    def below(prefix, more):
        found.update({prefix + name: shape for name, shape in more.items()})

    def forward(width):
        return {"0.weight": (width,), "1.weight": (c["ff_mult"] * width, width),
                "4.weight": (width, c["ff_mult"] * width)}

    for layer in range(c["depth"]):
        p = f"layers.{layer}."
        below(p + "0.0.", {"norm.weight": (d,), "edges_norm.weight": (de,), "to_qkv.0.weight": (3 * inner, d),
                           "to_edges_qkv.0.weight": (3 * inner, de), "to_out.1.weight": (d, inner)})
        below(p + "0.1.", forward(d))
        below(p + "1.0.", {"node_norm.weight": (d,), "edges_norm.weight": (de,), "proj.bias": (de,),
                           "proj.weight": (de, 2 * d + (1 if c["causal"] else 2) * de)})
        below(p + "1.0.", edge_cases.layer_shapes(c, layer, "none", de))
        below(p + "1.1.", forward(de))
    return found


def draw(random, name, shape):
    """Values at which every term matters: nothing at its initial 0 or 1."""
    normal = random.standard_normal(shape)
    if name in ("token_emb.weight", "pos_emb.weight"):
        return normal
    if len(shape) == 1:
        return 0.3 * normal if name.endswith("bias") else 1.0 + 0.2 * normal
    return normal / np.sqrt(shape[-1])


def cases(folder, record):
    """record(folder, name, model, family, config, tensors) fills in the results and writes the file."""

    def start(name, tokens_shape, options):
        config = dict(num_tokens=7, dim=9, depth=2, dim_edges=5, heads=3, dim_head=4, ff_mult=2,
                      max_seq_len=tokens_shape[-1] + 2, causal=False)
        config.update(options)
        config = {key: value for key, value in config.items() if value is not None}  # None: leave it to the default
        random = np.random.default_rng(zlib.crc32(name.encode()))
        tensors = {"param." + key: draw(random, key, shape).astype(np.float32) for key, shape in shapes(config).items()}
        tensors["input.tokens"] = random.integers(0, config["num_tokens"], tokens_shape, dtype=np.int32)
        return config, random, tensors

    def model(name, tokens_shape, mask=None, family="corrected", **options):
        config, random, tensors = start(name, tokens_shape, options)
        tensors["input.targets"] = edge_cases.targets(random, config, tokens_shape)
        if mask is not None:
            tensors["input.mask"] = np.array(mask, dtype=np.uint8)
        record(folder, name, "relational", family, config, tensors)

    def train(name, steps, batch, n, **options):
        config, _, tensors = start(name, (steps, batch, n + 1), options)
        record(folder, name, "relational", "train", config, tensors)

    def prefix_mask(n, *lengths):
        return [[int(i < length) for i in range(n)] for length in lengths]

    model("relational-n1-mask", (3, 1), [[1], [0], [1]])
    model("relational-n37", (1, 37), dim=5, depth=1, dim_edges=3)
    model("relational-width-one", (2, 4), dim=1, dim_edges=1, heads=1, dim_head=1, num_tokens=2)
    model("relational-default-options", (2, 5), prefix_mask(5, 5, 3), dim=6, depth=1, dim_edges=None, heads=None,
          dim_head=None, ff_mult=None, causal=None)
    model("relational-mask-padded-row", (3, 7), prefix_mask(7, 7, 0, 4), depth=3)
    model("relational-causal-left-padded", (3, 6), [[0, 0, 1, 1, 1, 1], [1, 0, 1, 0, 1, 1], [0] * 6], causal=True)
    # Edges so wide that the scores are cheaper per edge than expanded: more than twice the heads' width.
    model("relational-edges-wider-than-heads", (2, 6), prefix_mask(6, 6, 4), dim_edges=17, heads=9, dim_head=2)
    model("relational-edges-much-wider", (2, 5), dim_edges=33, heads=5, dim_head=2, causal=True, depth=3)
    model("reference-relational-mask", (3, 7), prefix_mask(7, 7, 0, 4), family="reference")
    model("reference-relational-n1-causal", (2, 1), family="reference", causal=True)
    model("reference-relational-wide-edges-causal", (2, 6), prefix_mask(6, 6, 3), family="reference", dim_edges=18,
          heads=2, dim_head=3, causal=True)
    edge_cases.models("relational", model)
    train("train-relational-both-ways", 6, 2, 6, lr=3e-3, weight_decay=0.05, clip=0.5)
    train("train-relational-wide-edges", 6, 2, 5, lr=1e-3, weight_decay=0.0, clip=10.0, dim_edges=15, dim_head=3,
          causal=True)

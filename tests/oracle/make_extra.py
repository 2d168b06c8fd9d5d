"""python3 make_extra.py FOLDER: writes the recordings of tests/golden/extra, other sizes and options than the
ones that came with the equations. The same seed gives the same files. See golden/README.md for the format."""
import json
import os
import sys
import zlib

import numpy as np

import autodiff
import edge_cases
import models
import multi_stream
import recording
import relational
import replay


def quartic_shapes(config):
    """{state_dict name: shape} of a QuarticTransformer."""
    c = {**models.QUARTIC_DEFAULTS, **config}
    d, de, vocabulary = c["dim"], c["dim_edges"] or c["dim"], c["num_tokens"]
    heads, streams = c["heads"], c["num_residual_streams"]
    last = de if c["readout"] == "edge" else d
    shapes = {"token_emb.weight": (vocabulary, d), "pos_emb.weight": (c["max_seq_len"], d),
              "to_logits.0.scale": (last,), "to_logits.1.weight": (vocabulary, last)}

    def below(prefix, more):
        shapes.update({prefix + name: shape for name, shape in more.items()})

    def feedforward(dim):
        return {"0.scale": (dim,), "1.weight": (c["ff_mult"] * dim, dim), "4.weight": (dim, c["ff_mult"] * dim)}

    below("to_edge_emb.", module_shapes("edge_embedding", {"dim": d, "dim_edges": de}))
    below("dynamic_rel_pos_bias.", module_shapes("dynamic_position_bias", {"dim": d, "heads": de}))
    for layer in range(c["depth"]):
        p = f"layers.{layer}."
        if streams > 1:
            for k in "01":
                below(f"{p}0.{k}.", module_shapes("hyper_connection", {"dim": d, "num_residual_streams": streams}))
        below(p + "0.0.branch.", edge_cases.node_attention_shapes(d, heads, c["dim_head"]))
        below(p + "0.0.branch.", {"edges_to_attn_bias.0.scale": (de,), "edges_to_attn_bias.1.weight": (heads, de),
                                  "edges_to_attn_bias.1.bias": (heads,), "to_edges_out.0.weight": (de, heads, 1, 1)})
        below(p + "0.1.branch.", feedforward(d))
        below(p + "1.0.", edge_cases.layer_shapes(c, layer, "axial", de))
        below(p + "1.1.", feedforward(de))
    return shapes


def module_shapes(model, c):
    d = c["dim"]
    if model == "taylor_attention":
        return edge_cases.taylor_shapes(d, c["heads"], c["dim_head"])
    if model == "edge_embedding":
        de = c["dim_edges"]
        return {"to_rows.weight": (de, d), "to_cols.weight": (de, d), "to_edges.0.weight": (de, de),
                "to_edges.1.weight": (de,), "to_edges.1.bias": (de,)}
    if model == "dynamic_position_bias":
        return {"mlp.0.0.weight": (d, 1), "mlp.0.0.bias": (d,), "mlp.1.0.weight": (d, d), "mlp.1.0.bias": (d,),
                "mlp.2.weight": (c["heads"], d), "mlp.2.bias": (c["heads"],)}
    s = c["num_residual_streams"]
    if s == 1:  # a plain residual
        return {}
    return {"static_alpha": (s, s + 1), "dynamic_alpha_fn": (d, s + 1), "dynamic_alpha_scale": (),
            "static_beta": (s,), "dynamic_beta_fn": (d,), "dynamic_beta_scale": (), "norm.gamma": (d,)}


def draw(random, name, shape):
    """Values at which every term of the equations matters: nothing at its initial 0 or 1."""
    normal = random.standard_normal(shape)
    if "_emb" in name and name.endswith("_emb.weight"):
        return normal
    if name.endswith("talking_heads.weight"):
        return np.eye(shape[0]).reshape(shape) + 0.3 * normal
    if name.endswith("norm.gamma") and "_attn" not in name and not name.endswith(".1.0.norm.gamma"):
        return 0.2 * normal  # a hyper-connection's, used as gamma + 1
    if len(shape) == 1 and name.endswith(("scale", "gamma", "weight")) or name.endswith("static_beta"):
        return 1.0 + 0.2 * normal
    if len(shape) == 0:
        return 0.3 + 0.1 * normal
    if name.endswith("static_alpha"):
        return np.eye(*shape, 1) + np.eye(shape[0], 1) @ np.eye(1, shape[1]) + 0.2 * normal
    if "dynamic_" in name and name.endswith("_fn"):
        return 0.2 * normal
    if name.endswith("bias"):
        return 0.3 * normal
    return normal / np.sqrt(shape[-1])


def float32(array):
    return np.asarray(array, dtype=np.float32)


def record(folder, name, model, family, config, tensors):
    stored = {k: v for k, v in config.items() if k != "compatibility"}
    metadata = {"model": model, "family": family, "config": json.dumps(stored)}
    for key, value in replay.replay(tensors, metadata).items():
        tensors[key] = value.astype(np.int32) if value.dtype.kind == "i" else float32(value)
    recording.write(os.path.join(folder, name + ".safetensors"), tensors, metadata)


def model_case(folder, name, tokens_shape, mask=None, family="corrected", **options):
    config = dict(num_tokens=7, dim=9, depth=1, dim_edges=5, heads=3, dim_head=5, linear_heads=1,
                  linear_dim_head=3, ff_mult=2, max_seq_len=tokens_shape[1] + 2, num_residual_streams=2, causal=False)
    config.update(options)
    config = {key: value for key, value in config.items() if value is not None}  # None: leave it to the default
    random = np.random.default_rng(zlib.crc32(name.encode()))
    tensors = {"param." + key: float32(draw(random, key, shape)) for key, shape in quartic_shapes(config).items()}
    tensors["input.tokens"] = random.integers(0, config["num_tokens"], tokens_shape, dtype=np.int32)
    tensors["input.targets"] = edge_cases.targets(random, config, tokens_shape)
    if mask is not None:
        tensors["input.mask"] = np.array(mask, dtype=np.uint8)
    record(folder, name, "quartic", family, config, tensors)


def module_case(folder, name, model, config, inputs, output_shapes, mask=None):
    random = np.random.default_rng(zlib.crc32(name.encode()))
    tensors = {}
    for key, shape in module_shapes(model, config).items():
        full = "row_attn." + key if model == "taylor_attention" else key  # its gamma is used as it is
        tensors["param." + key] = float32(draw(random, full, shape))
    for key, shape in inputs.items():
        tensors["input." + key] = float32(random.standard_normal(shape))
    for key, shape in output_shapes.items():
        tensors["input.cotangent." + key] = float32(random.standard_normal(shape))
    if mask is not None:
        tensors["input.mask"] = np.array(mask, dtype=np.uint8)
    record(folder, name, model, "module", config, tensors)


def train_case(folder, name, steps, batch, n, embedding=0.05, **options):
    """embedding: the size of token and position embeddings. The first connection mixes equal streams and feeds a norm,
    so the gradient of its column 0 of alpha is of the order of the norm's eps over the embedding's square, and AdamW
    normalises it: with embeddings of size 1, float32 must compute it without cancellation. Some draws have steps whose
    gradient is so large that half an ulp of the weights changes the next norm by more than the bound: not recorded."""
    config = dict(num_tokens=11, dim=12, depth=2, dim_edges=7, heads=3, dim_head=5, linear_heads=2, linear_dim_head=3,
                  ff_mult=2, max_seq_len=n, causal=True)
    config.update(options)
    random = np.random.default_rng(zlib.crc32(name.encode()))
    tensors = {"param." + key: float32(draw(random, key, shape)) for key, shape in quartic_shapes(config).items()}
    for key in ("param.token_emb.weight", "param.pos_emb.weight"):
        tensors[key] = tensors[key] * np.float32(embedding)
    tensors["input.tokens"] = random.integers(0, config["num_tokens"], (steps, batch, n + 1), dtype=np.int32)
    record(folder, name, "quartic", "train", config, tensors)


def main(folder):
    os.makedirs(folder, exist_ok=True)

    def prefix_mask(n, *lengths):
        return [[int(i < length) for i in range(n)] for length in lengths]

    # Sizes.
    model_case(folder, "quartic-n1", (2, 1))
    model_case(folder, "quartic-n1-mask-depth3", (3, 1), [[1], [0], [1]], depth=3, num_residual_streams=3)
    model_case(folder, "quartic-n2-padded-row", (3, 2), prefix_mask(2, 2, 1, 0), num_residual_streams=3, depth=2)
    model_case(folder, "quartic-n3-causal-mask-depth3", (3, 3), prefix_mask(3, 3, 2, 0), causal=True, depth=3,
               num_residual_streams=5, linear_heads=3)
    model_case(folder, "quartic-n17-default-edges", (1, 17), dim_edges=None, linear_heads=3)
    model_case(folder, "quartic-n37-long", (1, 37), dim=7, dim_edges=3, depth=2, heads=1, dim_head=3)
    model_case(folder, "quartic-wide-heads", (2, 10), dim=18, dim_edges=33, heads=2, dim_head=17, linear_heads=2,
               linear_dim_head=16)
    model_case(folder, "quartic-width-one", (2, 4), dim=1, dim_edges=1, heads=1, dim_head=1, linear_heads=1,
               linear_dim_head=1, ff_mult=3, num_tokens=2)
    model_case(folder, "quartic-default-options", (2, 5), prefix_mask(5, 5, 3), ff_mult=None, causal=None,
               num_residual_streams=None, dim=6, dim_edges=None)
    model_case(folder, "quartic-large-vocabulary", (3, 6), num_tokens=301, dim=5, depth=2)
    # Masks and causality.
    model_case(folder, "quartic-causal-left-padded", (3, 6),
               [[0, 0, 1, 1, 1, 1], [1, 0, 1, 0, 1, 1], [0, 0, 0, 0, 0, 0]], causal=True, depth=2)
    model_case(folder, "quartic-mask-padded-row", (3, 7), prefix_mask(7, 7, 0, 4), depth=3, num_residual_streams=4)
    model_case(folder, "quartic-causal-odd", (3, 9), causal=True, depth=2, dim=11, linear_heads=3, num_residual_streams=3)
    model_case(folder, "quartic-no-diagonal-causal-mask", (2, 11), prefix_mask(11, 11, 8), causal=True, depth=2,
               edges_diagonal_attn=False, num_residual_streams=1)
    # Edges ablated, one residual stream.
    model_case(folder, "quartic-ablated", (2, 6), ablate_edges=True, depth=2)
    model_case(folder, "quartic-ablated-causal-mask", (3, 8), prefix_mask(8, 8, 0, 5), ablate_edges=True, depth=2,
               causal=True, num_residual_streams=1, edges_diagonal_attn=False)
    model_case(folder, "quartic-one-residual-stream-depth3", (2, 5), depth=3, num_residual_streams=1, dim=13)
    # Residual streams that pass the branches unmixed.
    unmixed = dict(hyper_connections="unmixed")
    model_case(folder, "quartic-unmixed", (2, 6), depth=2, num_residual_streams=4, **unmixed)
    model_case(folder, "quartic-unmixed-causal-mask-depth3", (3, 7), prefix_mask(7, 7, 0, 4), causal=True, depth=3,
               num_residual_streams=3, dim=11, **unmixed)
    model_case(folder, "quartic-unmixed-one-stream", (2, 5), num_residual_streams=1, **unmixed)
    # Compatibility with the published package.
    reference = dict(family="reference", edges_diagonal_attn=False)
    model_case(folder, "reference-quartic-n1", (3, 1), depth=2, **reference)
    model_case(folder, "reference-quartic-causal-mask", (3, 8), prefix_mask(8, 8, 3, 5), causal=True, depth=2, **reference)
    model_case(folder, "reference-quartic-depth3-streams3", (2, 6), depth=3, num_residual_streams=3, linear_heads=3,
               **reference)
    model_case(folder, "reference-quartic-unmixed-causal", (2, 6), depth=3, causal=True, num_residual_streams=4, **unmixed,
               **reference)
    model_case(folder, "reference-quartic-ablated-one-stream", (2, 5), ablate_edges=True, num_residual_streams=1, depth=2,
               **reference)

    # Modules. Gradients here are of the case alone.
    def taylor(name, batch, m, dim, heads, dim_head, mask=None):
        module_case(folder, "module-taylor-attention-" + name, "taylor_attention",
                    dict(dim=dim, heads=heads, dim_head=dim_head), {"x": (batch, m, dim)}, {"out": (batch, m, dim)}, mask)

    taylor("one-token", 3, 1, 7, 3, 5)
    taylor("odd", 3, 33, 9, 3, 3, prefix_mask(33, 33, 0, 20))
    taylor("one-head", 2, 70, 5, 1, 1)
    taylor("default-width", 1, 65, 12, 2, 16, [[int(i % 3 != 1) for i in range(65)]])
    taylor("long", 1, 301, 6, 1, 5)
    graphs = edge_cases.holes_mask(9, [8], [0, 4], range(9))
    taylor("all-edges", 3, 81, 5, 2, 8, [np.outer(nodes, nodes).ravel() for nodes in graphs])
    taylor("all-edges-wide", 1, 49, 8, 1, 33)

    def edge_embedding(name, b, n, dim, dim_edges):
        module_case(folder, "module-edge-embedding-" + name, "edge_embedding", dict(dim=dim, dim_edges=dim_edges),
                    {"x": (b, n, dim)}, {"out": (b, n, n, dim_edges)})

    edge_embedding("one-token", 3, 1, 7, 5)
    edge_embedding("odd", 3, 9, 5, 11)
    edge_embedding("wide", 1, 5, 33, 17)

    def position_bias(name, dim, heads, n):
        module_case(folder, "module-dynamic-position-bias-" + name, "dynamic_position_bias",
                    dict(dim=dim, heads=heads, seq_len=n), {}, {"out": (n, n, heads)})

    position_bias("one-token", 7, 3, 1)
    position_bias("odd", 5, 3, 13)
    position_bias("long", 18, 1, 40)

    def hyper(name, streams, b, n, dim, **more):
        shapes = {"residuals": (b * streams, n, dim), "branch_out": (b, n, dim)}
        module_case(folder, "module-hyper-connection-" + name, "hyper_connection",
                    dict(dim=dim, num_residual_streams=streams, **more), shapes,
                    {"residuals": (b * streams, n, dim), "branch_in": (b, n, dim)})

    hyper("one-stream", 1, 3, 5, 7)
    hyper("two-streams", 2, 3, 1, 33)
    hyper("three-streams", 3, 1, 9, 5)
    hyper("five-streams", 5, 2, 3, 13)
    hyper("unmixed", 4, 2, 5, 9, **unmixed)

    train_case(folder, "train-quartic-clipped", 10, 3, 5, lr=5e-4, weight_decay=0.1, clip=0.5)
    train_case(folder, "train-quartic-no-decay", 10, 1, 8, lr=1e-3, weight_decay=0.0, clip=100.0,
               num_residual_streams=2, depth=1)
    train_case(folder, "train-quartic-one-stream", 6, 2, 6, lr=3e-4, weight_decay=0.01, clip=1.0, causal=False,
               num_residual_streams=1, edges_diagonal_attn=False)
    for number in (1, 4):
        train_case(folder, f"train-quartic-large-embeddings-{number}", 10, 2, 9, embedding=1.0, lr=3e-3,
                   weight_decay=0.01, clip=1.0, dim=16, dim_edges=8, heads=2, linear_heads=3)
    train_case(folder, "train-quartic-unmixed", 6, 2, 6, lr=1e-3, weight_decay=0.05, clip=1.0, num_residual_streams=3,
               **unmixed)
    train_case(folder, "train-quartic-ablated", 5, 2, 7, lr=1e-3, weight_decay=0.05, clip=1.0, ablate_edges=True)

    multi_stream.cases(folder, record)
    relational.cases(folder, record)
    edge_cases.modules(folder, record)
    edge_cases.models("quartic", lambda *case, **options: model_case(folder, *case, **options))


if __name__ == "__main__":
    main(sys.argv[1])

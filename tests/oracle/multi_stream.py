"""The MultiStreamTransformer in float64, straight from its definition, and its extra recordings.

Shapes: b batch, s streams, i receiving node, j sending node, d features, h heads of one stream, g = s h heads of
all streams, stream by stream. With parallel_streams every weight of layers.* has a leading axis of streams.
"""
import itertools
import zlib

import numpy as np

from autodiff import einsum, gelu, lift, log, maximum, sigmoid, softmax, sqrt

DEFAULTS = dict(num_streams=2, dim_head=64, heads=8, causal=False, ff_mult=4, max_seq_len=2048, separate_stream_emb=True,
                parallel_streams=False, stream_skip=True, pre_talking_heads=True, post_talking_heads=True,
                non_linear_talking_heads=False, residual_talking_heads=False, ablate_cross_stream_talking_heads=False,
                diversity_loss=0.0, compatibility="default")


def talking_streams(c):
    if c["ablate_cross_stream_talking_heads"]:
        return 1
    return 2 if c["compatibility"] == "reference" else c["num_streams"]


def vector(weight, stream_axis):
    """A vector per stream (s, d) as it meets x (b, s, n, d); without an axis of streams it is the same for all."""
    return weight.reshape(weight.shape[0], 1, weight.shape[1]) if stream_axis else weight


def rms(x, scale):
    return x / sqrt((x * x).mean(-1) + 1e-5) * scale


def linear(x, weight, stream_axis):
    return einsum("bsnk,sok->bsno" if stream_axis else "bsnk,ok->bsno", x, weight)


def feedforward(p, x, own):
    hidden = gelu(linear(rms(x, vector(p["0.scale"], own)), p["1.weight"], own))
    return linear(hidden, p["4.weight"], own)


def exchange(p, name, t, talking, heads, feedforward=False):
    """t (b, g, i, j); the heads of each `talking` neighbouring streams mix."""
    b, g, n, _ = t.shape
    groups, width = b * g // (talking * heads), talking * heads
    t = t.reshape(groups, width, n, n)
    if feedforward:
        w1, w2 = (p[f"{name}.fn.{k}.weight"] for k in (1, 4))
        scale = p[f"{name}.fn.0.scale"].reshape(1, width, 1, 1)
        normed = t / sqrt((t * t).mean(1) + 1e-5) * scale
        hidden = gelu(einsum("mg,bgij->bmij", w1.reshape(*w1.shape[:2]), normed))
        t = t + einsum("gm,bmij->bgij", w2.reshape(*w2.shape[:2]), hidden)
    else:
        weight = p[f"{name}.weight"]
        t = einsum("og,bgij->boij", weight.reshape(*weight.shape[:2]), t)
    return t.reshape(b, g, n, n)


def attention(p, c, x, mask, own, talking, previous, exchanges=True):
    """x (b, s, n, d) to what it gains, the maps after softmax (b, g, i, j) and the logits after their exchange."""
    b, s, n, _ = x.shape
    heads, width = c["heads"], c["dim_head"]
    x = rms(x, vector(p["rmsnorm.scale"], own))
    qkv = linear(x, p["to_qkv.0.weight"], own).reshape(b, s, n, 3, heads, width)
    q, k, v = (qkv[:, :, :, part] for part in range(3))
    gates = sigmoid(linear(x, p["to_gates.0.weight"], own) + vector(p["to_gates.0.bias"], own))  # (b, s, i, h)
    power = 0.5 if c["compatibility"] == "reference" else -0.5
    sim = einsum("bsihd,bsjhd->bshij", q * width ** power, k).reshape(b, s * heads, n, n)
    if previous is not None:
        sim = sim + exchange(p, "residual_talking_heads", previous, talking, heads)
    if exchanges and c["pre_talking_heads"]:
        sim = exchange(p, "pre_talking_heads", sim, talking, heads, c["non_linear_talking_heads"])
    visible = np.ones((b, 1, n, n), bool)
    if mask is not None:
        visible = visible & mask[:, None, None, :]
    if c["causal"]:
        visible = visible & np.tril(np.ones((n, n), bool))
    maps = softmax(sim, visible)
    mixed = maps
    if exchanges and c["post_talking_heads"]:
        mixed = exchange(p, "post_talking_heads", maps, talking, heads, c["non_linear_talking_heads"])
    out = einsum("bshij,bsjhd->bsihd", mixed.reshape(b, s, heads, n, n), v) * gates.reshape(b, s, n, heads, 1)
    return linear(out.reshape(b, s, n, heads * width), p["to_out.1.weight"], own), maps, sim


def diversity(maps, streams):
    """The mean over b, i and all choices of one head per stream of sum_j p log max(p, 1e-20)."""
    b, g, n, _ = maps.shape
    heads = g // streams
    total = 0.0
    for choice in itertools.product(range(heads), repeat=streams):
        p = sum(maps[:, s * heads + h] for s, h in enumerate(choice)) * (1.0 / streams)
        total = total + (p * log(maximum(p, 1e-20))).sum()
    return total * (1.0 / (heads ** streams * b * n))


def multi_stream(params, config, tokens, mask=None):
    """Logits (b, n, vocabulary) and the diversity loss."""
    c = {**DEFAULTS, **config}
    (b, n), streams, parallel = tokens.shape, c["num_streams"], c["parallel_streams"]
    emb, talking = params.at("emb."), talking_streams(c)

    def common_layer(p, x):
        x = x + attention(p.at("0."), c, x, mask, False, 1, None, exchanges=False)[0]
        return x + feedforward(p.at("1."), x, False)

    if parallel or not c["separate_stream_emb"]:
        x = (emb["token_emb.weight"][tokens] + emb["pos_emb.weight"][:n]).reshape(b, 1, n, c["dim"])
    else:
        x = emb["token_emb"][:, tokens].transpose(1, 0, 2, 3) + emb["pos_emb"][:, :n]
    if parallel:
        first = common_layer(params.at("first."), x)
        x = first + np.zeros((1, streams, 1, 1))
    elif not c["separate_stream_emb"]:
        x = x + emb["stream_emb"].reshape(streams, 1, c["dim"])
    previous, aux = None, lift(0.0)
    for layer in range(c["depth"]):
        p = params.at(f"layers.{layer}.")
        gain, maps, logits = attention(p.at("0."), c, x, mask, parallel, talking, previous)
        x = x + gain
        x = x + feedforward(p.at("1."), x, parallel)
        aux = aux + diversity(maps, streams)
        previous = logits if c["residual_talking_heads"] else None
    x = x.sum(1)
    if parallel:
        x = x.reshape(b, 1, n, c["dim"])
        x = x + first if c["stream_skip"] else x
        x = common_layer(params.at("last."), x).reshape(b, n, c["dim"])
    x = rms(x, params["to_logits.1.scale"])
    return einsum("bnd,vd->bnv", x, params["to_logits.2.weight"]), aux


# ---- extra recordings ----------------------------------------------------------------------------------------


def shapes(config):
    """{state_dict name: shape}."""
    c = {**DEFAULTS, **config}
    d, vocabulary, length, streams = c["dim"], c["num_tokens"], c["max_seq_len"], c["num_streams"]
    heads, inner, all_heads = c["heads"], c["heads"] * c["dim_head"], talking_streams(c) * c["heads"]
    own = (streams,) if c["parallel_streams"] else ()
    found = {"to_logits.1.scale": (d,), "to_logits.2.weight": (vocabulary, d)}
    if own or not c["separate_stream_emb"]:
        found.update({"emb.token_emb.weight": (vocabulary, d), "emb.pos_emb.weight": (length, d)})
        if not own:
            found["emb.stream_emb"] = (streams, d)
    else:
        found.update({"emb.token_emb": (streams, vocabulary, d), "emb.pos_emb": (streams, length, d)})

    def layer(prefix, own):
        attention = {"rmsnorm.scale": (d,), "to_qkv.0.weight": (3 * inner, d), "to_gates.0.weight": (heads, d),
                     "to_gates.0.bias": (heads,), "to_out.1.weight": (d, inner)}
        forward = {"0.scale": (d,), "1.weight": (c["ff_mult"] * d, d), "4.weight": (d, c["ff_mult"] * d)}
        found.update({f"{prefix}0.{name}": own + shape for name, shape in attention.items()})
        found.update({f"{prefix}1.{name}": own + shape for name, shape in forward.items()})

    for common in ("first.", "last.") if own else ():
        layer(common, ())
    for number in range(c["depth"]):
        prefix = f"layers.{number}."
        layer(prefix, own)
        for name in ("pre_talking_heads", "post_talking_heads"):
            if not c[name]:
                continue
            if c["non_linear_talking_heads"]:
                found.update({f"{prefix}0.{name}.fn.0.scale": (all_heads,),
                              f"{prefix}0.{name}.fn.1.weight": (2 * all_heads, all_heads, 1, 1),
                              f"{prefix}0.{name}.fn.4.weight": (all_heads, 2 * all_heads, 1, 1)})
            else:
                found[f"{prefix}0.{name}.weight"] = (all_heads, all_heads, 1, 1)
        if c["residual_talking_heads"]:  # without influence in layer 0
            found[f"{prefix}0.residual_talking_heads.weight"] = (all_heads, all_heads, 1, 1)
    return found


def draw(random, name, shape):
    """Values at which every term matters: nothing at its initial 0 or 1."""
    normal = random.standard_normal(shape)
    if name.endswith("talking_heads.weight"):
        return np.eye(shape[0]).reshape(shape) + 0.3 * normal
    if name.endswith("scale"):
        return 1.0 + 0.2 * normal
    if name.endswith("bias"):
        return 0.3 * normal
    if ".fn." in name:
        return normal / np.sqrt(shape[1])
    return normal if "emb" in name else normal / np.sqrt(shape[-1])


def cases(folder, record):
    """record(folder, name, model, family, config, tensors) fills in the results and writes the file."""

    def start(name, tokens_shape, options):
        config = dict(num_tokens=7, dim=9, depth=2, heads=2, dim_head=3, ff_mult=2, max_seq_len=tokens_shape[-1] + 2,
                      causal=False)
        config.update(options)
        random = np.random.default_rng(zlib.crc32(name.encode()))
        tensors = {"param." + key: draw(random, key, shape).astype(np.float32) for key, shape in shapes(config).items()}
        tensors["input.tokens"] = random.integers(0, config["num_tokens"], tokens_shape, dtype=np.int32)
        return config, random, tensors

    def model(name, tokens_shape, mask=None, family="corrected", aux=False, **options):
        if family == "reference":
            options["compatibility"] = "reference"
        config, random, tensors = start(name, tokens_shape, options)
        tensors["input.targets"] = random.integers(-1, config["num_tokens"], tokens_shape, dtype=np.int32)
        tensors["input.targets"][0, 0] = 1
        if mask is not None:
            tensors["input.mask"] = np.array(mask, dtype=np.uint8)
        if aux:
            tensors["output.aux"] = np.zeros((), np.float32)  # asks for it
        record(folder, name, "multi_stream", family, config, tensors)

    def train(name, steps, batch, n, **options):
        config, _, tensors = start(name, (steps, batch, n + 1), options)
        record(folder, name, "multi_stream", "train", config, tensors)

    def prefix_mask(n, *lengths):
        return [[int(i < length) for i in range(n)] for length in lengths]

    one_by_one = dict(ablate_cross_stream_talking_heads=True)
    by_feedforward = dict(non_linear_talking_heads=True)
    residual = dict(residual_talking_heads=True)
    # Numbers of streams and sizes.
    model("multi-stream-one-stream", (2, 5), num_streams=1)
    model("multi-stream-four-streams-causal-mask", (3, 6), prefix_mask(6, 6, 0, 4), num_streams=4, heads=3, causal=True)
    model("multi-stream-eight-streams", (2, 4), num_streams=8, separate_stream_emb=False, depth=1)
    model("multi-stream-nine-streams-one-head", (2, 5), num_streams=9, heads=1, dim=5)
    model("multi-stream-n1-mask", (3, 1), [[1], [0], [1]], num_streams=3)
    model("multi-stream-n37", (1, 37), num_streams=3, dim=5, depth=1)
    model("multi-stream-many-heads", (1, 5), num_streams=5, heads=9, dim_head=1, depth=1, dim=6)
    model("multi-stream-default-mult", (2, 4), ff_mult=4, dim=4, separate_stream_emb=False, causal=True)
    # Exchanges, each alone and together.
    model("multi-stream-no-exchange", (2, 5), pre_talking_heads=False, post_talking_heads=False)
    model("multi-stream-exchange-before", (2, 5), post_talking_heads=False, num_streams=3)
    model("multi-stream-exchange-after", (2, 6), prefix_mask(6, 4, 6), pre_talking_heads=False, **by_feedforward)
    model("multi-stream-residual", (2, 5), depth=3, **residual)
    model("multi-stream-residual-alone", (2, 5), depth=3, pre_talking_heads=False, post_talking_heads=False,
          num_streams=3, **residual)
    model("multi-stream-residual-nonlinear-mask", (3, 5), prefix_mask(5, 5, 3, 0), num_streams=3, depth=3, causal=True,
          separate_stream_emb=False, **residual, **by_feedforward)
    model("multi-stream-ablated-nonlinear", (2, 6), num_streams=4, **one_by_one, **by_feedforward)
    model("multi-stream-ablated-residual-nonlinear-causal", (2, 5), num_streams=3, depth=3, causal=True, **one_by_one,
          **residual, **by_feedforward)
    model("multi-stream-nonlinear-eight-streams", (1, 5), num_streams=8, depth=1, **by_feedforward)
    # The diversity loss.
    model("multi-stream-diversity-causal", (2, 5), aux=True, num_streams=3, causal=True)
    model("multi-stream-diversity-one-stream", (2, 5), aux=True, num_streams=1, heads=3)
    model("multi-stream-diversity-nonlinear-residual-mask", (3, 5), prefix_mask(5, 5, 2, 0), aux=True, num_streams=4,
          depth=3, **residual, **by_feedforward)
    model("multi-stream-diversity-eight-streams", (1, 3), aux=True, num_streams=8, depth=1, dim=4)
    # Compatibility with the published package: pairs of streams exchange.
    reference = dict(family="reference", separate_stream_emb=False)
    model("reference-multi-stream-four-streams", (2, 5), num_streams=4, **reference)
    model("reference-multi-stream-ablated-three-streams", (2, 5), num_streams=3, **one_by_one, **reference)
    model("reference-multi-stream-causal-six-streams", (1, 7), num_streams=6, heads=1, causal=True, **reference)
    # Parallel streams.
    parallel = dict(parallel_streams=True)
    model("multi-stream-parallel", (2, 5), num_streams=3, **parallel)
    model("multi-stream-parallel-one-stream", (2, 5), num_streams=1, depth=1, **parallel)
    model("multi-stream-parallel-no-skip-no-exchange", (2, 4), stream_skip=False, pre_talking_heads=False,
          post_talking_heads=False, causal=True, **parallel)
    model("multi-stream-parallel-ablated-mask", (3, 5), prefix_mask(5, 3, 5, 0), num_streams=4, depth=1, **parallel,
          **one_by_one)
    model("multi-stream-parallel-everything", (2, 5), prefix_mask(5, 5, 3), aux=True, num_streams=3, depth=3, causal=True,
          stream_skip=False, **parallel, **residual, **by_feedforward)
    # Training.
    adam = dict(lr=3e-3, weight_decay=0.01, clip=1.0)
    train("train-multi-stream-three-streams", 10, 2, 6, num_streams=3, causal=True, dim=12, **adam)
    train("train-multi-stream-nonlinear-residual", 8, 2, 5, causal=True, separate_stream_emb=False, **residual,
          **by_feedforward, **adam)
    train("train-multi-stream-diversity", 8, 2, 5, diversity_loss=0.5, num_streams=3, causal=True,
          **dict(adam, lr=1e-3))
    train("train-multi-stream-parallel", 8, 2, 5, num_streams=2, causal=True, depth=1, **parallel, **adam)

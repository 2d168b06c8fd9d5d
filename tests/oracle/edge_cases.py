"""Shapes and extra recordings of attention over all edges: modules of other sizes and options than the ones that came
with the equations, and models that use them. Gradients are of the case alone."""
import zlib

import numpy as np

import edge_forms

FORM_OF_MODULE = {"edge_attention": "full", "routed_edge_attention": "routed", "triangle_attention": "triangle",
                  "triangle_start_end": "triangle-start-end", "triangle_multiply": "triangle-multiply",
                  "triple_attention": "triple"}


# ---- shapes: {state_dict name: shape} --------------------------------------------------------------------------


def below(prefix, shapes):
    return {prefix + name: shape for name, shape in shapes.items()}


def taylor_shapes(dim, heads, width):
    inner = heads * width
    return {"norm.gamma": (dim,), "to_q.0.weight": (inner, dim), "to_kv.0.weight": (2 * inner, dim),
            "to_v_gates.0.weight": (heads, dim), "to_out.0.weight": (dim, inner)}


def node_attention_shapes(dim, heads, width):
    return {"rmsnorm.scale": (dim,), "to_qkv.0.weight": (3 * heads * width, dim), "to_gates.0.weight": (heads, dim),
            "to_gates.0.bias": (heads,), "pre_talking_heads.weight": (heads, heads, 1, 1),
            "to_out.1.weight": (dim, heads * width)}


def attend_shapes(de, heads, width):
    inner = heads * width
    return {"norm_scale": (de,), "to_qkv.weight": (3 * inner, de), "to_gates.weight": (heads, de),
            "to_gates.bias": (heads,), "to_out.weight": (de, inner)}


def form_shapes(form, de, heads, width, directions=None, node_heads=None):
    inner = heads * width
    if form == "full":
        return attend_shapes(de, heads, width)
    if form == "routed":
        return {"to_route": (node_heads,), **below("attn.", attend_shapes(de, heads, width))}
    if form == "triangle":
        into = {f"to_{name}.weight": (inner, de) for name in ("q", "k", "v1", "v2")}
        return {"norm_scale": (de,), **into, "to_out.weight": (de, inner)}
    if form == "triple":
        into = {f"to_{name}.weight": (inner, de) for name in ("q1", "q2", "k1", "k2", "v1", "v2")}
        return {"norm_scale": (de,), **into, "to_bias.weight": (heads, de), "to_gates.weight": (heads, de),
                "to_gates.bias": (heads,), "to_out.weight": (de, inner)}
    if form == "triangle-start-end":
        one = {**attend_shapes(de, heads, width), "to_bias.weight": (heads, de)}
        return {**below("start.", one), **below("end.", one)}
    one = {"norm_scale": (de,), "out_norm_scale": (inner,), "to_out.weight": (de, inner), "to_gate.weight": (de, de),
           "to_gate.bias": (de,)}
    for name in ("to_a", "to_b"):
        one.update({f"{name}.weight": (inner, de), f"{name}_gate.weight": (inner, de), f"{name}_gate.bias": (inner,)})
    shapes = {}
    for direction in edge_forms.directions_of(directions):
        shapes.update(below(direction + ".", one))
    return shapes


def layer_shapes(config, layer, standard, de):
    """Of a model's layer, below layers.<layer>.1.0."""
    c = {**edge_forms.DEFAULTS, **config}
    form = edge_forms.form_of(c, layer, standard)
    if form == "none":
        return {}
    linear = (c["linear_heads"], c["linear_dim_head"])
    if form == "taylor":
        return taylor_shapes(de, *linear)
    if form == "axial":
        diagonal = node_attention_shapes(de, *linear) if c["edges_diagonal_attn"] else {}
        return {**below("row_attn.", taylor_shapes(de, *linear)), **below("col_attn.", taylor_shapes(de, *linear)),
                **below("diagonal_attn.", diagonal)}
    return form_shapes(form, de, c["edge_heads"], c["edge_dim_head"], c["triangle_directions"], c["heads"])


# ---- recordings ------------------------------------------------------------------------------------------------


def draw(random, name, shape):
    """Values at which every term matters: nothing at its initial 0 or 1."""
    normal = random.standard_normal(shape)
    if name.endswith("bias"):
        return 0.3 * normal
    if name.endswith("scale"):
        return 1.0 + 0.2 * normal
    return normal / np.sqrt(shape[-1])


def float32(array):
    return np.asarray(array, dtype=np.float32)


def module_case(folder, name, record, module, n, batch=2, dim=8, mask=None, **config):
    """config as the module's constructor has it, but for dim."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    config = {"dim": dim, **config}
    shapes = form_shapes(FORM_OF_MODULE[module], dim, config["heads"], config["dim_head"],
                         config.get("triangle_directions"), config.get("node_heads"))
    tensors = {"param." + key: float32(draw(random, key, shape)) for key, shape in shapes.items()}
    edges = (batch, n, n, dim)
    inputs = {"input.edges": edges, "input.cotangent.out": edges}
    if module == "routed_edge_attention":
        inputs = {"input.edges": edges, "input.sim": (batch, config["node_heads"], n, n), "input.cotangent.edges": edges,
                  "input.cotangent.coordinate_descent": (batch, n * n)}
    tensors.update({key: float32(random.standard_normal(shape)) for key, shape in inputs.items()})
    if mask is not None:
        tensors["input.mask"] = np.array(mask, dtype=np.uint8)
    record(folder, name, module, "module", config, tensors)


def descent_case(folder, name, record, batch, m, scale=1.0, mask=None, **config):
    random = np.random.default_rng(zlib.crc32(name.encode()))
    tensors = {"input.s": float32(scale * random.standard_normal((batch, m))),
               "input.cotangent.out": float32(random.standard_normal((batch, m)))}
    if mask is not None:
        tensors["input.mask"] = np.array(mask, dtype=np.uint8)
    record(folder, name, "coordinate_descent", "module", config, tensors)


def targets(random, config, tokens_shape):
    """Of nodes (b, n), edges (b, i, j) or graphs (b), never all ignored."""
    b, n = tokens_shape
    shape = {"edge": (b, n, n), "graph": (b,)}.get(config.get("readout"), (b, n))
    found = random.integers(-1, config["num_tokens"], shape, dtype=np.int32)
    found.flat[0] = 1
    return found


def prefix_mask(n, *lengths):
    return [[int(i < length) for i in range(n)] for length in lengths]


def holes_mask(n, *holes):
    """One graph for each: the nodes that are hidden in it."""
    return [[int(i not in hole) for i in range(n)] for hole in holes]


def modules(folder, record):
    def case(name, module, n, batch, dim, heads, dim_head, mask=None, **config):
        module_case(folder, f"module-{module.replace('_', '-')}-{name}", record, module, n, batch, dim, mask, heads=heads,
                    dim_head=dim_head, **config)

    full, routed, triangle = "edge_attention", "routed_edge_attention", "triangle_attention"
    start_end, multiply, triple = "triangle_start_end", "triangle_multiply", "triple_attention"
    # The last graph of these has no real node, the one before a hidden node amid real ones.
    holes = holes_mask(5, [4], [1, 3], range(5))

    case("one-node", full, 1, 3, 5, 2, 33, [[1], [0], [1]])
    case("two-nodes-causal", full, 2, 2, 8, 1, 64, causal=True)
    case("narrow-heads", full, 3, 2, 24, 8, 1)
    case("holes", full, 5, 3, 5, 3, 8, holes)
    case("holes-causal", full, 7, 2, 5, 2, 3, holes_mask(7, [3], [0, 6]), causal=True)
    case("causal-first-node-hidden", full, 9, 1, 3, 1, 16, holes_mask(9, [0, 5]), causal=True)
    case("n13", full, 13, 1, 5, 3, 3)

    def route(name, n, batch, dim, heads, dim_head, k, mask=None, **config):
        case(name, routed, n, batch, dim, heads, dim_head, mask,
             **{"node_heads": 3, "num_routed": k, "n_iters": 20, "eps": 0.1, "k_ratio": 1.125, **config})

    route("one-node", 1, 3, 5, 2, 8, 1, [[1], [0], [1]], node_heads=1)
    route("one-edge", 7, 2, 5, 1, 16, 1, n_iters=3, eps=0.5)
    route("all-edges", 5, 2, 8, 3, 8, 25, n_iters=50)
    route("more-than-real", 5, 3, 5, 2, 3, 11, holes, node_heads=8)
    route("padded", 7, 4, 5, 2, 3, 0, prefix_mask(7, 7, 4, 1, 0), node_heads=2)
    route("padded-causal", 6, 4, 5, 2, 3, 14, prefix_mask(6, 6, 5, 2, 0), node_heads=2, causal=True)
    route("scaled", 9, 2, 5, 2, 3, 20, n_iters=5, eps_init=4.0, eps_decay=0.7, k_ratio=1.5)
    route("n13", 13, 1, 5, 1, 33, 40, holes_mask(13, [6]), node_heads=2, n_iters=30)
    route("causal", 7, 2, 5, 2, 8, 15, causal=True)
    route("causal-one-each", 9, 2, 5, 2, 3, 9, holes_mask(9, [0, 5], [8]), causal=True, n_iters=30, eps=0.5)
    route("causal-all-edges", 5, 2, 8, 3, 8, 25, causal=True, n_iters=50)
    route("causal-holes", 5, 3, 5, 2, 3, 11, holes, causal=True, node_heads=8)
    route("causal-scaled", 11, 1, 5, 1, 33, 40, causal=True, n_iters=5, eps_init=4.0, eps_decay=0.7, k_ratio=1.5)

    case("one-node", triangle, 1, 3, 24, 3, 16, [[1], [0], [1]])
    case("two-nodes-one-pivot", triangle, 2, 2, 8, 2, 64, prefix_mask(2, 1, 1))
    case("narrow-heads", triangle, 3, 2, 24, 8, 1)
    case("holes", triangle, 5, 3, 5, 3, 8, holes)
    case("holes-causal", triangle, 7, 2, 5, 2, 3, holes_mask(7, [3], [0, 6]), causal=True)
    case("causal", triangle, 9, 1, 5, 1, 33, causal=True)
    case("n13", triangle, 13, 1, 5, 3, 3)

    case("one-node", start_end, 1, 3, 24, 2, 8)
    case("two-nodes-one-pivot", start_end, 2, 2, 8, 3, 33, holes_mask(2, [0], [1]))
    case("narrow-heads", start_end, 3, 2, 16, 8, 1, orientation="alphafold")
    case("holes", start_end, 5, 3, 5, 3, 8, holes)
    case("holes-causal", start_end, 7, 2, 5, 2, 3, holes_mask(7, [3], [0, 6]), causal=True)
    case("alphafold-causal", start_end, 5, 2, 8, 2, 16, prefix_mask(5, 5, 3), causal=True, orientation="alphafold")
    case("n13", start_end, 13, 1, 5, 1, 16, orientation="default")

    case("one-node", multiply, 1, 3, 5, 2, 8)
    case("outgoing-holes", multiply, 5, 3, 5, 3, 8, holes, triangle_directions=["outgoing"])
    case("incoming-holes-causal", multiply, 7, 2, 5, 2, 3, holes_mask(7, [3], [0, 6]), causal=True,
         triangle_directions=["incoming"])
    case("outgoing-causal", multiply, 9, 1, 5, 1, 33, causal=True, triangle_directions=["outgoing"])
    case("backwards", multiply, 3, 2, 8, 2, 4, triangle_directions=["incoming", "outgoing", "through"])
    case("two-passes-causal", multiply, 5, 2, 5, 3, 3, prefix_mask(5, 5, 3), causal=True,
         triangle_directions=["outgoing", "through"])
    case("n13", multiply, 13, 1, 5, 2, 3, triangle_directions=["through", "incoming"])

    case("one-node", triple, 1, 3, 24, 3, 16, [[1], [0], [1]])
    case("two-nodes-one-pivot", triple, 2, 2, 8, 2, 64, prefix_mask(2, 1, 1))
    case("narrow-heads", triple, 3, 2, 24, 8, 1)
    case("holes", triple, 5, 3, 5, 3, 8, holes)
    case("holes-causal", triple, 7, 2, 5, 2, 3, holes_mask(7, [3], [0, 6]), causal=True)
    case("causal", triple, 9, 1, 5, 1, 33, causal=True)
    case("n13", triple, 13, 1, 5, 3, 3)

    def descent(name, batch, m, k, mask=None, scale=1.0, **config):
        descent_case(folder, "module-coordinate-descent-" + name, record, batch, m, scale, mask,
                     **{"k": k, "n_iters": 20, "eps": 0.1, **config})

    descent("one-score", 3, 1, 1, [[1], [0], [1]])
    descent("odd", 3, 33, 7, holes_mask(33, [5], range(20, 33), range(33)), n_iters=50)
    descent("scaled-few-rounds", 2, 65, 9, n_iters=4, eps_init=4.0, eps_decay=0.7)
    descent("one-round", 2, 31, 5, n_iters=1, eps=1.0)
    descent("k-above-count", 2, 65, 20, prefix_mask(65, 12, 40), scale=3.0)
    descent("all-scores", 2, 169, 169, scale=10.0, n_iters=50, eps_init=4.0, eps_decay=0.7)
    descent("sharp-all-scores", 1, 257, 262, n_iters=50, eps=0.03, eps_init=4.0, eps_decay=0.7)


def models(family, case):
    """case(name, tokens_shape, mask, **options). One form a layer leads to the logits, so the last layers' are here too."""

    def edges(name, tokens_shape, mask=None, **options):
        case(f"{family}-edges-{name}", tokens_shape, mask,
             **{"dim": 6, "depth": 2, "heads": 2, "dim_head": 3, "edge_heads": 2, "edge_dim_head": 3, "linear_heads": 2,
                "linear_dim_head": 3, "readout": "edge", **options})

    holes = holes_mask(5, [4], [1, 3], range(5))
    edges("full-causal-holes", (3, 5), holes, edge_attention="full", causal=True)
    edges("full-node", (2, 4), edge_attention="full", readout="node")
    edges("routed-holes", (3, 6), holes_mask(6, [5], [2], []), edge_attention=["routed", "none"], num_routed=7)
    edges("routed-node", (2, 5), edge_attention="routed", routed_iterations=6, routed_eps=0.5, routed_eps_init=2.0,
          routed_eps_decay=0.6, routed_k_ratio=1.5, readout="node")
    edges("routed-padded", (4, 6), prefix_mask(6, 6, 4, 1, 3), edge_attention="routed")
    edges("triangle-graph", (3, 5), holes_mask(5, [4], [1, 3], []), edge_attention="triangle", readout="graph", depth=3)
    edges("triangle-causal", (2, 6), edge_attention="triangle", causal=True)
    edges("start-end-causal-holes", (3, 5), holes, edge_attention="triangle-start-end", causal=True)
    edges("start-end-alphafold", (2, 4), edge_attention="triangle-start-end", triangle_orientation="alphafold",
          edge_heads=3)
    edges("multiply-holes", (3, 5), holes, edge_attention="triangle-multiply")
    edges("multiply-causal-outgoing", (2, 6), edge_attention="triangle-multiply", causal=True,
          triangle_directions=["incoming", "outgoing"])
    edges("triple-graph", (3, 5), holes_mask(5, [4], [1, 3], []), edge_attention="triple", readout="graph", depth=3)
    edges("triple-causal-holes", (3, 5), holes, edge_attention="triple", causal=True)
    edges("triple-none-triangle", (2, 6), edge_attention=["triple", "none", "triangle"], depth=3, edge_heads=3)
    edges("taylor-holes", (3, 5), holes, edge_attention="taylor")
    edges("taylor-causal", (2, 7), edge_attention=["taylor", "none"], causal=True)
    edges("routed-taylor-causal-holes", (3, 5), holes, edge_attention=["routed", "taylor"], num_routed=8, causal=True)
    edges("axial-causal-holes", (3, 5), holes, edge_attention=["axial", "none"], causal=True)
    edges("every-form", (2, 3), depth=8, dim=5, dim_edges=4,
          edge_attention=["triangle", "axial", "none", "full", "taylor", "triangle-multiply", "routed",
                          "triangle-start-end"])
    edges("one-node", (2, 1), [[1], [0]], depth=7, dim=5, dim_edges=4,
          edge_attention=["taylor", "triangle-start-end", "triangle", "full", "triangle-multiply", "axial", "routed"])

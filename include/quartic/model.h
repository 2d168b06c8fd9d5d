/* model.h: transformers by configuration: weights, forward pass, losses and gradients.
 *
 * A model is a configuration and one flat float32 tensor of weights on a device. Each weight has the name,
 * shape and meaning that it has in the state_dict of the published PyTorch package, so weights move both ways
 * as safetensors. A call with a new (batch, length, masked) compiles a program for it; the last few programs
 * are kept. On a Vulkan device all functions that compute, read or write weights submit. The device must
 * outlive the model.
 *
 * Tokens are int32 (batch, length) in [0, num_tokens). A mask is one byte per token, 1 = real token, 0 =
 * padding; NULL means that all are real. Targets are int32, one for each row of logits, in [0, num_classes);
 * a negative one is ignored.
 *
 * A sequence is a graph whose nodes have tokens and positions. The families quartic and relational also take
 * graphs as they are: features in the place of tokens, edges with types or features, no positions, and logits
 * for every node, every edge or the graph. Their calls end in _batch.
 *
 * Stability: configurations, making and saving models, and running them are stable. Measuring memory and
 * appending a model to a graph are unstable. quartic.h says what that means.
 */
#ifndef QUARTIC_MODEL_H
#define QUARTIC_MODEL_H

#include "quartic/device.h"
#include "quartic/graph.h"
#include "quartic/program.h"
#include "quartic/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- configuration: stable ---- */

/* Named choices: X(constant suffix, name in JSON). */
#define QUARTIC_MODEL_FAMILY_LIST(X)                                                                         \
    X(QUARTIC, "quartic") X(RELATIONAL, "relational") X(MULTI_STREAM, "multi-stream")

/* default: the equations as meant; reference: those of the published PyTorch package. */
#define QUARTIC_COMPATIBILITY_LIST(X) X(DEFAULT, "default") X(REFERENCE, "reference")

/* How hyper-connections carry the residual streams past a branch: mixed among each other, as meant, or each
 * as it is. The latter is what releases 0.1.7 to 0.3.9 of the hyper-connections package compute, so weights
 * that were trained in 2025 with the published PyTorch package need "unmixed". */
#define QUARTIC_HYPER_CONNECTIONS_LIST(X) X(MIXED, "mixed") X(UNMIXED, "unmixed")

/* What gets logits: every node, every directed edge (i, j), or each graph as a whole (the mean over its real
 * nodes). */
#define QUARTIC_READOUT_LIST(X) X(NODE, "node") X(EDGE, "edge") X(GRAPH, "graph")

/* How the edges of a layer attend to edges (docs/edge-attention.md has the equations and costs). default:
 * axial for quartic, none for relational; axial: along rows and columns; taylor: all n^2 edges, by the series
 * of exp; full: all n^2 edges, by softmax; routed: the num_routed edges that the nodes look at most;
 * triangle*: the two other edges of every triangle; triple: the five other edges among four nodes; none. */
/* clang-format off */
#define QUARTIC_EDGE_ATTENTION_LIST(X)                                                                       \
    X(DEFAULT, "default")                                                                                    \
    X(AXIAL, "axial")                                                                                        \
    X(TAYLOR, "taylor")                                                                                      \
    X(FULL, "full")                                                                                          \
    X(ROUTED, "routed")                                                                                      \
    X(TRIANGLE, "triangle")                                                                                  \
    X(TRIANGLE_START_END, "triangle-start-end")                                                              \
    X(TRIANGLE_MULTIPLY, "triangle-multiply")                                                                \
    X(NONE, "none")                                                                                          \
    X(TRIPLE, "triple")
/* clang-format on */

/* The passes of triangle-multiply; all: through, outgoing, incoming, in this order. */
#define QUARTIC_TRIANGLE_PASSES_LIST(X)                                                                      \
    X(ALL, "all") X(THROUGH, "through") X(OUTGOING, "outgoing") X(INCOMING, "incoming")

/* Where triangle-start-end takes the third edge's bias for edge (i, j) and pivot l: the edges of the path
 * from j over l to i, or, as AlphaFold does, (j, l) and (l, i). */
#define QUARTIC_TRIANGLE_ORIENTATION_LIST(X) X(DEFAULT, "default") X(ALPHAFOLD, "alphafold")

#define QUARTIC_MODEL_FAMILY_ENUM(suffix, name)         QUARTIC_MODEL_##suffix,
#define QUARTIC_COMPATIBILITY_ENUM(suffix, name)        QUARTIC_COMPATIBILITY_##suffix,
#define QUARTIC_HYPER_CONNECTIONS_ENUM(suffix, name)    QUARTIC_HYPER_CONNECTIONS_##suffix,
#define QUARTIC_READOUT_ENUM(suffix, name)              QUARTIC_READOUT_##suffix,
#define QUARTIC_EDGE_ATTENTION_ENUM(suffix, name)       QUARTIC_EDGE_ATTENTION_##suffix,
#define QUARTIC_TRIANGLE_PASSES_ENUM(suffix, name)      QUARTIC_TRIANGLE_PASSES_##suffix,
#define QUARTIC_TRIANGLE_ORIENTATION_ENUM(suffix, name) QUARTIC_TRIANGLE_ORIENTATION_##suffix,
typedef enum quartic_model_family {
    QUARTIC_MODEL_FAMILY_LIST(QUARTIC_MODEL_FAMILY_ENUM)
} quartic_model_family;
typedef enum quartic_compatibility {
    QUARTIC_COMPATIBILITY_LIST(QUARTIC_COMPATIBILITY_ENUM)
} quartic_compatibility;
typedef enum quartic_hyper_connections {
    QUARTIC_HYPER_CONNECTIONS_LIST(QUARTIC_HYPER_CONNECTIONS_ENUM)
} quartic_hyper_connections;
typedef enum quartic_readout { QUARTIC_READOUT_LIST(QUARTIC_READOUT_ENUM) } quartic_readout;
typedef enum quartic_edge_attention {
    QUARTIC_EDGE_ATTENTION_LIST(QUARTIC_EDGE_ATTENTION_ENUM)
} quartic_edge_attention;
typedef enum quartic_triangle_passes {
    QUARTIC_TRIANGLE_PASSES_LIST(QUARTIC_TRIANGLE_PASSES_ENUM)
} quartic_triangle_passes;
typedef enum quartic_triangle_orientation {
    QUARTIC_TRIANGLE_ORIENTATION_LIST(QUARTIC_TRIANGLE_ORIENTATION_ENUM)
} quartic_triangle_orientation;
#undef QUARTIC_TRIANGLE_PASSES_ENUM
#undef QUARTIC_TRIANGLE_ORIENTATION_ENUM
#undef QUARTIC_MODEL_FAMILY_ENUM
#undef QUARTIC_COMPATIBILITY_ENUM
#undef QUARTIC_HYPER_CONNECTIONS_ENUM
#undef QUARTIC_READOUT_ENUM
#undef QUARTIC_EDGE_ATTENTION_ENUM

#define QUARTIC_MODEL_MOST_LAYERS 4096

/* Every field of a configuration. The names are also the JSON keys and the arguments of the constructor in
 * PyTorch.
 *   CHOICE(name, enum type, default, LIST macro, meaning)
 *   CHOICES(name, enum type, default, LIST macro, most, meaning)
 *     one choice or, if name_count is not 0, a list of 1 to `most` of them; in JSON a word or a list
 *   COUNT(name, default, least, most, meaning)      uint32_t
 *   FLAG(name, default, meaning)                    uint32_t, 0 or 1
 *   REAL(name, default, least, below, meaning)      float in [least, below)
 * The list has two parts, so that in the struct later fields come after all members of earlier versions. */
#define QUARTIC_MODEL_FIELD_LIST(CHOICE, CHOICES, COUNT, FLAG, REAL)                                         \
    QUARTIC_MODEL_FIRST_FIELD_LIST(CHOICE, CHOICES, COUNT, FLAG, REAL)                                       \
    QUARTIC_MODEL_LATER_FIELD_LIST(CHOICE, CHOICES, COUNT, FLAG, REAL)
#define QUARTIC_MODEL_FIRST_FIELD_LIST(CHOICE, CHOICES, COUNT, FLAG, REAL)                                   \
    CHOICE(model, quartic_model_family, QUARTIC_MODEL_QUARTIC, QUARTIC_MODEL_FAMILY_LIST, "the family")      \
    CHOICE(compatibility, quartic_compatibility, QUARTIC_COMPATIBILITY_DEFAULT, QUARTIC_COMPATIBILITY_LIST,  \
           "whose equations")                                                                                \
    COUNT(num_tokens, 0, 0, 16777216, "size of the vocabulary; must be given, unless nodes have features")   \
    COUNT(dim, 0, 1, 65536, "width of a node; must be given")                                                \
    COUNT(depth, 0, 1, QUARTIC_MODEL_MOST_LAYERS, "number of layers; must be given")                         \
    COUNT(dim_edges, 0, 0, 65536, "width of an edge; 0: as dim")                                             \
    COUNT(heads, 8, 1, 1024, "heads of the node attention")                                                  \
    COUNT(dim_head, 64, 1, 4096, "width of one of them")                                                     \
    COUNT(linear_heads, 16, 1, 1024, "heads of the edge attention axial, taylor")                            \
    COUNT(linear_dim_head, 16, 1, 1024, "width of one of them")                                              \
    COUNT(ff_mult, 4, 1, 64, "inner width of a feedforward, in multiples of its outer width")                \
    COUNT(max_seq_len, 2048, 1, 65536, "most tokens of a sequence")                                          \
    COUNT(num_residual_streams, 4, 1, 64, "streams of the hyper-connections; 1: plain residuals")            \
    REAL(dropout, 0.0f, 0.0f, 1.0f, "probability of zeroing, while training only")                           \
    FLAG(causal, 0, "node i sees nodes j <= i only")                                                         \
    FLAG(edges_diagonal_attn, 1, "nodes' own edges (i, i) attend to each other")                             \
    FLAG(ablate_edges, 0, "edges have no influence: the quadratic baseline")                                 \
    FLAG(static_edges, 0, "edges are a bias of the node attention that no layer changes: quartic models")    \
    CHOICES(edge_attention, quartic_edge_attention, QUARTIC_EDGE_ATTENTION_DEFAULT,                          \
            QUARTIC_EDGE_ATTENTION_LIST, QUARTIC_MODEL_MOST_LAYERS,                                          \
            "how edges attend to edges, in all layers or layer by layer")                                    \
    COUNT(edge_heads, 4, 1, 1024, "heads of the edge attention full, routed, triangle*, triple")             \
    COUNT(edge_dim_head, 32, 1, 256, "width of one of them")                                                 \
    COUNT(num_routed, 0, 0, 16777216, "edges that routed chooses (causal: by row); 0: as many as nodes")     \
    REAL(routed_k_ratio, 1.125f, 1.0f, 1024.0f, "soft choice of num_routed times as many edges")             \
    COUNT(routed_iterations, 20, 1, 256, "rounds of coordinate descent")                                     \
    REAL(routed_eps, 0.1f, 1e-3f, 1e3f, "softness of the choice")                                            \
    REAL(routed_eps_init, 0.0f, 0.0f, 1e3f, "softness of the first round; 0: routed_eps throughout")         \
    REAL(routed_eps_decay, 1.0f, 1e-3f, 1.0000001f, "factor of the softness after each round")               \
    CHOICES(triangle_directions, quartic_triangle_passes, QUARTIC_TRIANGLE_PASSES_ALL,                       \
            QUARTIC_TRIANGLE_PASSES_LIST, 3, "passes of triangle-multiply")                                  \
    CHOICE(triangle_orientation, quartic_triangle_orientation, QUARTIC_TRIANGLE_ORIENTATION_DEFAULT,         \
           QUARTIC_TRIANGLE_ORIENTATION_LIST, "third edges of triangle-start-end")                           \
    COUNT(dim_node_features, 0, 0, 65536, "width of given node features, in the place of tokens; 0: tokens") \
    COUNT(num_edge_types, 0, 0, 16777216, "kinds of given edges; 0: no types are given")                     \
    COUNT(dim_edge_features, 0, 0, 65536, "width of given edge features; 0: none are given")                 \
    FLAG(positions, 1, "nodes have positions 0..n-1; without, their order has no meaning")                   \
    CHOICE(readout, quartic_readout, QUARTIC_READOUT_NODE, QUARTIC_READOUT_LIST, "what gets logits")         \
    COUNT(num_classes, 0, 0, 16777216, "logits of one; 0: num_tokens")                                       \
    COUNT(num_streams, 2, 1, 64, "streams of a multi-stream model")                                          \
    FLAG(parallel_streams, 0, "streams have layers of their own, between a common first and last one")       \
    FLAG(stream_skip, 1, "parallel streams: the first layer's output is added to their sum")                 \
    FLAG(separate_stream_emb, 1, "streams have embeddings of their own, else a vector added to shared ones") \
    FLAG(pre_talking_heads, 1, "streams' heads exchange their logits before softmax")                        \
    FLAG(post_talking_heads, 1, "streams' heads exchange their maps after softmax")                          \
    FLAG(non_linear_talking_heads, 0, "both exchanges are a feedforward instead of a matrix")                \
    FLAG(residual_talking_heads, 0, "logits get those of the layer before, mixed over all heads")            \
    FLAG(ablate_cross_stream_talking_heads, 0, "heads exchange within their own stream only")                \
    REAL(diversity_loss, 0.0f, 0.0f, 1e6f, "factor of the streams' diversity loss in the loss; 0: none")
#define QUARTIC_MODEL_LATER_FIELD_LIST(CHOICE, CHOICES, COUNT, FLAG, REAL)                                   \
    CHOICE(hyper_connections, quartic_hyper_connections, QUARTIC_HYPER_CONNECTIONS_MIXED,                    \
           QUARTIC_HYPER_CONNECTIONS_LIST, "residual streams past a branch; unmixed: weights of 2025")

typedef struct quartic_model_config {
    size_t struct_size;
#define QUARTIC_MODEL_CHOICE_FIELD(name, type, standard, list, meaning) type name;
#define QUARTIC_MODEL_CHOICES_FIELD(name, type, standard, list, most, meaning)                               \
    type name;             /* where name_count is 0 */                                                       \
    uint32_t name##_count; /* of name_list */                                                                \
    uint8_t name##_list[most];
#define QUARTIC_MODEL_COUNT_FIELD(name, standard, least, most, meaning) uint32_t name;
#define QUARTIC_MODEL_FLAG_FIELD(name, standard, meaning)               uint32_t name;
#define QUARTIC_MODEL_REAL_FIELD(name, standard, least, below, meaning) float name;
    QUARTIC_MODEL_FIRST_FIELD_LIST(QUARTIC_MODEL_CHOICE_FIELD, QUARTIC_MODEL_CHOICES_FIELD,
                                   QUARTIC_MODEL_COUNT_FIELD, QUARTIC_MODEL_FLAG_FIELD,
                                   QUARTIC_MODEL_REAL_FIELD)
    /* Not in JSON: the caller's float32 memory for the weights, of quartic_model_config_weights elements,
     * which must outlive the model; NULL: the model's own. */
    quartic_tensor *weights;
    uint32_t cached_programs; /* not in JSON: how many compiled programs are kept; 0: 4 */
    uint32_t unused; /* keeps what follows out of the padding at the end of earlier versions' struct */
    QUARTIC_MODEL_LATER_FIELD_LIST(QUARTIC_MODEL_CHOICE_FIELD, QUARTIC_MODEL_CHOICES_FIELD,
                                   QUARTIC_MODEL_COUNT_FIELD, QUARTIC_MODEL_FLAG_FIELD,
                                   QUARTIC_MODEL_REAL_FIELD)
#undef QUARTIC_MODEL_CHOICE_FIELD
#undef QUARTIC_MODEL_CHOICES_FIELD
#undef QUARTIC_MODEL_COUNT_FIELD
#undef QUARTIC_MODEL_FLAG_FIELD
#undef QUARTIC_MODEL_REAL_FIELD
} quartic_model_config;

#define QUARTIC_MODEL_CHOICE_DEFAULT(name, type, standard, list, meaning)        standard,
#define QUARTIC_MODEL_CHOICES_DEFAULT(name, type, standard, list, most, meaning) standard, 0, {0},
#define QUARTIC_MODEL_COUNT_DEFAULT(name, standard, least, most, meaning)        standard,
#define QUARTIC_MODEL_FLAG_DEFAULT(name, standard, meaning)                      standard,
#define QUARTIC_MODEL_REAL_DEFAULT(name, standard, least, below, meaning)        standard,
/* Every field at its default; num_tokens, dim and depth have none and must be set. */
#define QUARTIC_MODEL_CONFIG_INIT                                                                            \
    {                                                                                                        \
        sizeof(quartic_model_config),                                                                        \
            QUARTIC_MODEL_FIRST_FIELD_LIST(QUARTIC_MODEL_CHOICE_DEFAULT, QUARTIC_MODEL_CHOICES_DEFAULT,      \
                                           QUARTIC_MODEL_COUNT_DEFAULT, QUARTIC_MODEL_FLAG_DEFAULT,          \
                                           QUARTIC_MODEL_REAL_DEFAULT) 0,                                    \
            0, 0,                                                                                            \
            QUARTIC_MODEL_LATER_FIELD_LIST(QUARTIC_MODEL_CHOICE_DEFAULT, QUARTIC_MODEL_CHOICES_DEFAULT,      \
                                           QUARTIC_MODEL_COUNT_DEFAULT, QUARTIC_MODEL_FLAG_DEFAULT,          \
                                           QUARTIC_MODEL_REAL_DEFAULT)                                       \
    }

/* Sets the fields of *inout_config, which starts from the INIT macro, that a JSON object has as keys; null
 * leaves a field as it is. Errors, with *inout_config untouched: FORMAT for text that is no JSON object,
 * INVALID_ARGUMENT for an unknown key (the nearest known one is named), a wrong type or a number out of
 * range, a key that stands twice, a zero byte, or a value that a caller's smaller struct has no member for.
 * The text is UTF-8, with or without a byte-order mark. */
QUARTIC_API quartic_status quartic_model_config_read_json(quartic_model_config *inout_config,
                                                          const char *text);
/* The same from a file. Errors also: IO. */
QUARTIC_API quartic_status quartic_model_config_read_json_file(quartic_model_config *inout_config,
                                                               const char *path);
/* Writes all fields as a JSON object, with a final 0, to a buffer of `capacity` bytes. *out_bytes gets the
 * bytes that it takes; out_bytes may be NULL, and so may out_text. Errors: INVALID_ARGUMENT if the buffer is
 * too small, which then gets nothing; OUT_OF_MEMORY. */
QUARTIC_API quartic_status quartic_model_config_write_json(const quartic_model_config *config, char *out_text,
                                                           size_t capacity, size_t *out_bytes);
/* Returns OK, or INVALID_ARGUMENT and what is wrong with the configuration: a missing or impossible value, or
 * a switch or choice that such a family would not read (parallel_streams of quartic) or that another makes
 * void (ablate_edges with triangle). Sizes of parts that a model does not have (linear_heads,
 * num_residual_streams, ..), and details of a form of edge attention that no layer has, are not looked at. */
QUARTIC_API quartic_status quartic_model_config_check(const quartic_model_config *config);
/* Returns OK if two configurations mean the same model, defaults and derived values filled in and every entry
 * of lists compared. Errors: INVALID_ARGUMENT, as for the check, or naming the first key that differs with
 * both values; name and other_name say where they come from, such as "run.json" and "the checkpoint". */
QUARTIC_API quartic_status quartic_model_config_compare(const quartic_model_config *config, const char *name,
                                                        const quartic_model_config *other,
                                                        const char *other_name);
/* Gives the number of elements of the flat weight tensor, alignment included. Errors: as the check,
 * OUT_OF_MEMORY. */
QUARTIC_API quartic_status quartic_model_config_weights(const quartic_model_config *config,
                                                        uint64_t *out_elements);

/* ---- models: stable ---- */

typedef struct quartic_model quartic_model;

/* Makes a model; the caller destroys it. Its own weights start as quartic_model_initialise(model, 0) sets
 * them; weights in the caller's memory are left as they are. After an error *out_model is NULL. Errors:
 * INVALID_ARGUMENT (also weights on another device), SHAPE_MISMATCH (weights of another size), OUT_OF_MEMORY,
 * OUT_OF_DEVICE_MEMORY. */
QUARTIC_API quartic_status quartic_model_create(quartic_device *device, const quartic_model_config *config,
                                                quartic_model **out_model);
/* Makes a model from a safetensors file that has a configuration in its metadata, as model files and
 * checkpoints do; the caller destroys it. Errors: as create and load; FORMAT if there is no configuration;
 * then *out_model is NULL. */
QUARTIC_API quartic_status quartic_model_open(quartic_device *device, const char *path,
                                              quartic_model **out_model);
/* Frees the model and its weights; NULL is fine. Trainers of it, and programs that bind the weights, must
 * have been destroyed. */
QUARTIC_API void quartic_model_destroy(quartic_model *model);

/* Returns the configuration with derived values filled in (dim_edges), owned by the model; NULL for NULL. */
QUARTIC_API const quartic_model_config *quartic_model_get_config(const quartic_model *model);
/* Returns the device that it was created on, which is the caller's; NULL for NULL. */
QUARTIC_API quartic_device *quartic_model_device(const quartic_model *model);

/* Draws all weights as PyTorch's layers would be initialised, from the library's own counter-based generator:
 * the same seed gives the same bits on every device. Errors: OUT_OF_MEMORY, DEVICE_LOST. */
QUARTIC_API quartic_status quartic_model_initialise(quartic_model *model, uint64_t seed);

/* ---- weights: stable ---- */

typedef struct quartic_model_parameter {
    const char *name;    /* owned by the model */
    quartic_shape shape; /* as in PyTorch */
    uint64_t elements;
    uint64_t offset; /* of its first element in the flat weight tensor; a multiple of 64 */
} quartic_model_parameter;

/* Returns the number of weight tensors; 0 for NULL. */
QUARTIC_API uint32_t quartic_model_parameter_count(const quartic_model *model);
/* Returns the number of weights, without alignment; 0 for NULL. */
QUARTIC_API uint64_t quartic_model_parameter_elements(const quartic_model *model);
/* Gives the weight tensor with that index, in the order of use. Errors: INVALID_ARGUMENT (also an index that
 * is not below the count). */
QUARTIC_API quartic_status quartic_model_get_parameter(const quartic_model *model, uint32_t index,
                                                       quartic_model_parameter *out_parameter);
/* The same by name. Errors: INVALID_ARGUMENT, naming the nearest name. */
QUARTIC_API quartic_status quartic_model_find_parameter(const quartic_model *model, const char *name,
                                                        quartic_model_parameter *out_parameter);

/* Copy one weight tensor to or from host memory. Errors: INVALID_ARGUMENT (unknown name), SHAPE_MISMATCH if
 * elements is not its size; when writing also NON_FINITE for NaN and infinity. */
QUARTIC_API quartic_status quartic_model_read_parameter(const quartic_model *model, const char *name,
                                                        float *out_numbers, uint64_t elements);
QUARTIC_API quartic_status quartic_model_write_parameter(quartic_model *model, const char *name,
                                                         const float *numbers, uint64_t elements);

/* Returns the flat weight tensor (see quartic_model_parameter.offset), owned by the model or, if
 * config.weights was given, by the caller; NULL for NULL. */
QUARTIC_API quartic_tensor *quartic_model_weights(const quartic_model *model);

/* Loads weights from a safetensors file: each of the model's tensors as F32, F64, F16 or BF16 under its name.
 * Errors, with the model untouched: IO, FORMAT (no safetensors, missing or extra tensors, wrong element
 * type), SHAPE_MISMATCH with both shapes, NON_FINITE. What a trainer saved beside the weights is skipped.
 * A prefix that every name in the file has, as wrappers like torch.compile ("_orig_mod.") and DataParallel
 * ("module.") put it there, is left out; quartic_model_loaded_prefix returns it. */
QUARTIC_API quartic_status quartic_model_load(quartic_model *model, const char *path);
/* Returns the prefix that was left out when the weights were last loaded (or the model opened), such as
 * "_orig_mod.module."; "" if there was none or nothing was loaded. Owned by the model, valid until the next
 * load. */
QUARTIC_API const char *quartic_model_loaded_prefix(const quartic_model *model);
/* Saves weights and configuration to a safetensors file, which it replaces as quartic_file_save does. Errors,
 * with the file untouched: IO; NON_FINITE, naming a weight that is infinite or NaN, for no such file could be
 * loaded. */
QUARTIC_API quartic_status quartic_model_save(const quartic_model *model, const char *path);

/* ---- running: stable ---- */

/* The calls below are for models of tokens without given edges; quartic_model_batch is for all models. */

/* Computes logits, float (batch, length, num_classes); for other read-outs quartic_model_logit_rows has their
 * number. mask may be NULL. Errors: INVALID_ARGUMENT with the figures (a token out of range, more tokens than
 * max_seq_len), OUT_OF_MEMORY, OUT_OF_DEVICE_MEMORY, NON_FINITE (naming the first logit). */
QUARTIC_API quartic_status quartic_model_forward(quartic_model *model, uint32_t batch, uint32_t length,
                                                 const int32_t *tokens, const uint8_t *mask,
                                                 float *out_logits);

/* What a forward pass can give: the caller's memory for each, or NULL to leave it out. */
typedef struct quartic_model_readout {
    size_t struct_size;
    float *logits;    /* as of quartic_model_forward */
    float *attention; /* (depth, batch, heads, i, j): node attention after softmax, node i looking at node j;
                           of a multi-stream model the heads of all streams, stream by stream */
    float *edges;     /* (depth, batch, i, j, dim_edges): the edges after each layer */
    float *diversity; /* a number: the streams' diversity loss, whatever its factor in the loss */
} quartic_model_readout;
#define QUARTIC_MODEL_READOUT_INIT                                                                           \
    { sizeof(quartic_model_readout), 0, 0, 0, 0 }

/* Returns the number of attention maps of each layer in a readout: heads, of a multi-stream model num_streams
 * * heads; 0 for NULL. */
QUARTIC_API uint32_t quartic_model_attention_heads(const quartic_model *model);

/* Makes a forward pass that fills what the readout points to. Errors: as forward; UNSUPPORTED for what a
 * family lacks. */
QUARTIC_API quartic_status quartic_model_inspect(quartic_model *model, uint32_t batch, uint32_t length,
                                                 const int32_t *tokens, const uint8_t *mask,
                                                 const quartic_model_readout *readout);

/* Gives the mean cross entropy over the targets >= 0 (0 if there is none), in nats per target, plus
 * diversity_loss times the diversity loss of the streams if the configuration has that factor. Errors: as
 * forward; INVALID_ARGUMENT for a target that is not below num_classes. */
QUARTIC_API quartic_status quartic_model_loss(quartic_model *model, uint32_t batch, uint32_t length,
                                              const int32_t *tokens, const int32_t *targets,
                                              const uint8_t *mask, float *out_loss);

/* Gives the loss, and computes the gradients of the loss with respect to every weight, without dropout: read
 * them by name before the next call that computes gradients. Errors: as for the loss; NON_FINITE, naming a
 * gradient that is infinite or NaN; after that, or a failure of the device, there are none to be read, but a
 * call that is refused (a token out of range, no memory to compile) leaves those of the call before. */
QUARTIC_API quartic_status quartic_model_gradients(quartic_model *model, uint32_t batch, uint32_t length,
                                                   const int32_t *tokens, const int32_t *targets,
                                                   const uint8_t *mask, float *out_loss);
/* Copies the gradient of one weight tensor to host memory. Errors: INVALID_ARGUMENT (an unknown name, or no
 * gradients computed yet), SHAPE_MISMATCH (elements is not its size). */
QUARTIC_API quartic_status quartic_model_read_gradient(const quartic_model *model, const char *name,
                                                       float *out_numbers, uint64_t elements);

/* Graphs of up to `length` nodes, or sequences, in the caller's memory. What the configuration asks for must
 * be given, all else must be NULL. */
typedef struct quartic_model_batch {
    size_t struct_size;
    uint32_t batch, length;
    const int32_t *tokens;      /* (batch, length), if dim_node_features is 0 */
    const float *node_features; /* (batch, length, dim_node_features), else */
    const int32_t *edge_types;  /* (batch, i, j) in [0, num_edge_types), if that is not 0: of the edge that i
                                   sees  from j; a negative one adds nothing */
    const float *edge_features; /* (batch, i, j, dim_edge_features), if that is not 0 */
    const uint8_t *mask;        /* (batch, length), 1 = real, or NULL: no padding */
    const int32_t *targets;     /* as many as rows of logits; only for losses, else NULL is fine */
} quartic_model_batch;
#define QUARTIC_MODEL_BATCH_INIT                                                                             \
    { sizeof(quartic_model_batch), 0, 0, 0, 0, 0, 0, 0, 0 }

/* Returns the rows of logits of such a batch, each num_classes wide: batch * length for nodes, batch * length
 * * length for edges, batch for graphs; 0 for NULL. */
QUARTIC_API uint64_t quartic_model_logit_rows(const quartic_model *model, uint32_t batch, uint32_t length);

/* The same as the calls of these names above. Errors: theirs; INVALID_ARGUMENT for what is missing or not
 * asked for, an edge type out of range, and for a graph read-out a graph without a real node; NON_FINITE for
 * features. */
QUARTIC_API quartic_status quartic_model_forward_batch(quartic_model *model, const quartic_model_batch *batch,
                                                       float *out_logits);
QUARTIC_API quartic_status quartic_model_inspect_batch(quartic_model *model, const quartic_model_batch *batch,
                                                       const quartic_model_readout *readout);
QUARTIC_API quartic_status quartic_model_loss_batch(quartic_model *model, const quartic_model_batch *batch,
                                                    float *out_loss);
QUARTIC_API quartic_status quartic_model_gradients_batch(quartic_model *model,
                                                         const quartic_model_batch *batch, float *out_loss);

/* ---- memory, and models in graphs of the caller: unstable ---- */

/* Gives the device memory that a call needs besides the weights, without compiling anything: a forward pass,
 * or gradients if with_gradients is 1. Errors: as the call. Never submits. */
QUARTIC_API quartic_status quartic_model_measure(const quartic_model *model, uint32_t batch, uint32_t length,
                                                 uint32_t masked, uint32_t with_gradients,
                                                 quartic_program_memory *out_memory);

/* Appends the forward pass to the caller's graph, as the builders of graph.h do, and returns the logits (b,
 * n, num_tokens), or no value after an error (see quartic_graph_status). parameters: float32 with the flat
 * weight tensor's element count (usually a graph parameter to be bound to quartic_model_weights); tokens:
 * int32 (b, n); mask: int32 (b, n), 1 = real, or no value. For models of tokens without given edges. */
QUARTIC_API quartic_value quartic_model_append(const quartic_model *model, quartic_graph *graph,
                                               quartic_value parameters, quartic_value tokens,
                                               quartic_value mask);

/* The inputs of any model. What the configuration asks for must be given, all else must be no value. */
typedef struct quartic_model_inputs {
    size_t struct_size;          /* as of options: see quartic_matmul_options */
    quartic_value tokens;        /* int32 (b, n) */
    quartic_value node_features; /* (b, n, dim_node_features) */
    quartic_value edge_types;    /* int32 (b, i, j) */
    quartic_value edge_features; /* (b, i, j, dim_edge_features) */
    quartic_value mask;          /* int32 (b, n), 1 = real, or no value */
} quartic_model_inputs;
#define QUARTIC_MODEL_INPUTS_INIT                                                                            \
    {                                                                                                        \
        sizeof(quartic_model_inputs), {0, 0}, {0, 0}, {0, 0}, {0, 0}, {                                      \
            0, 0                                                                                             \
        }                                                                                                    \
    }
/* Declares the inputs of `batch` sequences or graphs of `length` nodes in the caller's graph: "tokens" or
 * "node_features", "edge_types", "edge_features" as the configuration asks for, and "mask" if masked is 1.
 * *out_inputs, which quartic_model_append_inputs takes, gets them as values. Errors, with *out_inputs
 * untouched: those of the graph; INVALID_ARGUMENT for more nodes than max_seq_len. */
QUARTIC_API quartic_status quartic_model_declare_inputs(const quartic_model *model, quartic_graph *graph,
                                                        uint32_t batch, uint32_t length, uint32_t masked,
                                                        quartic_model_inputs *out_inputs);
/* quartic_model_append for all models. Errors also: INVALID_ARGUMENT for inputs that are missing or not asked
 * for. */
QUARTIC_API quartic_value quartic_model_append_inputs(const quartic_model *model, quartic_graph *graph,
                                                      quartic_value parameters,
                                                      const quartic_model_inputs *inputs);

#ifdef __cplusplus
}
#endif
#endif

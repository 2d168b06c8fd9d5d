/* 08_pair_representation.c: a block of AlphaFold's pair representation from the public graph API.
 *
 * Edges z (b, i, j, C) pass through triangle multiplication (outgoing, then incoming), triangle attention
 * around the starting and the ending node, and a feedforward, each with its residual (Jumper et al. 2021,
 * algorithms 11 to 15, with rms for layer norm). The block is trained on a task of composition: given random
 * relations r_ij in {-1, 1}, classify every edge by whether over more than half of the pivots l the signs of
 * (i, l) and (l, j) agree. New here: quartic_triangle_attention, quartic_edge_keep, batched products over
 * channels, weights cut from one flat parameter. Usage: 08_pair_representation [device]
 */
#include <math.h>
#include <quartic/quartic.h>
#include <stdio.h>
#include <stdlib.h>

enum { B = 2, N = 7, C = 8, HEADS = 2, WIDTH = 4, STEPS = 60, MOST_WEIGHTS = 8192 };

static void check(quartic_status status) {
    if (status == QUARTIC_OK) return;
    fprintf(stderr, "%s: %s\n", quartic_status_name(status), quartic_error_message());
    exit(1);
}

/* The graph, its flat weights, and how many of them are used. */
typedef struct block {
    quartic_graph *graph;
    quartic_value weights, mask;
    uint32_t used;
} block;

static const quartic_value none = {0};

/* y = x W^T with the next out * in weights; in is x's last extent. */
static quartic_value project_edges(block *b, quartic_value x, uint32_t out) {
    const quartic_shape shape = quartic_graph_shape(b->graph, x);
    const uint32_t in = shape.dims[shape.rank - 1];
    quartic_value weight = quartic_slice(b->graph, b->weights, 0, b->used, out * in);
    b->used += out * in;
    return quartic_linear(b->graph, x, quartic_reshape(b->graph, weight, &QUARTIC_SHAPE(out, in)), none);
}

static quartic_value gate_edges(block *b, quartic_value x, uint32_t out) {
    return quartic_sigmoid(b->graph, project_edges(b, x, out));
}

/* Each channel as a matrix (b, c, i, j), zero at masked edges. */
static quartic_value masked_channels(block *b, quartic_value x) {
    quartic_value gated = quartic_multiply(b->graph, gate_edges(b, x, C), project_edges(b, x, C));
    gated = quartic_edge_keep(b->graph, gated, b->mask, QUARTIC_EDGES_ALL);
    return quartic_permute(b->graph, gated, (const uint32_t[]){0, 3, 1, 2});
}

/* Triangle multiplication, with the residual:
 *
 *   outgoing   t_ij = sum_l a_il b_jl
 *   incoming   t_ij = sum_l a_li b_lj
 */
static quartic_value multiply_triangles(block *b, quartic_value z, uint32_t outgoing) {
    quartic_graph *graph = b->graph;
    quartic_value x = quartic_rms_norm(graph, z, none, 1e-5f); /* (b, i, j, C) */
    quartic_matmul_options product = QUARTIC_MATMUL_OPTIONS_INIT;
    product.transpose_a = !outgoing;
    product.transpose_b = outgoing;
    quartic_value left = masked_channels(b, x), right = masked_channels(b, x);
    quartic_value t = quartic_matmul(graph, left, right, &product); /* (b, c, i, j) */
    t = quartic_permute(graph, t, (const uint32_t[]){0, 2, 3, 1});  /* (b, i, j, c) */
    t = project_edges(b, quartic_rms_norm(graph, t, none, 1e-5f), C);
    return quartic_add(graph, z, quartic_multiply(graph, gate_edges(b, x, C), t));
}

/* Triangle attention around the starting or the ending node, with the residual. */
static quartic_value attend_triangles(block *b, quartic_value z, quartic_triangle_kind kind) {
    quartic_graph *graph = b->graph;
    const quartic_shape heads = QUARTIC_SHAPE(B, N, N, HEADS, WIDTH), edges = QUARTIC_SHAPE(B, N, N, C);
    quartic_value x = quartic_rms_norm(graph, z, none, 1e-5f), parts[3];
    for (int p = 0; p < 3; ++p)
        parts[p] = quartic_reshape(graph, project_edges(b, x, HEADS * WIDTH), &heads); /* q, k, v */
    quartic_value bias = project_edges(b, x, HEADS);                                   /* (b, i, j, heads) */
    const quartic_triangle_options options = {.kind = kind, .scale = 0.5f};            /* WIDTH^(-1/2) */
    quartic_value out =
        quartic_triangle_attention(graph, parts[0], parts[1], parts[2], none, bias, b->mask, &options);
    out = quartic_multiply(graph, quartic_reshape(graph, out, &edges), gate_edges(b, x, HEADS * WIDTH));
    return quartic_add(graph, z, project_edges(b, out, C));
}

static quartic_value pair_feedforward(block *b, quartic_value z) {
    quartic_value x = quartic_rms_norm(b->graph, z, none, 1e-5f);
    return quartic_add(b->graph, z, project_edges(b, quartic_gelu(b->graph, project_edges(b, x, 2 * C)), C));
}

static quartic_program *build_pair_training(quartic_device *device) {
    block b = {0};
    check(quartic_graph_create(&b.graph));
    const quartic_shape flat = QUARTIC_SHAPE(MOST_WEIGHTS), eight = QUARTIC_SHAPE(8);
    const quartic_shape relations = QUARTIC_SHAPE(B, N, N, 1), nodes = QUARTIC_SHAPE(B, N);
    const quartic_shape rows = QUARTIC_SHAPE(B * N * N), logit_rows = QUARTIC_SHAPE(B * N * N, 2);
    b.weights = quartic_graph_parameter(b.graph, "weights", &flat);
    b.mask = quartic_graph_input(b.graph, "mask", QUARTIC_INT32, &nodes);
    quartic_value z = quartic_graph_input(b.graph, "relations", QUARTIC_FLOAT32, &relations);
    quartic_value labels = quartic_graph_input(b.graph, "labels", QUARTIC_INT32, &rows);
    quartic_value hyper = quartic_graph_input(b.graph, "hyper", QUARTIC_FLOAT32, &eight);
    quartic_value first = quartic_graph_state(b.graph, "first_moment", QUARTIC_FLOAT32, &flat);
    quartic_value second = quartic_graph_state(b.graph, "second_moment", QUARTIC_FLOAT32, &flat);

    z = project_edges(&b, z, C); /* (b, i, j, C) */
    z = multiply_triangles(&b, z, 1);
    z = multiply_triangles(&b, z, 0);
    z = attend_triangles(&b, z, QUARTIC_TRIANGLE_START);
    z = attend_triangles(&b, z, QUARTIC_TRIANGLE_END);
    z = pair_feedforward(&b, z);
    quartic_value logits = project_edges(&b, quartic_rms_norm(b.graph, z, none, 1e-5f), 2);
    quartic_value loss =
        quartic_cross_entropy(b.graph, quartic_reshape(b.graph, logits, &logit_rows), labels);
    quartic_graph_output(b.graph, "loss", loss);
    quartic_value gradient = none;
    check(quartic_graph_gradients(b.graph, loss, none, &b.weights, 1, &gradient));
    quartic_adamw(b.graph, b.weights, gradient, first, second, hyper, none, 1.0f);
    printf("%u weights\n", b.used);

    quartic_program *program = NULL;
    check(quartic_program_create(device, b.graph, NULL, &program));
    quartic_graph_destroy(b.graph);
    return program;
}

static void write_tensor(quartic_program *program, const char *name, const void *data, size_t bytes) {
    check(quartic_tensor_write(quartic_program_tensor(program, name), data, bytes));
}

/* A pseudo-random number in (-1, 1); the same sequence in every run. */
static float noise(void) {
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / 8388608.0f - 1.0f;
}

int main(int argc, char **argv) {
    quartic_device *device = NULL;
    check(quartic_device_create(argc > 1 ? argv[1] : "cpu", &device));
    quartic_program *program = build_pair_training(device);

    static float relations[B][N][N], weights[MOST_WEIGHTS];
    static int32_t labels[B][N][N], mask[B][N];
    for (int b = 0; b < B; ++b) {
        for (int i = 0; i < N; ++i) {
            mask[b][i] = b == 0 || i < N - 2; /* the second graph has two nodes of padding */
            for (int j = 0; j < N; ++j) relations[b][i][j] = noise() < 0 ? -1.0f : 1.0f;
        }
        for (int i = 0; i < N; ++i)
            for (int j = 0; j < N; ++j) {
                float sum = 0;
                for (int l = 0; l < N; ++l)
                    if (mask[b][l]) sum += relations[b][i][l] * relations[b][l][j];
                labels[b][i][j] = mask[b][i] && mask[b][j] ? sum > 0 : -1; /* -1: ignored */
            }
    }
    for (int w = 0; w < MOST_WEIGHTS; ++w) weights[w] = 0.5f * noise();
    write_tensor(program, "relations", relations, sizeof relations);
    write_tensor(program, "labels", labels, sizeof labels);
    write_tensor(program, "mask", mask, sizeof mask);
    write_tensor(program, "weights", weights, sizeof weights);

    float loss = 0;
    for (int step = 1; step <= STEPS; ++step) {
        const float t = (float)step;
        const float hyper[8] = {0.02f, 0.9f, 0.999f, 1e-8f, 0, 1 - powf(0.9f, t), 1 - powf(0.999f, t), 0};
        write_tensor(program, "hyper", hyper, sizeof hyper);
        check(quartic_program_run(program));
        check(quartic_tensor_read(quartic_program_tensor(program, "loss"), &loss, sizeof loss));
        if (step == 1 || step % 20 == 0) printf("step %2d  loss %.4f\n", step, (double)loss);
    }
    quartic_program_destroy(program);
    quartic_device_destroy(device);
    return loss < 0.3f ? 0 : 1;
}

/* 07_stream_exchange.c: a model of your own with streams of your own, whose heads exchange.
 *
 * Each example has a row of symbols and a row of marks, one of which is set. The first stream sees only the
 * symbols, the second only the marks, and the first must output the marked symbol. The first does not know
 * which symbol is marked, the second does not know the symbols: they can only solve the task by exchanging
 * their logits of attention. The program trains the model with and without exchange. New here:
 * quartic_stream_feedforward, several attentions in one tensor. Usage: 07_stream_exchange [device]
 */
#include <math.h>
#include <quartic/quartic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 32, N = 12, SYMBOLS = 8, STREAMS = 2, HEADS = 2, WIDTH = 8, DIM = 16, STEPS = 120 };
enum { ALL_HEADS = STREAMS * HEADS, HIDDEN = 2 * ALL_HEADS, INNER = HEADS * WIDTH };

static void check(quartic_status status) {
    if (status == QUARTIC_OK) return;
    fprintf(stderr, "%s: %s\n", quartic_status_name(status), quartic_error_message());
    exit(1);
}

/* One flat parameter is cut into weights in the order in which they are asked for. */
typedef struct cutter {
    quartic_graph *graph;
    quartic_value weights;
    uint32_t used;
} cutter;

static quartic_value cut_weight(cutter *from, quartic_shape shape) {
    const uint32_t count = (uint32_t)quartic_shape_elements(&shape);
    quartic_value slice = quartic_slice(from->graph, from->weights, 0, from->used, count);
    from->used += count;
    return quartic_reshape(from->graph, slice, &shape);
}

enum {
    WEIGHTS = (SYMBOLS + 2) * DIM + 3 * INNER * DIM + ALL_HEADS + 2 * HIDDEN * ALL_HEADS + SYMBOLS * INNER
};

static quartic_value build_logits(cutter *from, quartic_value symbols, quartic_value marks, bool exchanging) {
    quartic_graph *graph = from->graph;
    const quartic_value none = {0};
    const quartic_shape one_stream = QUARTIC_SHAPE(BATCH, 1, N, DIM);
    const quartic_value streams[STREAMS] = {
        quartic_reshape(graph,
                        quartic_embedding(graph, cut_weight(from, QUARTIC_SHAPE(SYMBOLS, DIM)), symbols),
                        &one_stream),
        quartic_reshape(graph, quartic_embedding(graph, cut_weight(from, QUARTIC_SHAPE(2, DIM)), marks),
                        &one_stream)};
    quartic_value x = quartic_concat(graph, streams, STREAMS, 1); /* (b, S, n, D) */

    /* Queries, keys and values of all streams and heads: (3, b, S, h, n, d). */
    const quartic_shape packed = QUARTIC_SHAPE(BATCH, STREAMS, N, 3, HEADS, WIDTH);
    const uint32_t heads_first[] = {3, 0, 1, 4, 2, 5};
    quartic_value qkv = quartic_linear(graph, x, cut_weight(from, QUARTIC_SHAPE(3 * INNER, DIM)), none);
    qkv = quartic_permute(graph, quartic_reshape(graph, qkv, &packed), heads_first);

    quartic_matmul_options score = QUARTIC_MATMUL_OPTIONS_INIT;
    score.transpose_b = 1;
    score.alpha = 1.0f / sqrtf(WIDTH);
    quartic_value map =
        quartic_matmul(graph, quartic_slice(graph, qkv, 0, 0, 1), quartic_slice(graph, qkv, 0, 1, 1), &score);
    map = quartic_reshape(graph, map, &QUARTIC_SHAPE(BATCH, ALL_HEADS, N, N)); /* (b, S h, i, j) */

    /* At every (i, j) a small network sees the logits of all heads of both streams. */
    quartic_value scale = cut_weight(from, QUARTIC_SHAPE(ALL_HEADS));
    quartic_value w1 = cut_weight(from, QUARTIC_SHAPE(HIDDEN, ALL_HEADS));
    quartic_value w2 = cut_weight(from, QUARTIC_SHAPE(ALL_HEADS, HIDDEN));
    if (exchanging) map = quartic_stream_feedforward(graph, map, scale, w1, w2, 1e-5f);
    map = quartic_softmax(graph, map, none, 0);

    /* What the first stream sees from its first place. */
    map = quartic_reshape(graph, map, &QUARTIC_SHAPE(1, BATCH, STREAMS, HEADS, N, N));
    map = quartic_slice(graph, quartic_slice(graph, map, 2, 0, 1), 4, 0, 1);
    quartic_value values = quartic_slice(graph, quartic_slice(graph, qkv, 0, 2, 1), 2, 0, 1);
    quartic_value seen = quartic_matmul(graph, map, values, NULL); /* (1, b, 1, h, 1, d) */
    seen = quartic_reshape(graph, seen, &QUARTIC_SHAPE(BATCH, INNER));
    return quartic_linear(graph, seen, cut_weight(from, QUARTIC_SHAPE(SYMBOLS, INNER)), none);
}

static quartic_program *build_training(quartic_device *device, bool exchanging) {
    quartic_graph *graph = NULL;
    check(quartic_graph_create(&graph));
    const quartic_shape flat = QUARTIC_SHAPE(WEIGHTS), eight = QUARTIC_SHAPE(8), rows = QUARTIC_SHAPE(BATCH);
    const quartic_shape tokens = QUARTIC_SHAPE(BATCH, N);
    quartic_value symbols = quartic_graph_input(graph, "symbols", QUARTIC_INT32, &tokens);
    quartic_value marks = quartic_graph_input(graph, "marks", QUARTIC_INT32, &tokens);
    quartic_value targets = quartic_graph_input(graph, "targets", QUARTIC_INT32, &rows);
    quartic_value hyper = quartic_graph_input(graph, "hyper", QUARTIC_FLOAT32, &eight);
    quartic_value weights = quartic_graph_parameter(graph, "weights", &flat);
    quartic_value first = quartic_graph_state(graph, "first_moment", QUARTIC_FLOAT32, &flat);
    quartic_value second = quartic_graph_state(graph, "second_moment", QUARTIC_FLOAT32, &flat);
    const quartic_value none = {0};
    cutter from = {graph, weights, 0};
    quartic_value loss =
        quartic_cross_entropy(graph, build_logits(&from, symbols, marks, exchanging), targets);
    quartic_value gradient;
    check(quartic_graph_gradients(graph, loss, none, &weights, 1, &gradient));
    quartic_graph_output(graph, "loss", loss);
    quartic_adamw(graph, weights, gradient, first, second, hyper, quartic_sum_squares(graph, gradient), 1.0f);
    quartic_program *program = NULL;
    check(quartic_program_create(device, graph, NULL, &program));
    quartic_graph_destroy(graph);
    return program;
}

static void write_tensor(quartic_program *program, const char *name, const void *data, size_t bytes) {
    check(quartic_tensor_write(quartic_program_tensor(program, name), data, bytes));
}

static uint32_t random_state = 1;

static uint32_t stream_random(uint32_t below) {
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % below;
}

static void write_examples(quartic_program *program) {
    int32_t symbols[BATCH][N], marks[BATCH][N] = {{0}}, targets[BATCH];
    for (int b = 0; b < BATCH; ++b) {
        for (int j = 0; j < N; ++j) symbols[b][j] = (int32_t)stream_random(SYMBOLS);
        const uint32_t marked = stream_random(N);
        marks[b][marked] = 1;
        targets[b] = symbols[b][marked];
    }
    write_tensor(program, "symbols", symbols, sizeof symbols);
    write_tensor(program, "marks", marks, sizeof marks);
    write_tensor(program, "targets", targets, sizeof targets);
}

/* Trains from the same start on the same examples; the mean loss of the last 20 steps. */
static float train_model(quartic_device *device, bool exchanging) {
    quartic_program *program = build_training(device, exchanging);
    float start[WEIGHTS], last = 0;
    random_state = 1;
    for (int w = 0; w < WEIGHTS; ++w) start[w] = (float)stream_random(2001) / 2000.0f - 0.5f;
    write_tensor(program, "weights", start, sizeof start);
    for (int step = 1; step <= STEPS; ++step) {
        /* Learning rate, beta1, beta2, eps, weight decay, 1 - beta1^t, 1 - beta2^t, clip. */
        const float t = (float)step;
        const float hyper[8] = {0.02f, 0.9f, 0.999f, 1e-8f, 0, 1 - powf(0.9f, t), 1 - powf(0.999f, t), 1};
        float loss;
        write_tensor(program, "hyper", hyper, sizeof hyper);
        write_examples(program);
        check(quartic_program_run(program));
        check(quartic_tensor_read(quartic_program_tensor(program, "loss"), &loss, sizeof loss));
        if (step == 1 || step % 40 == 0)
            printf("%s exchange, step %3d: loss %.4f\n", exchanging ? "with   " : "without", step,
                   (double)loss);
        if (step > STEPS - 20) last += loss / 20;
    }
    quartic_program_destroy(program);
    return last;
}

int main(int argc, char **argv) {
    quartic_device *device = NULL;
    check(quartic_device_create(argc > 1 ? argv[1] : "cpu", &device));
    const float without = train_model(device, false), with = train_model(device, true);
    quartic_device_destroy(device);
    printf("guessing among %d symbols costs %.2f; without exchange %.2f, with exchange %.2f\n", SYMBOLS,
           log((double)SYMBOLS), (double)without, (double)with);
    return with < 0.2f && without > 1.0f ? 0 : 1;
}

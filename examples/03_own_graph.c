/* 03_own_graph.c: a model of your own made of ops: a small classifier with gradients and AdamW.
 *
 * One graph holds forward, backward and update; it is compiled once and replayed. New here:
 * quartic_graph_input, _parameter, _state, _output, quartic_graph_gradients, quartic_adamw,
 * quartic_program_measure, _create, _run. Usage: 03_own_graph [device]
 */
#include <math.h>
#include <quartic/quartic.h>
#include <stdio.h>
#include <stdlib.h>

enum { POINTS = 64, FEATURES = 2, HIDDEN = 16, CLASSES = 2, STEPS = 150 };
/* Weights of both layers lie in one flat parameter, so that one adamw updates all of them. */
enum { WEIGHTS = HIDDEN * FEATURES + HIDDEN + CLASSES * HIDDEN };

static void check(quartic_status status) {
    if (status == QUARTIC_OK) return;
    fprintf(stderr, "%s: %s\n", quartic_status_name(status), quartic_error_message());
    exit(1);
}

/* Returns a program with the inputs "points", "labels" and "hyper" and the output "loss". */
static quartic_program *build_classifier(quartic_device *device) {
    quartic_graph *graph = NULL;
    check(quartic_graph_create(&graph));
    const quartic_shape flat = QUARTIC_SHAPE(WEIGHTS), eight = QUARTIC_SHAPE(8), rows = QUARTIC_SHAPE(POINTS);
    const quartic_shape in = QUARTIC_SHAPE(POINTS, FEATURES);
    const quartic_shape shape1 = QUARTIC_SHAPE(HIDDEN, FEATURES), shape2 = QUARTIC_SHAPE(CLASSES, HIDDEN);
    quartic_value x = quartic_graph_input(graph, "points", QUARTIC_FLOAT32, &in);
    quartic_value labels = quartic_graph_input(graph, "labels", QUARTIC_INT32, &rows);
    quartic_value hyper = quartic_graph_input(graph, "hyper", QUARTIC_FLOAT32, &eight);
    quartic_value weights = quartic_graph_parameter(graph, "weights", &flat);
    quartic_value first = quartic_graph_state(graph, "first_moment", QUARTIC_FLOAT32, &flat);
    quartic_value second = quartic_graph_state(graph, "second_moment", QUARTIC_FLOAT32, &flat);

    quartic_value weight1 =
        quartic_reshape(graph, quartic_slice(graph, weights, 0, 0, HIDDEN * FEATURES), &shape1);
    quartic_value bias1 = quartic_slice(graph, weights, 0, HIDDEN * FEATURES, HIDDEN);
    quartic_value weight2 = quartic_reshape(
        graph, quartic_slice(graph, weights, 0, HIDDEN * FEATURES + HIDDEN, CLASSES * HIDDEN), &shape2);
    const quartic_value none = {0};
    quartic_value hidden =
        quartic_gelu(graph, quartic_linear(graph, x, weight1, bias1));   /* (points, hidden) */
    quartic_value logits = quartic_linear(graph, hidden, weight2, none); /* (points, classes) */
    quartic_value loss = quartic_cross_entropy(graph, logits, labels), gradient;
    check(quartic_graph_gradients(graph, loss, none, &weights, 1, &gradient));
    quartic_graph_output(graph, "loss", loss);
    quartic_adamw(graph, weights, gradient, first, second, hyper, quartic_sum_squares(graph, gradient), 1.0f);

    quartic_program_memory memory;
    check(quartic_program_measure(device, graph, NULL, &memory)); /* known before anything is allocated */
    printf("workspace %llu bytes (%llu without sharing), named tensors %llu bytes\n",
           (unsigned long long)memory.workspace_bytes, (unsigned long long)memory.unshared_bytes,
           (unsigned long long)memory.own_tensor_bytes);
    quartic_program *program = NULL;
    check(quartic_program_create(device, graph, NULL, &program));
    quartic_graph_destroy(graph); /* the program does not need it */
    return program;
}

static void write_tensor(quartic_program *program, const char *name, const void *data, size_t bytes) {
    check(quartic_tensor_write(quartic_program_tensor(program, name), data, bytes));
}

int main(int argc, char **argv) {
    quartic_device *device = NULL;
    check(quartic_device_create(argc > 1 ? argv[1] : "cpu", &device));
    quartic_program *program = build_classifier(device);

    /* Two classes: inside and outside a ring. */
    float points[POINTS * FEATURES], start[WEIGHTS];
    int32_t classes[POINTS];
    for (int p = 0; p < POINTS; ++p) {
        float angle = 2.399963f * (float)p, radius = p % 2 == 0 ? 0.5f : 1.5f;
        points[2 * p] = radius * cosf(angle);
        points[2 * p + 1] = radius * sinf(angle);
        classes[p] = p % 2;
    }
    for (int w = 0; w < WEIGHTS; ++w) start[w] = 0.7f * sinf(12.9898f * (float)(w + 1));
    write_tensor(program, "points", points, sizeof points);
    write_tensor(program, "labels", classes, sizeof classes);
    write_tensor(program, "weights", start, sizeof start);

    float loss = 0;
    for (int step = 1; step <= STEPS; ++step) {
        /* Learning rate, beta1, beta2, eps, weight decay, 1 - beta1^t, 1 - beta2^t, clip. */
        const float t = (float)step;
        const float hyper[8] = {0.02f, 0.9f, 0.999f, 1e-8f, 0, 1 - powf(0.9f, t), 1 - powf(0.999f, t), 1};
        write_tensor(program, "hyper", hyper, sizeof hyper);
        check(quartic_program_run(program));
        check(quartic_tensor_read(quartic_program_tensor(program, "loss"), &loss, sizeof loss));
        if (step == 1 || step % 50 == 0) printf("step %3d  loss %.4f\n", step, (double)loss);
    }
    quartic_program_destroy(program);
    quartic_device_destroy(device);
    return loss < 0.1f ? 0 : 1;
}

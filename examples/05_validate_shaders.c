/* 05_validate_shaders.c: compare a device's shaders with the CPU reference, op by op, and find where two
 * devices differ on a graph of your own.
 *
 * New here: quartic_validate with a callback, quartic_compare_devices.
 * Usage: 05_validate_shaders [device [op]]
 */
#include <quartic/quartic.h>
#include <stdio.h>
#include <stdlib.h>

static void check(quartic_status status) {
    if (status == QUARTIC_OK) return;
    fprintf(stderr, "%s: %s\n", quartic_status_name(status), quartic_error_message());
    exit(1);
}

static void print_finding(void *context, const quartic_check *one) {
    (void)context;
    if (one->verdict == QUARTIC_PASSED) return;
    printf("%s %s, case %u (%s), %s: %s\n", one->verdict == QUARTIC_FAILED ? "FAILED" : "not supported",
           one->subject, one->index, one->label, one->check, one->text);
}

/* The entropy of causal attention rows: sum over j of p log p. */
static quartic_graph *own_graph(void) {
    quartic_graph *graph = NULL;
    check(quartic_graph_create(&graph));
    const quartic_shape shape = QUARTIC_SHAPE(1, 2, 5, 5); /* (b, h, i, j) */
    const quartic_value no_mask = {0};
    quartic_value sim = quartic_graph_input(graph, "sim", QUARTIC_FLOAT32, &shape);
    quartic_value p = quartic_softmax(graph, quartic_scale(graph, sim, 3.0f, 0.0f), no_mask, 1);
    quartic_value terms =
        quartic_multiply(graph, p, quartic_log(graph, quartic_scale(graph, p, 1.0f, 1e-6f)));
    quartic_graph_output(graph, "entropy", quartic_sum(graph, terms, 1u << 3, 0));
    return graph;
}

int main(int argc, char **argv) {
    quartic_device *device = NULL, *reference = NULL;
    check(quartic_device_create(argc > 1 ? argv[1] : "auto", &device));
    check(quartic_device_create("reference", &reference));

    quartic_validate_config config = QUARTIC_VALIDATE_CONFIG_INIT;
    config.op = argc > 2 ? argv[2] : "softmax";
    config.callback = print_finding;
    quartic_check_totals ops, steps;
    check(quartic_validate(device, &config, &ops));
    printf("%s: %u checks passed, %u failed, the worst error is %.2f of its bound\n", config.op, ops.passed,
           ops.failed, ops.worst);

    quartic_graph *graph = own_graph();
    float numbers[50];
    for (int i = 0; i < 50; ++i) numbers[i] = (float)((i * 37) % 11) / 11.0f - 0.5f;
    const quartic_feed feed = {"sim", numbers, sizeof numbers};
    check(quartic_compare_devices(device, reference, graph, &feed, 1, print_finding, NULL, &steps));
    printf("own graph: %u steps agree, %u do not\n", steps.passed, steps.failed);

    quartic_graph_destroy(graph);
    quartic_device_destroy(reference);
    quartic_device_destroy(device);
    return ops.failed + steps.failed == 0 && ops.passed > 0 && steps.passed > 0 ? 0 : 1;
}

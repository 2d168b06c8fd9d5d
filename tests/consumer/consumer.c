/* consumer.c: adds two vectors through the installed library, in C11. */
#include <quartic/quartic.h>
#include <stdio.h>

int main(void) {
    quartic_device *device = NULL;
    quartic_graph *graph = NULL;
    quartic_program *program = NULL;
    const float a[3] = {1, 2, 3}, b[3] = {10, 20, 30};
    float sum[3] = {0};
    quartic_shape shape = QUARTIC_SHAPE(3);
    if (quartic_device_create("cpu", &device) != QUARTIC_OK || quartic_graph_create(&graph) != QUARTIC_OK)
        return 1;
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &shape);
    quartic_value y = quartic_graph_input(graph, "y", QUARTIC_FLOAT32, &shape);
    quartic_graph_output(graph, "sum", quartic_add(graph, x, y));
    if (quartic_program_create(device, graph, NULL, &program) != QUARTIC_OK) {
        fprintf(stderr, "%s\n", quartic_error_message());
        return 1;
    }
    quartic_tensor_write(quartic_program_tensor(program, "x"), a, sizeof a);
    quartic_tensor_write(quartic_program_tensor(program, "y"), b, sizeof b);
    quartic_program_run(program);
    quartic_tensor_read(quartic_program_tensor(program, "sum"), sum, sizeof sum);
    quartic_program_destroy(program);
    quartic_graph_destroy(graph);
    quartic_device_destroy(device);
    printf("%g %g %g\n", (double)sum[0], (double)sum[1], (double)sum[2]);
    return sum[0] == 11 && sum[1] == 22 && sum[2] == 33 ? 0 : 1;
}

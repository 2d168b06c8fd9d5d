/* graph_data_test.c: graphs as inputs, on the CPU; see graph_data_tests.h. */
#include "graph_data_tests.h"

int main(void) {
    return graph_data_tests(&test_cpu) + graph_data_host_tests(&test_cpu) +
           graph_data_slope_tests(&test_reference64);
}

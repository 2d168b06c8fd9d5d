/* graph_data_tests.h: graphs as inputs of models: symmetry, padding, gradients, messages, datasets, training.
 */
#ifndef QUARTIC_TESTS_GRAPH_DATA_TESTS_H
#define QUARTIC_TESTS_GRAPH_DATA_TESTS_H

#include "device_tests.h"

int graph_data_tests(const test_device *on);
/* What does not depend on the device. */
int graph_data_host_tests(const test_device *on);
/* Gradients against finite differences. Losses are float32, so the device should compute the rest in double. */
int graph_data_slope_tests(const test_device *on);

#endif

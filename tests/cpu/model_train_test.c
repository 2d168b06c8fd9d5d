/* model_train_test.c: training on the CPU; see model_train_tests.h. */
#include "model_train_tests.h"

int main(void) {
    return model_train_tests(&test_cpu) + model_train_host_tests(&test_cpu);
}

/* model_golden_test.c: every recorded model on the CPU devices; see model_golden_tests.h. */
#include "model_golden_tests.h"

int main(void) {
    return model_golden_tests(&test_reference, 1) + model_golden_tests(&test_cpu, 1);
}

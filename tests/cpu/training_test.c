/* training_test.c: what training promises, on the CPU; see training_tests.h. */
#include "training_tests.h"

int main(void) {
    return training_tests(&test_cpu);
}

/* training_ahead_test.c: steps without a report, on the CPU; see training_ahead_tests.h. */
#include "training_ahead_tests.h"

int main(void) {
    return training_ahead_tests(&test_cpu);
}

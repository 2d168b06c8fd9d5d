/* extreme_numbers_test.c: NaN, infinity and large numbers on the CPU devices; see extreme_numbers_tests.h. */
#include "extreme_numbers_tests.h"

int main(void) {
    return extreme_numbers_tests(&test_cpu) + extreme_numbers_tests(&test_reference);
}

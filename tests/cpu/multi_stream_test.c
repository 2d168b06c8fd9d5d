/* multi_stream_test.c: the multi-stream ops and models on both CPU devices. */
#include "multi_stream_tests.h"

int main(void) {
    return multi_stream_tests(&test_reference) + multi_stream_tests(&test_cpu);
}

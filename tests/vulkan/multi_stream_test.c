/* multi_stream_test.c: the multi-stream ops and models on Vulkan. */
#include "multi_stream_runs.h"

int main(void) {
    return run_multi_stream("vulkan");
}

/* multi_stream_test.c: the multi-stream ops and models on both CPU devices. */
#include "multi_stream_runs.h"

int main(void) {
    return run_multi_stream("reference") + run_multi_stream("cpu");
}

// softmax.glsl: the running maximum and sum of exponentials of a row that several lanes read in turn. Include
// after lib/reduce.glsl.
//
// A lane keeps the largest value it has seen and the sum of exp(value - largest), so that a row is read once
// before it is written. Nothing seen: largest is -FLT_MAX and the sum 0. Differences may overflow to -inf,
// whose exponential is 0; no other infinity or NaN arises from finite input. A NaN among the values makes the
// sum one.
#include "lib/functions.h"

const float LOWEST = -3.40282346638528859812e38;

struct RunningSum {
    float largest, sum;
};

void running_add(inout RunningSum running, float value) {
    if (value > running.largest) {
        running.sum = running.sum * approx_exp(running.largest - value) + 1.0;
        running.largest = value;
    } else {
        running.sum += approx_exp(value - running.largest);
    }
}

// Every lane's result: the largest value of the row and the sum of exp(value - largest).
RunningSum running_reduce(RunningSum mine, uint lanes) {
    float largest = reduce_max(mine.largest, lanes);
    float sum = reduce_sum(mine.sum * approx_exp(mine.largest - largest), lanes);
    return RunningSum(largest, sum);
}

/* spread.h: how far roundings move the results of a graph.
 *
 * The error of a float32 result is measured by the magnitudes of the terms that it is the sum of, not by what
 * is left of them after they cancel. For a graph of any ops that is found by experiment: the graph is
 * computed in double, then several times more with every number that a kernel reads or writes moved up or
 * down by one float32 epsilon, at random and each time anew. How far a result moves is about eps times the
 * root of the sum of its terms' squares, be they terms of a sum or of a difference inside the op; times the
 * root of their number, which each op's bound has as a factor, that is at least eps times the sum of the
 * terms' magnitudes.
 */
#ifndef QUARTIC_VERIFY_SPREAD_H
#define QUARTIC_VERIFY_SPREAD_H

#include "verify/harness.h"

/* out_spreads[k]: the farthest that any element of the output or state names[k] was moved, 0 for int32. Fed
 * as in quartic_harness_run; what is not fed is zero. */
quartic_status quartic_spread(const quartic_graph *graph, const quartic_feed *feeds, uint32_t feed_count,
                              const char *const *names, uint32_t count, double *out_spreads);

/* The bound of a result: tolerance (an op's own, times the root of its longest sum; over a graph their sum),
 * times what a rounding does to the result: its spread, or eps times its largest element where that is more.
 */
double quartic_spread_bound(double tolerance, double spread, double largest);

#endif

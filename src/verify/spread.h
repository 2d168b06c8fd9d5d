/* spread.h: how far roundings move the results of a graph.
 *
 * A float32 result that is a sum of terms has an error in proportion to the magnitudes of the terms, not to
 * what is left after they cancel. For a graph of any ops these magnitudes are found by experiment. The graph
 * is computed in double once, and then several times with every number that a kernel reads or writes moved up
 * or down by one float32 epsilon, each time with other random signs. A result t_1 + .. + t_k then moves by
 * about
 *     eps sqrt(t_1^2 + .. + t_k^2),
 * and an op's bound has the factor sqrt(k), which makes it at least
 *     eps (|t_1| + .. + |t_k|).
 */
#ifndef QUARTIC_VERIFY_SPREAD_H
#define QUARTIC_VERIFY_SPREAD_H

#include "verify/harness.h"

/* out_spreads[k]: how far any element of the output or state names[k] moved at most, 0 for int32. Tensors
 * that are not fed are zero. */
quartic_status quartic_spread(const quartic_graph *graph, const quartic_feed *feeds, uint32_t feed_count,
                              const char *const *names, uint32_t count, double *out_spreads);

/* The bound of a result: tolerance * max(spread, eps * largest). tolerance: an op's own times the root of its
 * longest sum, added up over the ops of a graph. largest: the largest element of the result. */
double quartic_spread_bound(double tolerance, double spread, double largest);

#endif

/* check_view.h: what a view must give, written down element by element and apart from the ops' own rules.
 *
 * Views have no kernel, and a layout rule that is wrong would be wrong on the reference too. So their results
 * are not compared with the reference's but with the definition in graph.h.
 */
#ifndef QUARTIC_VERIFY_CHECK_VIEW_H
#define QUARTIC_VERIFY_CHECK_VIEW_H

#include "verify/fixture.h"

/* Fills want of the fixture's only result: factor times the view of operand 0, or, if gradient, factor times the
 * gradient of operand 0 for the cotangent that is operand 1. */
quartic_status quartic_view_want(const quartic_fixture *fixture, bool gradient, double factor);

#endif

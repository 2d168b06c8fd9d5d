/* check_view.h: what a view must show, written down element by element and independent of the ops' layout
 * rules.
 *
 * A view has no kernel, and a wrong layout rule would be wrong on the reference device too. So the results of
 * views are compared with the definition in quartic/graph.h instead of the reference.
 */
#ifndef QUARTIC_VERIFY_CHECK_VIEW_H
#define QUARTIC_VERIFY_CHECK_VIEW_H

#include "verify/fixture.h"

/* Fills `want` of the fixture's only result: factor times the view of operand 0. If gradient: factor times
 * the gradient of operand 0, where operand 1 is the cotangent. Errors: OUT_OF_MEMORY. */
quartic_status quartic_view_want(const quartic_fixture *fixture, bool gradient, double factor);

#endif

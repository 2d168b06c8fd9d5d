/* check.h: the checks of one op, which need not be in the registry: for the loops over all ops and for tests
 * that hand in a defective one. */
#ifndef QUARTIC_VERIFY_CHECK_H
#define QUARTIC_VERIFY_CHECK_H

#include "ops/ops.h"
#include "verify/harness.h"

/* See quartic_validate. config->op is ignored. */
quartic_status quartic_validate_one(quartic_device *device, const quartic_op *op,
                                    const quartic_validate_config *config, quartic_reporter *reporter);

/* See quartic_check_gradients. */
quartic_status quartic_check_gradients_of(const quartic_op *op, const quartic_validate_config *config,
                                          quartic_reporter *reporter);

#endif

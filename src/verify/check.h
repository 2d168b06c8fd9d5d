/* check.h: the checks of one op, which need not be in the registry. The loops over all ops call them, and
 * tests that hand in a defective op. */
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

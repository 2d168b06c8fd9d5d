/* fast.h: tuned CPU kernels, which the device "cpu" runs in place of an op's reference kernel.
 *
 * A tuned kernel says from shapes alone whether it accepts a call. Where none does, the reference kernel
 * runs. fast_list.h names the tuned kernels, one line each; the first that accepts is taken. They compute
 * in float32 storage, use OpenMP over run->threads threads, allocate nothing, and give the same bits for
 * the same number of threads.
 */
#ifndef QUARTIC_FAST_FAST_H
#define QUARTIC_FAST_FAST_H

#include "ops/ops.h"

typedef struct quartic_fast_kernel {
    const quartic_op *op;
    bool (*accepts)(const quartic_op_call *call); /* NULL: every call */
    void (*run)(const quartic_op_run *run);
    size_t (*scratch)(const quartic_op_call *call, uint32_t threads); /* bytes; NULL: none */
} quartic_fast_kernel;

/* The tuned kernel for a call, which is static; NULL if none accepts it. */
const quartic_fast_kernel *quartic_fast_find(const quartic_op *op, const quartic_op_call *call);

#endif

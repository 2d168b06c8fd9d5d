/* fast.c: the table of tuned kernels. See fast.h. */
#include "fast/fast.h"
#include "fast/fast_list.h"

#define KERNEL_EXTERN(name) extern const quartic_fast_kernel quartic_fast_##name;
QUARTIC_FAST_LIST(KERNEL_EXTERN)
#undef KERNEL_EXTERN

static const quartic_fast_kernel *const fast_kernels[] = {
#define KERNEL_POINTER(name) &quartic_fast_##name,
    QUARTIC_FAST_LIST(KERNEL_POINTER)
#undef KERNEL_POINTER
};

const quartic_fast_kernel *quartic_fast_find(const quartic_op *op, const quartic_op_call *call) {
    for (size_t i = 0; i < sizeof fast_kernels / sizeof fast_kernels[0]; ++i)
        if (fast_kernels[i]->op == op && (fast_kernels[i]->accepts == NULL || fast_kernels[i]->accepts(call)))
            return fast_kernels[i];
    return NULL;
}

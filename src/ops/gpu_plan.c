/* gpu_plan.c: dispatches and checks that the GPU plans of several ops share. See gpu_plan.h. */
#include "ops/gpu_plan.h"

enum { REDUCE_INVOCATIONS = 64 /* of matmul_reduce.comp */ };

quartic_status quartic_gpu_expect_iterations(const char *what, const quartic_gpu_limits *limits,
                                             double iterations) {
    if (limits->max_iterations == 0 || iterations <= limits->max_iterations) return QUARTIC_OK;
    return quartic_fail(QUARTIC_UNSUPPORTED,
                        "%s takes %.0f loop iterations an invocation, and this device leaves loops after %u; "
                        "use the device cpu",
                        what, iterations, limits->max_iterations);
}

bool quartic_gpu_flat_quads(const quartic_layout *const *operands, uint32_t count) {
    for (uint32_t k = 0; k < count; ++k)
        if (!quartic_layout_is_contiguous(operands[k]) || !quartic_in_fours(operands[k]->offset) ||
            quartic_layout_elements(operands[k]) < 4)
            return false;
    return true;
}

quartic_status quartic_add_parts(quartic_dispatch_list *list, const quartic_matmul_reduce_args *args) {
    const bool has_bias = args->bias != 0, has_addend = args->addend != 0;
    const quartic_dispatch_shape shape = {
        QUARTIC_SPEC(has_bias, has_addend),
        .groups = quartic_divide_up(args->count, REDUCE_INVOCATIONS),
        .flops = (double)args->count * args->splits,
        .bytes = 4.0 * (double)args->count * (args->splits + 1.0 + has_addend),
    };
    return quartic_dispatch_append(list, "matmul_reduce", quartic_matmul_reduce_push(args), &shape);
}

quartic_status quartic_add_columns(quartic_dispatch_list *list, const quartic_norm_columns_args *args,
                                   uint32_t columns) {
    const quartic_dispatch_shape shape = {
        QUARTIC_SPEC(columns),
        .groups = quartic_divide_up(args->width, columns),
        .flops = (double)args->count * args->width,
        .bytes = 4.0 * (double)args->count * args->width,
    };
    return quartic_dispatch_append(list, "norm_columns", quartic_norm_columns_push(args), &shape);
}

/* elementwise.h: the functions and attributes of the elementwise ops, for the ops and their tuned kernels.
 *
 * Enumerators follow the order of the lists in quartic/graph.h.
 */
#ifndef QUARTIC_OPS_ELEMENTWISE_H
#define QUARTIC_OPS_ELEMENTWISE_H

#include "quartic/graph.h"

typedef enum quartic_binary_function {
#define FUNCTION_ENUM(name) QUARTIC_BINARY_##name,
    QUARTIC_BINARY_LIST(FUNCTION_ENUM)
#undef FUNCTION_ENUM
} quartic_binary_function;

typedef struct quartic_binary_attrs {
    quartic_binary_function function;
} quartic_binary_attrs;

typedef enum quartic_unary_function {
#define FUNCTION_ENUM(name) QUARTIC_UNARY_##name,
    QUARTIC_UNARY_LIST(FUNCTION_ENUM)
#undef FUNCTION_ENUM
        QUARTIC_UNARY_scale, /* x * factor + offset */
    QUARTIC_UNARY_COUNT
} quartic_unary_function;

/* Of unary and of its adjoint unary_grad. */
typedef struct quartic_unary_attrs {
    quartic_unary_function function;
    float factor, offset;
} quartic_unary_attrs;

/* Of dropout. */
typedef struct quartic_dropout_attrs {
    float probability;
    uint32_t stream;
} quartic_dropout_attrs;

/* What dropout multiplies the kept elements by; with probability 1 none is kept. */
static inline float quartic_dropout_factor(const quartic_dropout_attrs *attrs) {
    return attrs->probability < 1.0f ? 1.0f / (1.0f - attrs->probability) : 0.0f;
}

#endif

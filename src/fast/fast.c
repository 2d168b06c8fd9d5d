/* fast.c: finding a tuned row. See fast.h. */
#include "fast/fast.h"
#include "fast/fast_list.h"

#define ROW_EXTERN(name) extern const quartic_fast_row quartic_fast_##name;
QUARTIC_FAST_LIST(ROW_EXTERN)
#undef ROW_EXTERN

static const quartic_fast_row *const table[] = {
#define ROW_POINTER(name) &quartic_fast_##name,
    QUARTIC_FAST_LIST(ROW_POINTER)
#undef ROW_POINTER
};

const quartic_fast_row *quartic_fast_find(const quartic_op *op, const quartic_op_call *call) {
    for (size_t i = 0; i < sizeof table / sizeof table[0]; ++i)
        if (table[i]->op == op && (table[i]->accepts == NULL || table[i]->accepts(call))) return table[i];
    return NULL;
}

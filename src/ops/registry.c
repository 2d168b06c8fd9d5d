/* registry.c: the table of ops in the order of op_list.h. */
#include <string.h>

#include "ops/ops.h"

static const quartic_op *const table[] = {
#define OP_POINTER(name) &quartic_op_##name,
    QUARTIC_OP_LIST(OP_POINTER)
#undef OP_POINTER
};

uint32_t quartic_op_count(void) {
    return (uint32_t)(sizeof table / sizeof table[0]);
}

const quartic_op *quartic_op_at(uint32_t index) {
    return index < quartic_op_count() ? table[index] : NULL;
}

const quartic_op *quartic_op_find(const char *name) {
    for (uint32_t i = 0; i < quartic_op_count(); ++i)
        if (strcmp(table[i]->name, name) == 0) return table[i];
    return NULL;
}

uint32_t quartic_op_index(const quartic_op *op) {
    uint32_t i = 0;
    while (table[i] != op) ++i;
    return i;
}

/* op_list.h: every op of the library, one line each: X(name) for the door quartic_op_<name> in a room here. */
#ifndef QUARTIC_OPS_OP_LIST_H
#define QUARTIC_OPS_OP_LIST_H

#define QUARTIC_OP_LIST(X)                                                                                   \
    /* view.c */                                                                                             \
    X(reshape)                                                                                               \
    X(permute)                                                                                               \
    X(slice)                                                                                                 \
    X(broadcast)                                                                                             \
    X(diagonal)                                                                                              \
    /* copy.c */                                                                                             \
    X(copy)                                                                                                  \
    /* binary.c */                                                                                           \
    X(binary)

#endif

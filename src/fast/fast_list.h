/* fast_list.h: every tuned row, one line each: X(name) for quartic_fast_<name>. */
#ifndef QUARTIC_FAST_FAST_LIST_H
#define QUARTIC_FAST_FAST_LIST_H

#define QUARTIC_FAST_LIST(X)                                                                                 \
    /* copy.c */                                                                                             \
    X(copy)                                                                                                  \
    X(concat)                                                                                                \
    X(pad)

#endif

/* options.h: how a caller's options become the library's: copied over the defaults, as far as they go.
 *
 * Every struct of options begins with struct_size, the sizeof of the header that the caller was compiled
 * with. smaller than the library's   what is missing keeps its default larger                       fine if
 * what the library does not know is zero, else refused A new member comes at the end, and not into the
 * padding of what was there: a caller's struct_size could not tell whether it is meant.
 */
#ifndef QUARTIC_BASE_OPTIONS_H
#define QUARTIC_BASE_OPTIONS_H

#include <stddef.h>

#include "base/status.h"

/* The type's name, its INIT macro's, sizes in bytes, and the defaults. */
typedef struct quartic_options_type {
    const char *name, *init;
    size_t size;
    /* What a struct_size of 0 stands for, or 0: refused. Options of graph builders had no struct_size at
     * first and are often written as {.member = ..}; there it is the size of release 0.1.0. */
    size_t size_if_zero;
    const void *defaults;
} quartic_options_type;

/* Bytes up to and with a member. */
#define QUARTIC_OPTIONS_UP_TO(type, member) (offsetof(type, member) + sizeof(((type *)NULL)->member))
/* The type of a struct with an INIT macro; the second form is for options of graph builders. */
#define QUARTIC_OPTIONS_TYPE(type, init, standard)                                                           \
    { #type, #init, sizeof(type), 0, standard }
#define QUARTIC_BUILDER_OPTIONS_TYPE(type, init, standard, last_of_first_release)                            \
    { #type, #init, sizeof(type), QUARTIC_OPTIONS_UP_TO(type, last_of_first_release), standard }

/* given (NULL: the defaults) over the defaults into out, whose struct_size becomes the library's. Errors:
 * INVALID_ARGUMENT; then *out holds the defaults. */
quartic_status quartic_options_read(const quartic_options_type *type, const void *given, void *out);
/* Back into a caller's struct what it has room for. Errors: INVALID_ARGUMENT, with the struct untouched, if
 * what it has no room for is not at its default. */
quartic_status quartic_options_write(const quartic_options_type *type, const void *from, void *inout_given);

#endif

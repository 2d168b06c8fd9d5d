/* options.h: reads a caller's struct of options, whichever version of the headers it was compiled with.
 *
 * Every struct of options begins with struct_size, its sizeof in the caller's headers:
 *
 *   struct_size is smaller than the library's    the members that are missing keep their defaults
 *   struct_size is larger                        fine if the bytes that the library does not know are zero,
 *                                                else refused
 *
 * A new member comes at the end of the struct, and not into the padding at its end: a caller's struct_size
 * could not tell whether a member in the padding was set.
 */
#ifndef QUARTIC_BASE_OPTIONS_H
#define QUARTIC_BASE_OPTIONS_H

#include <stddef.h>

#include "base/status.h"

/* What is known of a struct of options. All of it is static. */
typedef struct quartic_options_type {
    const char *name, *init; /* of the struct and of its INIT macro, for messages */
    size_t size;             /* in this library, in bytes */
    /* The size that a struct_size of 0 means; 0: it is refused. Options of graph builders are often written
     * as {.member = ..}, without a struct_size; for them it is the size in release 0.1.0. */
    size_t size_if_zero;
    const void *defaults; /* a struct of `size` bytes */
} quartic_options_type;

/* The bytes of a struct up to the end of a member. */
#define QUARTIC_OPTIONS_UP_TO(type, member) (offsetof(type, member) + sizeof(((type *)NULL)->member))
/* Initialisers of quartic_options_type; the second is for options of graph builders. standard: the
 * defaults. */
#define QUARTIC_OPTIONS_TYPE(type, init, standard)                                                           \
    { #type, #init, sizeof(type), 0, standard }
#define QUARTIC_BUILDER_OPTIONS_TYPE(type, init, standard, last_of_first_release)                            \
    { #type, #init, sizeof(type), QUARTIC_OPTIONS_UP_TO(type, last_of_first_release), standard }

/* Copies the defaults to *out, and over them what `given` holds; given may be NULL. The struct_size of *out
 * becomes the library's. Errors: INVALID_ARGUMENT; then *out holds the defaults. */
quartic_status quartic_options_read(const quartic_options_type *type, const void *given, void *out);
/* Copies *from to a caller's struct, as many members as its struct_size has. Errors: INVALID_ARGUMENT, with
 * the struct untouched, if a member that it does not have is not at its default. */
quartic_status quartic_options_write(const quartic_options_type *type, const void *from, void *inout_given);

#endif

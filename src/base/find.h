/* find.h: looking a name up in a short list. Long lists that are searched often: names.h.
 *
 * Inline, so that the command `quartic`, which links the shared library and sees none of its internal symbols,
 * has the same function.
 */
#ifndef QUARTIC_BASE_FIND_H
#define QUARTIC_BASE_FIND_H

#include <stddef.h>
#include <string.h>

/* The index of the first of `count` items with that name; `count` if there is none. Each item is item_bytes
 * long and begins with its name, a const char *. items may be NULL if count is 0. */
static inline size_t quartic_find_name(const void *items, size_t item_bytes, size_t count, const char *name) {
    for (size_t k = 0; k < count; ++k) {
        const char *item_name;
        memcpy(&item_name, (const char *)items + k * item_bytes, sizeof item_name);
        if (strcmp(item_name, name) == 0) return k;
    }
    return count;
}

#endif

/* names.h: a hash table from names to numbers: looking a name up takes constant time. Short lists: find.h.
 *
 * The table keeps pointers to the names, which belong to the caller and must outlive the table.
 */
#ifndef QUARTIC_BASE_NAMES_H
#define QUARTIC_BASE_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#define QUARTIC_NO_NAME UINT32_MAX

typedef struct quartic_name_slot {
    const char *name; /* NULL: empty */
    uint32_t number;
} quartic_name_slot;

/* A zeroed struct is an empty table. */
typedef struct quartic_names {
    quartic_name_slot *slots; /* capacity is 0 or a power of 2, at most half of them in use */
    uint32_t count, capacity;
} quartic_names;

/* Returns the number of a name, QUARTIC_NO_NAME if it is not in the table. */
uint32_t quartic_names_find(const quartic_names *names, const char *name);

/* Allocates space for one more name. Returns false, with the error message set, if memory ran out. */
bool quartic_names_reserve(quartic_names *names);

/* Adds a name that is not in the table yet; quartic_names_reserve must have succeeded before. */
void quartic_names_add(quartic_names *names, const char *name, uint32_t number);

/* Frees the slots and leaves an empty table; the names are the caller's. */
void quartic_names_destroy(quartic_names *names);

#endif

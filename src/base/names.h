/* names.h: a table from names to numbers, so that looking one up does not take longer the more there are.
 *
 * The table keeps pointers to the names: they belong to the caller and must outlive it.
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

/* Zeroed: empty. */
typedef struct quartic_names {
    quartic_name_slot *slots; /* capacity is 0 or a power of 2, at most half taken */
    uint32_t count, capacity;
} quartic_names;

/* The number of a name, QUARTIC_NO_NAME if it is not there. */
uint32_t quartic_names_find(const quartic_names *names, const char *name);

/* Makes room for one name more; false if memory ran out. */
bool quartic_names_reserve(quartic_names *names);

/* Adds a name that is not there yet; there must be room. */
void quartic_names_add(quartic_names *names, const char *name, uint32_t number);

void quartic_names_destroy(quartic_names *names);

#endif

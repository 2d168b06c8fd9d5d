/* names.c: open addressing with linear probing; the hash is FNV-1a. See names.h. */
#include "base/names.h"

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/work.h"

static uint32_t hash_of(const char *name) {
    uint32_t hash = 2166136261u;
    for (; *name != 0; ++name) hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

/* The slot that holds the name, or the empty one where it belongs. */
static quartic_name_slot *slot_of(const quartic_names *names, const char *name) {
    uint32_t at = hash_of(name) & (names->capacity - 1);
    for (;; at = (at + 1) & (names->capacity - 1)) {
        quartic_work(1);
        if (names->slots[at].name == NULL || strcmp(names->slots[at].name, name) == 0)
            return &names->slots[at];
    }
}

uint32_t quartic_names_find(const quartic_names *names, const char *name) {
    if (names->count == 0) return QUARTIC_NO_NAME;
    const quartic_name_slot *slot = slot_of(names, name);
    return slot->name == NULL ? QUARTIC_NO_NAME : slot->number;
}

bool quartic_names_reserve(quartic_names *names) {
    if (2 * (names->count + 1) <= names->capacity) return true;
    quartic_names wider = {.capacity = names->capacity == 0 ? 64 : 2 * names->capacity};
    wider.slots = quartic_alloc(wider.capacity, sizeof *wider.slots);
    if (wider.slots == NULL) return false;
    for (uint32_t k = 0; k < names->capacity; ++k)
        if (names->slots[k].name != NULL)
            quartic_names_add(&wider, names->slots[k].name, names->slots[k].number);
    quartic_free(names->slots);
    *names = wider;
    return true;
}

void quartic_names_add(quartic_names *names, const char *name, uint32_t number) {
    *slot_of(names, name) = (quartic_name_slot){name, number};
    ++names->count;
}

void quartic_names_destroy(quartic_names *names) {
    quartic_free(names->slots);
    *names = (quartic_names){0};
}

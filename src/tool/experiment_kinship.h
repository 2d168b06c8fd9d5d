/* experiment_kinship.h: families, and chains of relatives through them, for the task kinship.
 *
 * A relation is what the second person is to the first: kin_between(a, b) = KIN_PARENT if b is a parent of a. Genders
 * are left out. In a chain each person is a relative of the one before; what the last is to the first follows from
 * the relations alone, one after the other (kin_compose), whichever the family is.
 */
#ifndef QUARTIC_TOOL_EXPERIMENT_KINSHIP_H
#define QUARTIC_TOOL_EXPERIMENT_KINSHIP_H

#include <stdbool.h>

#include "tool/experiment_source.h"

enum { KIN_MOST_PERSONS = 64, KIN_NOBODY = KIN_MOST_PERSONS, KIN_MOST_HOPS = 10 };

/* The relations, once each: X(NAME). An uncle is a brother or sister of a parent, a nephew a child of a brother or
 * sister, a cousin a child of an uncle; a sibling in law is the sibling of the spouse or the spouse of a sibling. */
#define KIN_LIST(X)                                                                                          \
    X(PARENT)                                                                                                \
    X(CHILD)                                                                                                 \
    X(SIBLING)                                                                                               \
    X(SPOUSE)                                                                                                \
    X(GRANDPARENT)                                                                                           \
    X(GRANDCHILD)                                                                                            \
    X(UNCLE)                                                                                                 \
    X(NEPHEW)                                                                                                \
    X(COUSIN)                                                                                                \
    X(PARENT_IN_LAW)                                                                                         \
    X(CHILD_IN_LAW)                                                                                          \
    X(SIBLING_IN_LAW)
#define KIN_ENUM(name) KIN_##name,
typedef enum kin { KIN_LIST(KIN_ENUM) KIN_RELATIONS, KIN_NONE = KIN_RELATIONS } kin;
#undef KIN_ENUM

/* Couples have all their children together. */
typedef struct kin_family {
    uint32_t persons;
    uint8_t parents[KIN_MOST_PERSONS][2]; /* KIN_NOBODY: not of the family */
    uint8_t spouse[KIN_MOST_PERSONS];
} kin_family;

/* Four generations of one couple's descendants, with those whom they marry and some of their parents and siblings. */
void kin_draw_family(experiment_source *source, kin_family *out_family);
/* What b is to a; KIN_NONE for no relation of the list, or a = b. */
kin kin_between(const kin_family *family, uint32_t a, uint32_t b);
/* What the second is to the first if a third person is `first` to the first and the second is `second` to that
 * one, of three different persons; KIN_NONE if that does not follow. */
kin kin_compose(kin first, kin second);

typedef struct kin_chain {
    kin_family family;
    uint32_t hops;
    uint8_t persons[KIN_MOST_HOPS + 1]; /* all different */
    kin links[KIN_MOST_HOPS];           /* persons[k + 1] to persons[k] */
    kin ends;                           /* the last to the first: the links, composed from the first on */
} kin_chain;
/* hops: 1 to KIN_MOST_HOPS. */
void kin_draw_chain(experiment_source *source, uint32_t hops, kin_chain *out_chain);

#endif

/* experiment_kin.c: relations in families by trying everybody. See experiment_kin.h. */
#include "experiment_kin.h"

#include "expect.h"

enum { FAMILIES = 200, UNSEEN = KIN_RELATIONS + 1, MANY };

static bool is_parent_of(const kin_family *family, uint32_t parent, uint32_t child) {
    return family->parents[child][0] == parent || family->parents[child][1] == parent;
}

static bool share_a_parent(const kin_family *family, uint32_t a, uint32_t b) {
    bool share = false;
    for (uint32_t p = 0; p < family->persons; ++p)
        share |= is_parent_of(family, p, a) && is_parent_of(family, p, b);
    return share && a != b;
}

/* By the definitions in words, and by trying all persons in between. */
kin experiment_kin_between(const kin_family *family, uint32_t a, uint32_t b) {
    const uint32_t persons = family->persons;
    bool is[KIN_RELATIONS] = {false};
    if (a == b) return KIN_NONE;
    is[KIN_PARENT] = is_parent_of(family, b, a);
    is[KIN_CHILD] = is_parent_of(family, a, b);
    is[KIN_SIBLING] = share_a_parent(family, a, b);
    is[KIN_SPOUSE] = family->spouse[a] == b;
    for (uint32_t p = 0; p < persons; ++p) {
        is[KIN_GRANDPARENT] |= is_parent_of(family, p, a) && is_parent_of(family, b, p);
        is[KIN_GRANDCHILD] |= is_parent_of(family, p, b) && is_parent_of(family, a, p);
        is[KIN_UNCLE] |= is_parent_of(family, p, a) && share_a_parent(family, p, b);
        is[KIN_NEPHEW] |= is_parent_of(family, p, b) && share_a_parent(family, p, a);
        for (uint32_t q = 0; q < persons && is_parent_of(family, p, a); ++q)
            is[KIN_COUSIN] |= is_parent_of(family, q, b) && share_a_parent(family, p, q);
        is[KIN_PARENT_IN_LAW] |= family->spouse[a] == p && is_parent_of(family, b, p);
        is[KIN_CHILD_IN_LAW] |= family->spouse[b] == p && is_parent_of(family, a, p);
        is[KIN_SIBLING_IN_LAW] |= (family->spouse[a] == p && share_a_parent(family, p, b)) ||
                                  (family->spouse[b] == p && share_a_parent(family, a, p));
    }
    kin found = KIN_NONE;
    for (uint32_t k = 0; k < KIN_RELATIONS; ++k) {
        if (!is[k]) continue;
        assert_int_equal(found, KIN_NONE); /* no two are anything to each other in two ways */
        found = (kin)k;
    }
    return found;
}

kin experiment_kin_compose(kin first, kin second) {
    static uint32_t known[KIN_RELATIONS][KIN_RELATIONS];
    static bool ready;
    if (!ready) {
        experiment_source source = {.seed = 77};
        for (uint32_t k = 0; k < KIN_RELATIONS * KIN_RELATIONS; ++k)
            known[k / KIN_RELATIONS][k % KIN_RELATIONS] = UNSEEN;
        for (uint32_t round = 0; round < FAMILIES; ++round) {
            static kin between[KIN_MOST_PERSONS][KIN_MOST_PERSONS];
            kin_family family;
            kin_draw_family(&source, &family);
            const uint32_t persons = family.persons;
            for (uint32_t k = 0; k < persons * persons; ++k)
                between[k / persons][k % persons] = experiment_kin_between(&family, k / persons, k % persons);
            for (uint32_t k = 0; k < persons * persons * persons; ++k) {
                const uint32_t a = k % persons, b = k / persons % persons, c = k / persons / persons;
                if (a == c || between[a][b] == KIN_NONE || between[b][c] == KIN_NONE) continue;
                uint32_t *both = &known[between[a][b]][between[b][c]];
                *both = *both == UNSEEN || *both == (uint32_t)between[a][c] ? (uint32_t)between[a][c] : MANY;
            }
        }
        ready = true;
    }
    if (first == KIN_NONE || second == KIN_NONE || known[first][second] >= KIN_NONE) return KIN_NONE;
    return (kin)known[first][second];
}

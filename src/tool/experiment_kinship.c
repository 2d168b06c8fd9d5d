/* experiment_kinship.c: families and chains of relatives, and drawing the task kinship. See experiment_kinship.h and
 * experiment_draw.h.
 */
#include "tool/experiment_kinship.h"

#include <string.h>

#include "tool/experiment_draw.h"

enum { GENERATIONS = 4, MOST_CHILDREN = 3, TRIES = 40 };

/* ---- families ---- */

static uint32_t kin_add_person(kin_family *family, uint32_t mother, uint32_t father) {
    const uint32_t person = family->persons++;
    family->parents[person][0] = (uint8_t)mother;
    family->parents[person][1] = (uint8_t)father;
    family->spouse[person] = KIN_NOBODY;
    return person;
}

static void kin_marry(kin_family *family, uint32_t a, uint32_t b) {
    family->spouse[a] = (uint8_t)b;
    family->spouse[b] = (uint8_t)a;
}

/* Someone from outside marries `person`: half of them with parents, and half of those with a sibling. */
static void kin_marry_outside(experiment_source *source, kin_family *family, uint32_t person) {
    if (experiment_below(source, 2) == 0) {
        kin_marry(family, person, kin_add_person(family, KIN_NOBODY, KIN_NOBODY));
        return;
    }
    const uint32_t mother = kin_add_person(family, KIN_NOBODY, KIN_NOBODY),
                   father = kin_add_person(family, KIN_NOBODY, KIN_NOBODY);
    kin_marry(family, mother, father);
    kin_marry(family, person, kin_add_person(family, mother, father));
    if (experiment_below(source, 2) == 0) kin_add_person(family, mother, father);
}

void kin_draw_family(experiment_source *source, kin_family *out_family) {
    enum {
        MARRIAGE = 4,
        ROOM = KIN_MOST_PERSONS - MOST_CHILDREN - MARRIAGE
    };                                    /* persons that one step may add */
    uint8_t generation[KIN_MOST_PERSONS]; /* of the descendants, in order */
    uint32_t first = 0, count = 1;
    out_family->persons = 0;
    generation[0] = (uint8_t)kin_add_person(out_family, KIN_NOBODY, KIN_NOBODY);
    for (uint32_t g = 0; g + 1 < GENERATIONS; ++g) {
        const uint32_t end = count;
        for (uint32_t k = first; k < end; ++k) {
            const uint32_t person = generation[k];
            if (out_family->persons > ROOM || (g > 0 && experiment_below(source, 4) == 0)) continue;
            kin_marry_outside(source, out_family, person);
            const uint32_t children = 1 + experiment_below(source, MOST_CHILDREN);
            for (uint32_t c = 0; c < children; ++c)
                generation[count++] = (uint8_t)kin_add_person(out_family, person, out_family->spouse[person]);
        }
        first = end;
    }
}

static bool kin_is_parent(const kin_family *family, uint32_t a, uint32_t b) {
    return family->parents[a][0] == b || family->parents[a][1] == b;
}

static bool kin_is_sibling(const kin_family *family, uint32_t a, uint32_t b) {
    return a != b && family->parents[a][0] != KIN_NOBODY && family->parents[a][0] == family->parents[b][0];
}

/* b is to a parent of a what `is` says. */
static bool kin_of_parent(const kin_family *family, uint32_t a, uint32_t b,
                          bool (*is)(const kin_family *, uint32_t, uint32_t)) {
    return family->parents[a][0] != KIN_NOBODY &&
           (is(family, family->parents[a][0], b) || is(family, family->parents[a][1], b));
}

static bool kin_is_uncle(const kin_family *family, uint32_t a, uint32_t b) {
    return kin_of_parent(family, a, b, kin_is_sibling);
}

kin kin_between(const kin_family *family, uint32_t a, uint32_t b) {
    const uint32_t of_a = family->spouse[a], of_b = family->spouse[b];
    if (a == b) return KIN_NONE;
    if (of_a == b) return KIN_SPOUSE;
    if (kin_is_parent(family, a, b)) return KIN_PARENT;
    if (kin_is_parent(family, b, a)) return KIN_CHILD;
    if (kin_is_sibling(family, a, b)) return KIN_SIBLING;
    if (kin_of_parent(family, a, b, kin_is_parent)) return KIN_GRANDPARENT;
    if (kin_of_parent(family, b, a, kin_is_parent)) return KIN_GRANDCHILD;
    if (kin_is_uncle(family, a, b)) return KIN_UNCLE;
    if (kin_is_uncle(family, b, a)) return KIN_NEPHEW;
    if (family->parents[a][0] != KIN_NOBODY &&
        (kin_is_uncle(family, b, family->parents[a][0]) || kin_is_uncle(family, b, family->parents[a][1])))
        return KIN_COUSIN;
    if (of_a != KIN_NOBODY && kin_is_parent(family, of_a, b)) return KIN_PARENT_IN_LAW;
    if (of_b != KIN_NOBODY && kin_is_parent(family, of_b, a)) return KIN_CHILD_IN_LAW;
    if ((of_a != KIN_NOBODY && kin_is_sibling(family, of_a, b)) ||
        (of_b != KIN_NOBODY && kin_is_sibling(family, a, of_b)))
        return KIN_SIBLING_IN_LAW;
    return KIN_NONE;
}

/* ---- composition ---- */

/* All that follow, by trying all triples of many families: GIVES(first, second, what both give). */
static const uint8_t kin_compositions[KIN_RELATIONS][KIN_RELATIONS] = {
#define GIVES(first, second, both) [KIN_##first][KIN_##second] = 1 + KIN_##both,
    GIVES(PARENT, PARENT, GRANDPARENT) GIVES(PARENT, CHILD, SIBLING) GIVES(PARENT, SIBLING, UNCLE)
        GIVES(PARENT, SPOUSE, PARENT) GIVES(PARENT, NEPHEW, COUSIN) GIVES(PARENT, PARENT_IN_LAW, GRANDPARENT)
            GIVES(CHILD, PARENT, SPOUSE) GIVES(CHILD, CHILD, GRANDCHILD) GIVES(CHILD, SIBLING, CHILD) GIVES(
                CHILD, SPOUSE, CHILD_IN_LAW) GIVES(CHILD, NEPHEW, GRANDCHILD) GIVES(SIBLING, PARENT, PARENT)
                GIVES(SIBLING, CHILD, NEPHEW) GIVES(SIBLING, SIBLING, SIBLING)
                    GIVES(SIBLING, SPOUSE, SIBLING_IN_LAW) GIVES(SIBLING, GRANDPARENT, GRANDPARENT)
                        GIVES(SIBLING, UNCLE, UNCLE) GIVES(SIBLING, COUSIN, COUSIN)
                            GIVES(SPOUSE, PARENT, PARENT_IN_LAW) GIVES(SPOUSE, CHILD, CHILD) GIVES(
                                SPOUSE, SIBLING, SIBLING_IN_LAW) GIVES(SPOUSE, GRANDCHILD, GRANDCHILD)
                                GIVES(SPOUSE, PARENT_IN_LAW, PARENT) GIVES(SPOUSE, CHILD_IN_LAW, CHILD_IN_LAW)
                                    GIVES(GRANDPARENT, SPOUSE, GRANDPARENT)
                                        GIVES(GRANDCHILD, SIBLING, GRANDCHILD)
                                            GIVES(UNCLE, PARENT, GRANDPARENT) GIVES(UNCLE, CHILD, COUSIN)
                                                GIVES(NEPHEW, SIBLING, NEPHEW) GIVES(COUSIN, SIBLING, COUSIN)
                                                    GIVES(PARENT_IN_LAW, SPOUSE, PARENT_IN_LAW)
                                                        GIVES(CHILD_IN_LAW, CHILD, GRANDCHILD)
                                                            GIVES(CHILD_IN_LAW, SPOUSE, CHILD)
                                                                GIVES(CHILD_IN_LAW, PARENT_IN_LAW, SPOUSE)
#undef GIVES
};

kin kin_compose(kin first, kin second) {
    const uint32_t given =
        first == KIN_NONE || second == KIN_NONE ? 0 : (uint32_t)kin_compositions[first][second];
    return given == 0 ? KIN_NONE : (kin)(given - 1);
}

/* One walk; false if it comes to an end before that many hops. */
static bool kin_walk(experiment_source *source, kin_chain *chain) {
    const kin_family *family = &chain->family;
    uint64_t met = 0;
    for (uint32_t k = 0; k <= chain->hops; ++k) {
        uint8_t fitting[KIN_MOST_PERSONS];
        uint32_t count = 0;
        for (uint32_t b = 0; b < family->persons; ++b) {
            const kin link = k == 0 ? KIN_NONE : kin_between(family, chain->persons[k - 1], b);
            const bool fits = k == 0 || (k == 1 ? link : kin_compose(chain->ends, link)) != KIN_NONE;
            if (fits && !(met >> b & 1)) fitting[count++] = (uint8_t)b;
        }
        if (count == 0) return false;
        const uint8_t next = fitting[experiment_below(source, count)];
        chain->persons[k] = next;
        met |= (uint64_t)1 << next;
        if (k == 0) continue;
        chain->links[k - 1] = kin_between(family, chain->persons[k - 1], next);
        chain->ends = k == 1 ? chain->links[0] : kin_compose(chain->ends, chain->links[k - 1]);
    }
    return true;
}

void kin_draw_chain(experiment_source *source, uint32_t hops, kin_chain *out_chain) {
    out_chain->hops = hops;
    for (;;) {
        kin_draw_family(source, &out_chain->family);
        for (uint32_t tried = 0; tried < TRIES; ++tried)
            if (kin_walk(source, out_chain)) return;
    }
}

/* ---- the task ---- */

enum { FEWEST_TRAINED = 2, MOST_TRAINED = 3, FEWEST_TESTED = 4, WHOLE_TEST = KIN_MOST_HOPS + 2 };

/* A chain whose answer is one that was drawn before, if there is such a one among a few; else the last. Left alone,
 * answers such as cousin would be nearly every second one. Of long chains, which are
 * hard to find, the first is taken. */
static void kin_draw_asked_chain(experiment_source *source, uint32_t hops, kin_chain *out_chain) {
    enum { LONG = 9, TRIED = 12 };
    const kin wanted = (kin)experiment_below(source, KIN_RELATIONS);
    for (uint32_t tried = 0; tried < (hops < LONG ? TRIED : 1); ++tried) {
        kin_draw_chain(source, hops, out_chain);
        if (out_chain->ends == wanted) return;
    }
}

/* Chains of 2 and 3 hops, each of a family of its own, as long as there are nodes for them. In the test the first
 * chain is longer, and the only one that is asked about: of 4 to 10 hops, or, in graphs of fewer than 12 nodes, of as
 * many as these have room for. Types: 1 + what j is to i, both ways along the chain, 0 for all other pairs. */
bool experiment_draw_kinship(const experiment_task *task, experiment_source *source, uint32_t label,
                             const experiment_graph *graph) {
    (void)label;
    const uint32_t n = task->n;
    const bool is_test = graph->part == EXPERIMENT_TEST;
    uint32_t order[EXPERIMENT_MOST_NODES], used = 0;
    experiment_permutation(source, n, order);
    memset(graph->tokens, 0, n * sizeof graph->tokens[0]);
    memset(graph->edge_types, 0, (size_t)n * n * sizeof graph->edge_types[0]);
    for (uint32_t k = 0; k < n * n; ++k) graph->targets[k] = -1;
    while (used + FEWEST_TRAINED + 1 <= n) {
        const bool is_long = is_test && used == 0;
        uint32_t hops = FEWEST_TRAINED + experiment_below(source, MOST_TRAINED - FEWEST_TRAINED + 1);
        if (is_long)
            hops = n < WHOLE_TEST
                       ? n - 1
                       : FEWEST_TESTED + experiment_below(source, KIN_MOST_HOPS - FEWEST_TESTED + 1);
        if (hops + 1 > n - used) hops = n - used - 1;
        kin_chain chain;
        kin_draw_asked_chain(source, hops, &chain);
        for (uint32_t k = 0; k < hops; ++k) {
            const uint32_t i = order[used + k], j = order[used + k + 1];
            graph->edge_types[i * n + j] = 1 + (int32_t)chain.links[k];
            graph->edge_types[j * n + i] =
                1 + (int32_t)kin_between(&chain.family, chain.persons[k + 1], chain.persons[k]);
        }
        if (is_long || !is_test) graph->targets[order[used] * n + order[used + hops]] = (int32_t)chain.ends;
        used += hops + 1;
    }
    return true;
}

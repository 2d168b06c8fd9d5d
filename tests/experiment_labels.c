/* experiment_labels.c: labels by brute force. See experiment_labels.h. */
#include "experiment_labels.h"

#include "expect.h"

static int32_t type_of(const int32_t *types, uint32_t n, uint32_t i, uint32_t j) {
    return types[i * n + j];
}

/* Closed walks of three steps. */
static int32_t cycles_label(const int32_t *types, uint32_t n) {
    int32_t walks = 0;
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t j = 0; j < n; ++j)
            for (uint32_t l = 0; l < n; ++l)
                walks += type_of(types, n, i, j) * type_of(types, n, j, l) * type_of(types, n, l, i);
    return walks > 0;
}

static int32_t foaf_label(const int32_t *types, uint32_t n, uint32_t i, uint32_t j) {
    int32_t ways = 0;
    for (uint32_t l = 0; l < n; ++l) ways += type_of(types, n, i, l) * type_of(types, n, l, j);
    return ways > 0;
}

static int32_t compose_label(const int32_t *types, uint32_t n, uint32_t i, uint32_t j) {
    uint32_t middle = n, end = n;
    for (uint32_t l = 0; l < n; ++l)
        if (type_of(types, n, i, l) % 2 == 1) middle = l;
    assert_true(middle < n);
    for (uint32_t l = 0; l < n; ++l)
        if (type_of(types, n, middle, l) >= 2) end = l;
    return end == j;
}

static bool tool_experiment_is_set(int32_t a, int32_t b, int32_t c) {
    for (uint32_t attribute = 0; attribute < 3; ++attribute, a /= 3, b /= 3, c /= 3) {
        const bool equal = a % 3 == b % 3 && b % 3 == c % 3;
        const bool different = a % 3 != b % 3 && b % 3 != c % 3 && a % 3 != c % 3;
        if (!equal && !different) return false;
    }
    return true;
}

static int32_t set_label(const int32_t *cards, uint32_t n, uint32_t i, uint32_t j) {
    for (uint32_t l = 0; l < n; ++l)
        if (l != i && l != j && tool_experiment_is_set(cards[i], cards[j], cards[l])) return 1;
    return 0;
}

/* Groups 0, 1 and 2 of relation and quotient. ways: over the l, and over the others of l's class. */
static int32_t relation_label(const int32_t *types, const int32_t *group, uint32_t n, uint32_t i, uint32_t j,
                              bool by_class) {
    int32_t ways = 0;
    if (group[i] != 0 || group[j] != 2) return -1;
    for (uint32_t l = 0; l < n; ++l)
        for (uint32_t k = 0; k < n; ++k)
            if (by_class ? type_of(types, n, l, k) == 2 : l == k)
                ways += type_of(types, n, i, l) == 1 && type_of(types, n, k, j) == 1;
    return ways > 0;
}

/* All pairs of edges, with the four ends compared one by one. */
static int32_t twins_label(const int32_t *types, uint32_t n, uint32_t i, uint32_t j) {
    uint32_t twins = 0;
    if (i == j) return -1;
    assert_true(type_of(types, n, i, j) >= 1);
    for (uint32_t other = 0; other < n * n; ++other) {
        const uint32_t ends[4] = {i, j, other / n, other % n};
        bool different = true;
        for (uint32_t a = 0; a < 4; ++a)
            for (uint32_t b = 0; b < a; ++b) different = different && ends[a] != ends[b];
        twins += different && types[other] == type_of(types, n, i, j);
    }
    return twins > 0;
}

static int32_t repeats_label(const int32_t *types, uint32_t n, uint32_t i, uint32_t j) {
    uint32_t equal = 0;
    for (uint32_t l = 0; l < n; ++l) equal += type_of(types, n, i, l) == type_of(types, n, i, j);
    return equal > 1; /* (i, j) is one of them */
}

static int32_t analogy_label(const int32_t *types, const int32_t *situation, uint32_t n, uint32_t i,
                             uint32_t j) {
    const int32_t own = type_of(types, n, i, j);
    assert_true((own == 0) == (i == j || situation[i] != situation[j]));
    if (own == 0) return -1;
    for (uint32_t other = 0; other < n * n; ++other)
        if (types[other] == own && situation[other / n] == 1 - situation[i] &&
            situation[other % n] == 1 - situation[j])
            return 1;
    return 0;
}

/* By the number that is missing. */
static int32_t match3_label(const int32_t *numbers, uint32_t n, uint32_t i, int32_t modulus) {
    for (uint32_t j = 0; j < n; ++j) {
        const int32_t missing = (2 * modulus - numbers[i] - numbers[j]) % modulus;
        for (uint32_t k = 0; k < n; ++k)
            if (numbers[k] == missing) return 1;
    }
    return 0;
}

static int32_t siblings_label(const int32_t *types, uint32_t n, uint32_t i, uint32_t j) {
    int32_t common = 0, values = 0;
    if (i == j) return -1;
    for (uint32_t l = 0; l < n; ++l) {
        common += type_of(types, n, i, l) % 2 * (type_of(types, n, j, l) % 2);
        values += type_of(types, n, i, l) % 2;
    }
    assert_int_equal(values, 1);
    return common;
}

/* An order of the nodes in which each is joined to as many of those before it as possible, so that few images
 * fit. */
static void order_by_joins(const int32_t *types, uint32_t n, uint32_t *out_order) {
    bool taken[EXPERIMENT_MOST_NODES] = {0};
    for (uint32_t k = 0; k < n; ++k) {
        uint32_t best = n, most = 0;
        for (uint32_t i = 0; i < n; ++i) {
            uint32_t joins = 1;
            for (uint32_t l = 0; l < k; ++l) joins += type_of(types, n, i, out_order[l]) != 0;
            if (taken[i] || joins <= most) continue;
            best = i;
            most = joins;
        }
        taken[best] = true;
        out_order[k] = best;
    }
}

bool experiment_isomorphic(const int32_t *left, const int32_t *right, uint32_t n) {
    uint32_t order[EXPERIMENT_MOST_NODES];
    uint32_t image[EXPERIMENT_MOST_NODES] = {0}, k = 0; /* order[l], l < k, have images; image[k] is tried */
    order_by_joins(left, n, order);
    for (;;) {
        bool fits = true;
        for (uint32_t l = 0; fits && l < k; ++l)
            fits = image[l] != image[k] &&
                   type_of(left, n, order[l], order[k]) == type_of(right, n, image[l], image[k]);
        if (fits && k + 1 == n) return true;
        if (fits) {
            image[++k] = 0;
            continue;
        }
        while (image[k] + 1 == n)
            if (k-- == 0) return false;
        ++image[k];
    }
}

static uint32_t count_cliques(const int32_t *types, uint32_t n, uint32_t size) {
    uint32_t found = 0;
    for (uint32_t a = 0; a < n; ++a)
        for (uint32_t b = 0; b < a; ++b)
            for (uint32_t c = 0; c < b; ++c)
                for (uint32_t d = 0; d < (size == 4 ? c : 1); ++d)
                    found += type_of(types, n, a, b) && type_of(types, n, a, c) && type_of(types, n, b, c) &&
                             (size == 3 || (type_of(types, n, a, d) && type_of(types, n, b, d) &&
                                            type_of(types, n, c, d)));
    return found;
}

/* Of the adjacency matrix over the field of two elements, by elimination; n at most 64. */
static uint32_t binary_rank(const int32_t *types, uint32_t n) {
    uint64_t rows[EXPERIMENT_MOST_NODES] = {0};
    uint32_t rank = 0;
    for (uint32_t k = 0; k < n * n; ++k) rows[k / n] |= (uint64_t)type_of(types, n, k / n, k % n) << k % n;
    for (uint32_t column = 0; column < n; ++column) {
        uint32_t pivot = rank;
        while (pivot < n && !(rows[pivot] >> column & 1)) ++pivot;
        if (pivot == n) continue;
        const uint64_t row = rows[pivot];
        rows[pivot] = rows[rank];
        rows[rank++] = row;
        for (uint32_t r = rank; r < n; ++r)
            if (rows[r] >> column & 1) rows[r] ^= row;
    }
    return rank;
}

/* 1 if the graph is the second of the task's two: by something in which the two differ. */
static int32_t second_label(const experiment_task *task, const int32_t *types) {
    const uint32_t n = task->n;
    if (strcmp(task->name, "circulants") == 0) return count_cliques(types, n, 3) == 0;
    if (strcmp(task->name, "strongly-regular") == 0) return count_cliques(types, n, 4) == 0;
    if (strcmp(task->name, "designs") == 0) return binary_rank(types, n) == 2 * 7; /* else 2 * 6 */
    experiment_data two;
    experiment_data_draw(task, 1, EXPERIMENT_TEST, 2, &two); /* labels alternate */
    const bool is_second = experiment_isomorphic(two.edge_types + (size_t)n * n, types, n);
    assert_true(is_second != experiment_isomorphic(two.edge_types, types, n));
    experiment_data_free(&two);
    return is_second;
}

int32_t experiment_true_label(const experiment_task *task, const experiment_data *data, uint32_t graph,
                              uint32_t target) {
    const uint32_t n = data->n, i = target / n, j = target % n;
    const int32_t *types = data->edge_types == NULL ? NULL : data->edge_types + (size_t)graph * n * n,
                  *tokens = data->tokens + (size_t)graph * n;
    const char *name = task->name;
    if (task->two_graphs) return second_label(task, types);
    if (strcmp(name, "cycles") == 0) return cycles_label(types, n);
    if (strcmp(name, "match3") == 0) return match3_label(tokens, n, target, (int32_t)task->tokens);
    if (strcmp(name, "compose") == 0) return compose_label(types, n, i, j);
    if (strcmp(name, "relation") == 0) return relation_label(types, tokens, n, i, j, false);
    if (strcmp(name, "quotient") == 0) return relation_label(types, tokens, n, i, j, true);
    if (strcmp(name, "twins") == 0) return twins_label(types, n, i, j);
    if (strcmp(name, "repeats") == 0) return repeats_label(types, n, i, j);
    if (strcmp(name, "analogy") == 0) return analogy_label(types, tokens, n, i, j);
    if (strcmp(name, "siblings") == 0) return siblings_label(types, n, i, j);
    if (i == j) return -1;
    if (strncmp(name, "foaf", 4) == 0) return foaf_label(types, n, i, j);
    if (strcmp(name, "set") == 0) return set_label(tokens, n, i, j);
    fail_msg("no brute force for the task %s", name);
    return -1;
}

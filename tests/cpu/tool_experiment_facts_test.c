/* tool_experiment_facts_test.c: the tasks of `quartic experiment` whose answers are facts: kinship, against the families
 * behind the chains, and countries, against data/countries.csv, of which no pair that the test asks for is ever given or
 * asked in training. */
#include "expect.h"

#include "experiment_kin.h"
#include "tool/experiment_countries.h"
#include "tool_run.h"

enum { CHAINS = 40, GRAPHS = 48 };

static void chains_follow_from_their_families(void **state) {
    (void)state;
    experiment_source source = {.seed = 21};
    for (uint32_t hops = 1; hops <= KIN_MOST_HOPS; ++hops)
        for (uint32_t k = 0; k < CHAINS; ++k) {
            kin_chain chain;
            kin_draw_chain(&source, hops, &chain);
            uint64_t met = 0;
            assert_int_equal(chain.hops, hops);
            for (uint32_t at = 0; at <= hops; ++at) {
                assert_false(met >> chain.persons[at] & 1);
                met |= (uint64_t)1 << chain.persons[at];
                if (at == 0) continue;
                assert_int_equal(
                    chain.links[at - 1],
                    experiment_kin_between(&chain.family, chain.persons[at - 1], chain.persons[at]));
                assert_true(chain.links[at - 1] != KIN_NONE);
            }
            assert_int_equal(chain.ends,
                             experiment_kin_between(&chain.family, chain.persons[0], chain.persons[hops]));
        }
}

static void all_relations_of_a_family_are_right(void **state) {
    (void)state;
    experiment_source source = {.seed = 22};
    uint32_t seen[KIN_RELATIONS + 1] = {0};
    for (uint32_t k = 0; k < CHAINS; ++k) {
        kin_family family;
        kin_draw_family(&source, &family);
        for (uint32_t a = 0; a < family.persons; ++a)
            for (uint32_t b = 0; b < family.persons; ++b) {
                const kin found = kin_between(&family, a, b);
                assert_int_equal(found, experiment_kin_between(&family, a, b));
                ++seen[found];
            }
    }
    for (uint32_t k = 0; k < KIN_RELATIONS; ++k) assert_true(seen[k] > 0);
}

/* Both ways: nothing is claimed that does not follow, and nothing is left out that does. */
static void compositions_are_those_of_all_families(void **state) {
    (void)state;
    for (uint32_t k = 0; k < KIN_RELATIONS * KIN_RELATIONS; ++k) {
        const kin first = (kin)(k / KIN_RELATIONS), second = (kin)(k % KIN_RELATIONS);
        if (kin_compose(first, second) != experiment_kin_compose(first, second))
            fail_msg("relations %d and %d: %d, not %d", (int)first, (int)second,
                     (int)kin_compose(first, second), (int)experiment_kin_compose(first, second));
    }
}

/* Pairs along the chain from i until j: hops. */
static uint32_t count_hops(const int32_t *types, uint32_t n, uint32_t i, uint32_t j) {
    uint32_t before = n, at = i, hops = 0;
    while (at != j && hops < n) {
        uint32_t next = n;
        for (uint32_t l = 0; l < n; ++l)
            if (l != before && types[at * n + l] != 0) next = l;
        assert_true(next < n);
        before = at;
        at = next;
        ++hops;
    }
    return hops;
}

/* Hops that are asked for, as bits, in graphs of n nodes for a part. */
static uint32_t asked_hops(uint32_t n, experiment_part part, uint32_t graphs) {
    experiment_task task;
    experiment_data data;
    uint32_t asked = 0;
    assert_true(experiment_task_resize(experiment_task_named("kinship"), n, &task));
    experiment_data_draw(&task, 3, part, graphs, &data);
    for (uint32_t k = 0; k < data.graphs * n * n; ++k)
        if (data.targets[k] >= 0) {
            const uint32_t graph = k / (n * n), pair = k % (n * n);
            asked |= 1u << count_hops(data.edge_types + (size_t)graph * n * n, n, pair / n, pair % n);
        }
    experiment_data_free(&data);
    return asked;
}

static void kinship_is_tested_on_longer_chains(void **state) {
    (void)state;
    assert_int_equal(asked_hops(12, EXPERIMENT_TRAIN, GRAPHS), 1u << 2 | 1u << 3);
    assert_int_equal(asked_hops(12, EXPERIMENT_VALIDATION, GRAPHS), 1u << 2 | 1u << 3);
    assert_int_equal(asked_hops(12, EXPERIMENT_TEST, 2 * GRAPHS), 0x7f << 4);
    for (uint32_t n = 5; n < 12; ++n) assert_int_equal(asked_hops(n, EXPERIMENT_TEST, 4), 1u << (n - 1));
}

/* ---- countries ---- */

/* The line of a country in the file, without its end. */
static void find_line(const char *text, const char *code, char out_line[256]) {
    char start[8];
    snprintf(start, sizeof start, "\n%.3s,", code);
    const char *line = strstr(text, start);
    assert_non_null(line);
    const size_t length = strcspn(line + 1, "\n");
    assert_true(length < 256);
    memcpy(out_line, line + 1, length);
    out_line[length] = 0;
}

static void countries_are_those_of_the_file(void **state) {
    (void)state;
    static char text[1 << 16];
    const countries_table *table = countries_read();
    tool_read_file(QUARTIC_TEST_SOURCE "/data/countries.csv", text, sizeof text);
    uint32_t lines = 0;
    for (const char *at = text; *at != 0; ++at) lines += *at == '\n';
    assert_int_equal(table->countries, lines - 1);
    assert_true(table->countries > 100 && table->parts > 15);
    for (uint32_t c = 0; c < table->countries; ++c) {
        char line[256], part[64];
        find_line(text, table->codes[c], line);
        snprintf(part, sizeof part, ",%s,", table->part_names[table->part_of[c]]);
        assert_non_null(strstr(line, part));
        for (uint32_t other = 0; other < table->countries; ++other) {
            const char *neighbours = strrchr(line, ',') + 1;
            assert_int_equal(table->borders[c][other], strstr(neighbours, table->codes[other]) != NULL);
            assert_int_equal(table->borders[c][other], table->borders[other][c]);
        }
        assert_false(table->borders[c][c]);
    }
    /* and two facts that everybody can check */
    char line[256];
    find_line(text, "PRT", line);
    assert_string_equal(line, "PRT,Southern Europe,ESP");
}

/* Which (country, part) the graphs of a part of the data show as edges, and which they ask. */
typedef struct countries_seen {
    bool shown[COUNTRIES_MOST][COUNTRIES_MOST_PARTS], asked[COUNTRIES_MOST][COUNTRIES_MOST_PARTS];
} countries_seen;

static void look_at_graphs(experiment_part part, countries_seen *out_seen) {
    const experiment_task *task = experiment_task_named("countries");
    const countries_table *table = countries_read();
    const uint32_t n = task->n;
    memset(out_seen, 0, sizeof *out_seen);
    for (uint32_t k = 0; k < GRAPHS; ++k) {
        int32_t tokens[EXPERIMENT_MOST_NODES], types[EXPERIMENT_MOST_NODES * EXPERIMENT_MOST_NODES],
            targets[EXPERIMENT_MOST_NODES * EXPERIMENT_MOST_NODES];
        uint32_t entities[EXPERIMENT_MOST_NODES], of[2] = {0, 0};
        const experiment_graph graph = {tokens, types, targets, part};
        experiment_source source = {.seed = 9, .stream = k};
        while (!countries_draw(task, &source, &graph, entities)) continue;
        for (uint32_t pair = 0; pair < n * n; ++pair) {
            const uint32_t a = entities[pair / n], b = entities[pair % n];
            const bool is_border = a < COUNTRIES_MOST && b < COUNTRIES_MOST && table->borders[a][b];
            assert_int_equal(tokens[pair / n], a >= COUNTRIES_MOST);
            assert_int_equal(types[pair] == 1, is_border);
            assert_int_equal(types[pair], types[pair % n * n + pair / n]);
            if (a >= COUNTRIES_MOST || b < COUNTRIES_MOST) {
                assert_int_equal(targets[pair], -1);
                continue;
            }
            const bool lies = table->part_of[a] == b - COUNTRIES_MOST;
            if (types[pair] == 2) assert_true(lies);
            if (types[pair] == 2) assert_int_equal(targets[pair], -1);
            if (types[pair] == 2) out_seen->shown[a][b - COUNTRIES_MOST] = true;
            if (targets[pair] < 0) continue;
            assert_int_equal(targets[pair], lies);
            out_seen->asked[a][b - COUNTRIES_MOST] = true;
            ++of[lies];
        }
        assert_true(of[0] >= 2 && of[1] >= 2);
    }
}

static void asked_pairs_were_held_out(void **state) {
    (void)state;
    static countries_seen of[3];
    for (uint32_t part = 0; part < 3; ++part) look_at_graphs((experiment_part)part, &of[part]);
    uint32_t asked[3] = {0, 0, 0};
    for (uint32_t k = 0; k < COUNTRIES_MOST * COUNTRIES_MOST_PARTS; ++k) {
        const uint32_t c = k / COUNTRIES_MOST_PARTS, p = k % COUNTRIES_MOST_PARTS;
        for (uint32_t part = 0; part < 3; ++part) {
            asked[part] += of[part].asked[c][p];
            if (part != EXPERIMENT_TRAIN && of[part].asked[c][p])
                for (uint32_t other = 0; other < 3; ++other) {
                    assert_false(of[other].shown[c][p]);
                    if (other != part) assert_false(of[other].asked[c][p]);
                }
        }
    }
    for (uint32_t part = 0; part < 3; ++part) assert_true(asked[part] > 20);
}

static void both_tasks_are_learnt_by_the_tool(void **state) {
    (void)state;
    tool_expect(
        "$Q experiment kinship countries --steps 2 --seeds 1 --batch 4 --graphs 64 --evaluations 1 --quick "
        "--only triangle --no-map --device cpu --out run",
        0, "kinship: what is j to i");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_follow_from_their_families),
        cmocka_unit_test(all_relations_of_a_family_are_right),
        cmocka_unit_test(compositions_are_those_of_all_families),
        cmocka_unit_test(kinship_is_tested_on_longer_chains),
        cmocka_unit_test(countries_are_those_of_the_file),
        cmocka_unit_test(asked_pairs_were_held_out),
        cmocka_unit_test(both_tasks_are_learnt_by_the_tool),
    };
    return cmocka_run_group_tests(tests, tool_make_test_folder, tool_remove_test_folder);
}

/* tool_data_test.c: files as other programs write them: every integer type, anything in padding, capital
 * endings, byte-order marks, zeros and doubled keys in configurations, prefixes before the names of weights.
 */
#include "expect.h"

#include <math.h>

#include "tool_run.h"

#include "base/alloc.h"
#include "quartic/data.h"
#include "quartic/io.h"
#include "tool/graphs.h"
#include "tool/models.h"

enum { GRAPHS = 4, N = 3, WIDTH = 2, MOST_BYTES = GRAPHS * N * N * 8 };

static const char *tool_data_in_folder(const char *name) {
    static char path[700];
    snprintf(path, sizeof path, "%s/%s", tool_folder, name);
    return path;
}

/* ---- integer types ---- */

/* Little-endian, as the format wants it, of numbers that fit the type. */
static void tool_data_store(quartic_safetensors_dtype dtype, const int64_t *numbers, size_t count,
                            unsigned char *out) {
    const size_t size = quartic_safetensors_dtype_size(dtype);
    for (size_t i = 0; i < count; ++i)
        for (size_t k = 0; k < size; ++k) out[i * size + k] = (unsigned char)((uint64_t)numbers[i] >> 8 * k);
}

static const struct {
    quartic_safetensors_dtype dtype;
    bool is_signed;
    int64_t most; /* that fits both the type and int32 */
} types[] = {
    {QUARTIC_SAFETENSORS_I8, true, INT8_MAX},   {QUARTIC_SAFETENSORS_U8, false, UINT8_MAX},
    {QUARTIC_SAFETENSORS_I16, true, INT16_MAX}, {QUARTIC_SAFETENSORS_U16, false, UINT16_MAX},
    {QUARTIC_SAFETENSORS_I32, true, INT32_MAX}, {QUARTIC_SAFETENSORS_U32, false, INT32_MAX},
    {QUARTIC_SAFETENSORS_I64, true, INT32_MAX}, {QUARTIC_SAFETENSORS_U64, false, INT32_MAX},
};
enum { TYPES = sizeof types / sizeof types[0] };

/* Tokens, edge types, mask and targets of the type, up to its largest number. */
static void every_integer_type_is_taken_up_to_its_range(void **state) {
    (void)state;
    for (size_t t = 0; t < TYPES; ++t) {
        static unsigned char bytes[4][MOST_BYTES];
        static int64_t tokens[GRAPHS * N], edges[GRAPHS * N * N], mask[GRAPHS * N], targets[GRAPHS];
        for (int i = 0; i < GRAPHS * N * N; ++i) edges[i] = types[t].is_signed && i % 3 == 0 ? -1 : i % 5;
        for (int i = 0; i < GRAPHS * N; ++i) tokens[i] = i, mask[i] = 1;
        for (int g = 0; g < GRAPHS; ++g) targets[g] = g;
        tokens[1] = edges[2] = targets[3] = types[t].most;
        tool_data_store(types[t].dtype, tokens, GRAPHS * N, bytes[0]);
        tool_data_store(types[t].dtype, edges, GRAPHS * N * N, bytes[1]);
        tool_data_store(types[t].dtype, mask, GRAPHS * N, bytes[2]);
        tool_data_store(types[t].dtype, targets, GRAPHS, bytes[3]);
        const quartic_safetensors_tensor tensors[] = {
            {"tokens", types[t].dtype, QUARTIC_SHAPE(GRAPHS, N), bytes[0], 0},
            {"edge_types", types[t].dtype, QUARTIC_SHAPE(GRAPHS, N, N), bytes[1], 0},
            {"mask", types[t].dtype, QUARTIC_SHAPE(GRAPHS, N), bytes[2], 0},
            {"targets", types[t].dtype, QUARTIC_SHAPE(GRAPHS), bytes[3], 0}};
        assert_ok(quartic_safetensors_save(tool_data_in_folder("types.safetensors"), tensors, 4, NULL, 0));
        quartic_dataset *dataset;
        quartic_model_batch batch;
        assert_ok(quartic_dataset_open(tool_data_in_folder("types.safetensors"), &dataset));
        static const uint32_t all[GRAPHS] = {0, 1, 2, 3};
        assert_ok(quartic_dataset_gather(dataset, all, GRAPHS, &batch));
        for (int i = 0; i < GRAPHS * N; ++i) assert_true(batch.tokens[i] == tokens[i] && batch.mask[i] == 1);
        for (int i = 0; i < GRAPHS * N * N; ++i) assert_true(batch.edge_types[i] == edges[i]);
        for (int g = 0; g < GRAPHS; ++g) assert_true(batch.targets[g] == targets[g]);
        const quartic_dataset_info *info = quartic_dataset_get_info(dataset);
        assert_int_equal(info->num_tokens, (uint32_t)types[t].most + 1);
        assert_int_equal(info->num_edge_types, (uint32_t)types[t].most + 1);
        assert_int_equal(info->num_classes, (uint32_t)types[t].most + 1);
        quartic_dataset_close(dataset);
    }
}

/* Opens a dataset of I64 tokens, edge types, targets of nodes and a mask of any type. */
typedef struct wide_set {
    int64_t tokens[GRAPHS * N], edges[GRAPHS * N * N], targets[GRAPHS * N];
    float mask[GRAPHS * N];
} wide_set;

static quartic_status open_wide(const wide_set *set, quartic_dataset **out_dataset) {
    const quartic_safetensors_tensor tensors[] = {
        {"tokens", QUARTIC_SAFETENSORS_I64, QUARTIC_SHAPE(GRAPHS, N), set->tokens, 0},
        {"edge_types", QUARTIC_SAFETENSORS_I64, QUARTIC_SHAPE(GRAPHS, N, N), set->edges, 0},
        {"targets", QUARTIC_SAFETENSORS_I64, QUARTIC_SHAPE(GRAPHS, N), set->targets, 0},
        {"mask", QUARTIC_SAFETENSORS_F32, QUARTIC_SHAPE(GRAPHS, N), set->mask, 0}};
    assert_ok(quartic_safetensors_save(tool_data_in_folder("wide.safetensors"), tensors, 4, NULL, 0));
    return quartic_dataset_open(tool_data_in_folder("wide.safetensors"), out_dataset);
}

static void numbers_beyond_int32_are_refused_with_their_place(void **state) {
    (void)state;
    static wide_set set;
    for (int i = 0; i < GRAPHS * N; ++i) set.mask[i] = 1;
    static const int64_t beyond[] = {(int64_t)INT32_MAX + 1, INT64_MAX, (int64_t)INT32_MIN - 1, INT64_MIN};
    for (size_t c = 0; c < 4; ++c)
        for (int where = 0; where < 3; ++where) {
            static const char *const places[] = {"(2, 1) of tensor \"tokens\"",
                                                 "(1, 2, 0) of tensor \"edge_types\"",
                                                 "(3, 2) of tensor \"targets\""};
            int64_t *at = where == 0   ? &set.tokens[2 * N + 1]
                          : where == 1 ? &set.edges[N * N + 2 * N]
                                       : &set.targets[3 * N + 2];
            *at = beyond[c];
            quartic_dataset *dataset;
            const quartic_status status = open_wide(&set, &dataset);
            if (beyond[c] < 0 && where > 0) { /* all negative types and targets mean: none */
                quartic_model_batch batch;
                static const uint32_t all[GRAPHS] = {0, 1, 2, 3};
                assert_ok(status);
                assert_ok(quartic_dataset_gather(dataset, all, GRAPHS, &batch));
                assert_int_equal(where == 1 ? batch.edge_types[N * N + 2 * N] : batch.targets[3 * N + 2], -1);
                quartic_dataset_close(dataset);
            } else {
                assert_int_equal(status, QUARTIC_FORMAT);
                if (strstr(quartic_error_message(), places[where]) == NULL)
                    fail_msg("\"%s\" lacks \"%s\"", quartic_error_message(), places[where]);
            }
            *at = 0;
        }
}

/* Numbers that int32 holds but no model takes, in a file that decides the configuration itself. */
static void numbers_beyond_every_model_are_told_with_their_place(void **state) {
    (void)state;
    static wide_set set;
    for (int i = 0; i < GRAPHS * N; ++i) set.mask[i] = 1;
    static const char *const texts[] = {"tokens of wide.safetensors: 2147483646 at (2, 1) is beyond what any "
                                        "model takes: num_tokens is at most "
                                        "16777216",
                                        "edge_types of wide.safetensors: 2147483646 at (1, 2, 0) is beyond "
                                        "what any model takes: num_edge_types is "
                                        "at most 16777216",
                                        "targets of wide.safetensors: 2147483646 at (3, 2) is beyond what "
                                        "any model takes: num_classes is at most "
                                        "16777216"};
    int64_t *const at[] = {&set.tokens[2 * N + 1], &set.edges[N * N + 2 * N], &set.targets[3 * N + 2]};
    for (size_t where = 0; where < 3; ++where) {
        quartic_dataset *dataset;
        *at[where] = INT32_MAX - 1;
        assert_ok(open_wide(&set, &dataset));
        quartic_dataset_close(dataset);
        tool_expect("echo '{\"model\": \"relational\", \"dim\": 8, \"depth\": 1}' > any.json; $Q train "
                    "wide.safetensors --config any.json --steps 1 --device cpu --out beyond",
                    1, texts[where]);
        *at[where] = 0;
    }
    tool_expect("test -e beyond", 1, "");
    tool_expect(
        "echo '{\"num_tokens\": 16777217, \"dim\": 8, \"depth\": 1}' > many.json; $Q inspect many.json", 1,
        "\"num_tokens\" of the model's configuration is 16777217; it must be");
}

/* ---- padding ---- */

/* The last node of each graph is padding and holds what nothing else may. */
static void anything_may_stand_in_padding(void **state) {
    (void)state;
    static wide_set set;
    static float nodes[GRAPHS * N * WIDTH];
    static double edges[GRAPHS * N * N * WIDTH];
    static const int64_t anything[] = {INT64_MAX, INT64_MIN, -1, 1 << 20, (int64_t)1 << 40};
    static const double no_number[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300};
    static const uint32_t all[GRAPHS] = {0, 1, 2, 3};
    for (int i = 0; i < GRAPHS * N; ++i) {
        const bool padding = i % N == N - 1;
        set.mask[i] = !padding;
        set.tokens[i] = padding ? anything[i % 5] : i % 2;
        set.targets[i] = padding ? anything[(i + 1) % 5] : i % 2;
        for (int w = 0; w < WIDTH; ++w)
            nodes[i * WIDTH + w] = padding ? (float)no_number[(i + w) % 3] : (float)w;
        for (int j = 0; j < N; ++j) {
            const bool edge_padding = padding || j == N - 1;
            set.edges[i * N + j] = edge_padding ? anything[(i + j) % 5] : j;
            for (int w = 0; w < WIDTH; ++w)
                edges[(i * N + j) * WIDTH + w] = edge_padding ? no_number[(i + j + w) % 5] : 0.5;
        }
    }
    quartic_dataset *dataset;
    quartic_model_batch batch;
    assert_ok(open_wide(&set, &dataset));
    const quartic_dataset_info *info = quartic_dataset_get_info(dataset);
    assert_true(info->num_tokens == 2 && info->num_edge_types == 2 && info->num_classes == 2);
    assert_int_equal(info->targets, GRAPHS * (N - 1));
    assert_ok(quartic_dataset_gather(dataset, all, GRAPHS, &batch));
    for (int i = 0; i < GRAPHS * N; ++i) {
        const bool padding = i % N == N - 1;
        assert_int_equal(batch.tokens[i], padding ? 0 : i % 2);
        assert_int_equal(batch.targets[i], padding ? -1 : i % 2);
        for (int j = 0; j < N; ++j)
            assert_int_equal(batch.edge_types[i * N + j], padding || j == N - 1 ? -1 : j);
    }
    quartic_dataset_close(dataset);

    quartic_safetensors_tensor tensors[] = {
        {"node_features", QUARTIC_SAFETENSORS_F32, QUARTIC_SHAPE(GRAPHS, N, WIDTH), nodes, 0},
        {"edge_features", QUARTIC_SAFETENSORS_F64, QUARTIC_SHAPE(GRAPHS, N, N, WIDTH), edges, 0},
        {"mask", QUARTIC_SAFETENSORS_F32, QUARTIC_SHAPE(GRAPHS, N), set.mask, 0},
        {"targets", QUARTIC_SAFETENSORS_I64, QUARTIC_SHAPE(GRAPHS, N, N), set.edges, 0}};
    assert_ok(quartic_safetensors_save(tool_data_in_folder("padded.safetensors"), tensors, 4, NULL, 0));
    assert_ok(quartic_dataset_open(tool_data_in_folder("padded.safetensors"), &dataset));
    assert_ok(quartic_dataset_gather(dataset, all, GRAPHS, &batch));
    for (int i = 0; i < GRAPHS * N * N * WIDTH; ++i)
        assert_true(batch.edge_features[i] == 0.0f || batch.edge_features[i] == 0.5f);
    for (int i = 0; i < GRAPHS * N * WIDTH; ++i)
        assert_true(batch.node_features[i] == 0.0f || batch.node_features[i] == 1.0f);
    quartic_dataset_close(dataset);
    tool_expect("echo '{\"model\": \"relational\", \"dim\": 8, \"depth\": 1, \"dim_edges\": 4, \"heads\": 2, "
                "\"dim_head\": 4, \"positions\": false}' > g.json; "
                "$Q train padded.safetensors --config g.json --device cpu --steps 2 --batch 2 --out padded",
                0, "finished at step 2");

    /* The same numbers in real nodes and edges are refused, with the place. */
    edges[(N * N + N) * WIDTH + 1] = NAN;
    assert_ok(quartic_safetensors_save(tool_data_in_folder("padded.safetensors"), tensors, 4, NULL, 0));
    assert_int_equal(quartic_dataset_open(tool_data_in_folder("padded.safetensors"), &dataset),
                     QUARTIC_NON_FINITE);
    assert_non_null(strstr(quartic_error_message(), "element (1, 1, 0, 1) of edge_features"));
    set.mask[N + 1] = NAN;
    assert_ok(quartic_safetensors_save(tool_data_in_folder("padded.safetensors"), tensors, 4, NULL, 0));
    assert_int_equal(quartic_dataset_open(tool_data_in_folder("padded.safetensors"), &dataset),
                     QUARTIC_NON_FINITE);
    assert_non_null(strstr(quartic_error_message(), "element (1, 1) of mask"));
}

/* ---- names and texts ---- */

#define CONFIG                                                                                               \
    "{\"num_tokens\": 256, \"dim\": 8, \"depth\": 1, \"dim_edges\": 4, \"heads\": 2, \"dim_head\": 4, "      \
    "\"linear_heads\": 2, \"linear_dim_head\": 4, \"num_residual_streams\": 1}"

static void endings_may_be_in_capitals(void **state) {
    (void)state;
    assert_true(tool_is_graphs("a.safetensors") && tool_is_graphs("a.SAFETENSORS") &&
                tool_is_graphs("A.SafeTensors"));
    assert_false(tool_is_graphs("safetensors") || tool_is_graphs(".safetensors") ||
                 tool_is_graphs("a.safetensors.txt"));
    assert_true(tool_is_config("a.JSON") && tool_is_config("a.json"));
    assert_false(tool_is_config("a.jsonl"));
    static const int32_t tokens[] = {0, 1, 2, 2, 1, 0}, targets[] = {0, 1};
    const quartic_safetensors_tensor tensors[] = {
        {"tokens", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(2, N), tokens, 0},
        {"targets", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(2), targets, 0}};
    assert_ok(quartic_safetensors_save(tool_data_in_folder("T.SAFETENSORS"), tensors, 2, NULL, 0));
    tool_expect("echo '{\"model\": \"relational\", \"dim\": 8, \"depth\": 1, \"dim_edges\": 4, \"heads\": 2, "
                "\"dim_head\": 4, \"positions\": false}' > g.JSON; "
                "$Q train T.SAFETENSORS --config g.JSON --device cpu --steps 1 --batch 2 --out capitals && "
                "cp capitals/checkpoint.safetensors M.SAFETENSORS && "
                "$Q eval M.SAFETENSORS T.SAFETENSORS --device cpu",
                0, "2 graphs");
    tool_expect("$Q inspect g.JSON", 0, "parameters");
    tool_expect("cp $S/tests/golden/module-edge-embedding.safetensors CASE.SAFETENSORS; "
                "$Q verify CASE.SAFETENSORS --device cpu",
                0, "edge_embedding");
}

static void configurations_are_utf8_with_any_line_ends(void **state) {
    (void)state;
    tool_expect("printf '\\357\\273\\277" CONFIG "\\r\\n' > mark.json; $Q inspect mark.json", 0,
                "parameters");
    tool_expect(
        "printf '{\\r\\n\"num_tokens\": 256,\\r\\n\"dim\": 8,\\r\\n\"depth\": 1\\r\\n}\\r\\n' > lines.json; "
        "$Q inspect lines.json",
        0, "parameters");
    tool_expect("printf '" CONFIG "\\000{\"dim\": 16}' > zero.json; $Q inspect zero.json", 1, "byte 0x00");
    tool_expect(
        "printf '{\"num_tokens\": 256, \"dim\": 8, \\000\"depth\": 1}' > zero.json; $Q inspect zero.json", 1,
        "byte 0x00");
    tool_expect("printf '{\"num_tokens\": 256, \"dim\\000x\": 8}' > zero.json; $Q inspect zero.json", 1,
                "no text may hold a zero");
    tool_expect("printf '{\"num_tokens\": 256, \"dim\": 8, \"dim\": 8, \"depth\": 1}' > twice.json; "
                "$Q inspect twice.json",
                1, "line 1, column 31: duplicate key \"dim\"");
    tool_expect("printf '\\377\\376{\\000}\\000' > wide.json; $Q inspect wide.json", 1, "save it as UTF-8");
    tool_expect(
        "printf '\\357\\273\\277abc' > mark.txt; printf '{\"num_tokens\": 128, \"dim\": 8, \"depth\": 1}' > "
        "seven.json; $Q train mark.txt --config seven.json --length 2 --batch 1 --steps 1 --device cpu "
        "--out seven",
        1, "the text begins with a byte-order mark");
}

/* A pipe gives its text once, so what comes out of one is read once. */
static void configurations_may_come_out_of_a_pipe(void **state) {
    (void)state;
    tool_expect("printf '" CONFIG
                "' | $Q train $S/README.md --config /dev/stdin --length 2 --batch 1 --steps 1 "
                "--device cpu --out piped",
                0, "finished at step 1");
    static const char graphs[] =
        "echo '{\"model\": \"relational\", \"dim\": 8, \"depth\": 1, \"dim_edges\": 4, "
        "\"positions\": false}'";
    char command[1024];
    static wide_set set;
    quartic_dataset *dataset;
    for (int i = 0; i < GRAPHS * N; ++i) set.mask[i] = 1;
    assert_ok(open_wide(&set, &dataset));
    quartic_dataset_close(dataset);
    snprintf(command, sizeof command,
             "%s | $Q train wide.safetensors --config /dev/stdin --steps 1 --device cpu --out piped-graphs",
             graphs);
    tool_expect(command, 0, "finished at step 1");
    snprintf(command, sizeof command,
             "%s | $Q train wide.safetensors --config /dev/stdin --steps 2 --device cpu --out piped-graphs "
             "--resume",
             graphs);
    tool_expect(command, 0, "finished at step 2");
}

/* The least configuration that README gives, and the keys that it leaves out. */
static void the_least_configuration_of_the_readme_works(void **state) {
    (void)state;
    tool_expect(
        "sed -n '/^## The smallest configuration/,/^## In C/p' $S/README.md | sed -n '/^```json/,/^```/p' | "
        "grep -v '```' > least.json; $Q inspect least.json",
        0, "parameters");
    tool_expect("$Q train $S/data/tales.txt --config least.json --steps 1 --batch 1 --length 8 --device cpu "
                "--out least",
                0, "finished at step 1");
    tool_expect("echo '{\"num_tokens\": 256, \"dim\": 64}' > less.json; $Q inspect less.json", 1,
                "must say \"depth\"");
}

/* ---- prefixes ---- */

/* Writes the run's weights again with a prefix before every name, or (all: false) before all but the last. */
static void write_with_prefix(const char *prefix, bool all, bool with_config) {
    quartic_safetensors *file;
    quartic_safetensors_tensor tensors[256];
    static char names[256][200];
    uint32_t count = 0;
    assert_ok(quartic_safetensors_open(tool_data_in_folder("plain/checkpoint.safetensors"), &file));
    for (uint32_t t = 0; t < quartic_safetensors_count(file); ++t) {
        const quartic_safetensors_tensor *tensor = quartic_safetensors_at(file, t);
        if (strncmp(tensor->name, "adamw.", 6) == 0) continue;
        assert_true(count < 256);
        tensors[count] = *tensor;
        snprintf(names[count], sizeof names[count], "%s%s", prefix, tensor->name);
        tensors[count].name = names[count];
        ++count;
    }
    if (!all) tensors[count - 1].name = names[count - 1] + strlen(prefix);
    const quartic_safetensors_text config = {"config", quartic_safetensors_metadata(file, "config")};
    assert_ok(quartic_safetensors_save(tool_data_in_folder("prefixed.safetensors"), tensors, count, &config,
                                       with_config));
    quartic_safetensors_close(file);
}

static void a_prefix_of_all_names_is_left_out_and_told(void **state) {
    (void)state;
    tool_expect("printf '" CONFIG
                "' > c.json; $Q train $S/data/tales.txt --config c.json --steps 1 --batch 1 "
                "--length 8 --device cpu --out plain && $Q eval plain $S/data/README.md --length 8 --device "
                "cpu --json | grep '\"loss\"' > plain.json",
                0, "finished at step 1");
    static const char *const prefixes[] = {"module.", "_orig_mod.", "model.", "_orig_mod.module.",
                                           "module._orig_mod.model."};
    for (size_t p = 0; p < sizeof prefixes / sizeof prefixes[0]; ++p) {
        char told[120];
        snprintf(told, sizeof told,
                 "every name in prefixed.safetensors begins with \"%s\", which was left out", prefixes[p]);
        write_with_prefix(prefixes[p], true, true);
        tool_expect("$Q eval prefixed.safetensors $S/data/README.md --length 8 --device cpu --json | "
                    "grep '\"loss\"' | cmp - plain.json "
                    "&& echo same",
                    0, "same");
        const tool_result *got = tool_run("$Q inspect prefixed.safetensors");
        assert_int_equal(got->code, 0);
        assert_non_null(strstr(got->err, told));
        write_with_prefix(prefixes[p], true, false);
        got = tool_run("rm -rf begun; $Q train $S/data/tales.txt --config c.json --init prefixed.safetensors "
                       "--steps 1 --batch 1 --length 8 --device cpu --out begun");
        assert_int_equal(got->code, 0);
        assert_non_null(strstr(got->err, told));
        write_with_prefix(prefixes[p], false, true);
        tool_expect("$Q eval prefixed.safetensors $S/data/README.md --device cpu", 1,
                    "a prefix is left out only where every tensor has it");
    }
    write_with_prefix("", true, true);
    const tool_result *got = tool_run("$Q inspect prefixed.safetensors");
    assert_int_equal(got->code, 0);
    assert_string_equal(got->err, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_integer_type_is_taken_up_to_its_range),
        cmocka_unit_test(numbers_beyond_int32_are_refused_with_their_place),
        cmocka_unit_test(numbers_beyond_every_model_are_told_with_their_place),
        cmocka_unit_test(anything_may_stand_in_padding),
        cmocka_unit_test(endings_may_be_in_capitals),
        cmocka_unit_test(configurations_are_utf8_with_any_line_ends),
        cmocka_unit_test(configurations_may_come_out_of_a_pipe),
        cmocka_unit_test(the_least_configuration_of_the_readme_works),
        cmocka_unit_test(a_prefix_of_all_names_is_left_out_and_told),
    };
    return cmocka_run_group_tests(tests, tool_make_test_folder, tool_remove_test_folder);
}

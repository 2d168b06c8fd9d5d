/* tool_json_test.c: what programs read is whole: every command with --json, over all families, read-outs and
 * ways to fail, is one document that parses; numbers that are none, names that are no UTF-8, streams that
 * take nothing. */
#include "expect.h"

#include <dirent.h>
#include <math.h>

#include <jansson.h>

#include "quartic/data.h"
#include "quartic/io.h"
#include "tool_run.h"

enum { GRAPHS = 6, NODES = 4, PATH_BYTES = 1024 };

#define SIZE  "\"dim\": 8, \"depth\": 2, \"dim_edges\": 4, \"heads\": 2, \"dim_head\": 4, \"max_seq_len\": 16"
#define AXIAL ", \"linear_heads\": 2, \"linear_dim_head\": 4"

/* Every family, and of edge attention the default, none, and a list. */
static const struct {
    const char *name, *config, *data; /* data: NULL is a text */
} families[] = {
    {"quartic", "{" SIZE AXIAL "}", NULL},
    {"forms", "{" SIZE ", \"edge_attention\": [\"triangle\", \"none\"]}", NULL},
    {"relational", "{\"model\": \"relational\", " SIZE "}", NULL},
    {"multi",
     "{\"model\": \"multi-stream\", \"dim\": 8, \"depth\": 1, \"heads\": 2, \"dim_head\": 4, "
     "\"max_seq_len\": "
     "16, \"num_streams\": 2}",
     NULL},
    {"nodes", "{\"model\": \"relational\", " SIZE ", \"positions\": false}", "nodes.safetensors"},
    {"pairs", "{" SIZE ", \"edge_attention\": \"full\"}", "edges.safetensors"},
    {"whole", "{" SIZE AXIAL ", \"static_edges\": false}", "whole.safetensors"},
};
enum { FAMILIES = sizeof families / sizeof families[0] };

static bool tool_json_save(const char *name, const quartic_safetensors_tensor *tensors, uint32_t count,
                           const quartic_safetensors_text *texts, uint32_t text_count) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", tool_folder, name);
    return quartic_safetensors_save(path, tensors, count, texts, text_count) == QUARTIC_OK;
}

/* The stdout of a command as one document of JSON, to be freed; the test fails if it is none. */
static json_t *tool_json_parse(const char *command, int code) {
    char path[PATH_BYTES], line[4096];
    snprintf(line, sizeof line, "{ %s ; } > json", command);
    const tool_result *got = tool_run(line);
    snprintf(path, sizeof path, "%s/json", tool_folder);
    json_error_t error;
    json_t *document = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (got->code != code || document == NULL)
        fail_msg("%s\nexpected code %d and JSON, got code %d, %s (line %d)\nstderr: %s", command, code,
                 got->code, document == NULL ? error.text : "JSON", document == NULL ? error.line : 0,
                 got->err);
    return document;
}

/* The same, with the family's names in place of %s. */
static json_t *parse_of(const char *format, const char *name) {
    char command[1024];
    snprintf(command, sizeof command, format, name, name);
    return tool_json_parse(command, 0);
}

static bool is_finite_number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) && isfinite(json_number_value(value));
}

static int make_data(void **state) {
    static int32_t tokens[GRAPHS * NODES], types[GRAPHS * NODES * NODES], labels[GRAPHS] = {1};
    static float features[GRAPHS * NODES * 3];
    if (tool_make_test_folder(state) != 0) return -1;
    for (int i = 0; i < GRAPHS * NODES; ++i) tokens[i] = i % 3;
    for (int i = 0; i < GRAPHS * NODES * NODES; ++i) types[i] = i % 3;
    const quartic_safetensors_tensor nodes[] = {
        {"tokens", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(GRAPHS, NODES), tokens, 0},
        {"edge_types", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(GRAPHS, NODES, NODES), types, 0},
        {"targets", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(GRAPHS, NODES), tokens, 0}};
    const quartic_safetensors_tensor edges[] = {
        nodes[0], {"targets", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(GRAPHS, NODES, NODES), types, 0}};
    const quartic_safetensors_tensor whole[] = {
        {"node_features", QUARTIC_SAFETENSORS_F32, QUARTIC_SHAPE(GRAPHS, NODES, 3), features, 0},
        {"targets", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(GRAPHS), labels, 0}};
    if (!tool_json_save("nodes.safetensors", nodes, 3, NULL, 0) ||
        !tool_json_save("edges.safetensors", edges, 2, NULL, 0) ||
        !tool_json_save("whole.safetensors", whole, 2, NULL, 0))
        return -1;
    for (size_t f = 0; f < FAMILIES; ++f) {
        char line[2048];
        snprintf(line, sizeof line, "echo '%s' > %s.json", families[f].config, families[f].name);
        if (tool_run(line)->code != 0) return -1;
    }
    return 0;
}

static void every_family_trains_and_is_shown(void **state) {
    (void)state;
    for (size_t f = 0; f < FAMILIES; ++f) {
        const char *name = families[f].name, *data = families[f].data;
        char command[1024];
        snprintf(command, sizeof command,
                 "$Q train %s --config %s.json --out %s --steps 2 --batch 2 %s --device cpu --json",
                 data == NULL ? "$S/data/tales.txt" : data, name, name, data == NULL ? "--length 8" : "");
        json_t *trained = tool_json_parse(command, 0);
        assert_true(json_is_true(json_object_get(trained, "finished")));
        assert_true(is_finite_number(trained, "loss"));
        json_decref(trained);

        json_t *shown = parse_of("$Q inspect %s --json", name);
        assert_true(json_object_size(json_object_get(shown, "config")) > 20);
        assert_true(json_array_size(json_object_get(shown, "tensors")) > 5);
        assert_int_equal(json_integer_value(json_object_get(shown, "length")), data == NULL ? 8 : NODES);
        assert_true(is_finite_number(json_object_get(shown, "training"), "flops"));
        json_decref(shown);
        if (data == NULL) json_decref(parse_of("$Q inspect %s.json --json", name));

        snprintf(command, sizeof command,
                 "head -c 100 $S/data/tales.txt > text; $Q eval %s %s --device cpu --json", name,
                 data == NULL ? "text" : data);
        json_t *measured = tool_json_parse(command, 0);
        assert_true(is_finite_number(measured, "loss"));
        assert_true(is_finite_number(measured, data == NULL ? "bits_per_byte" : "accuracy"));
        json_decref(measured);
        if (data != NULL) continue;

        json_t *sampled = parse_of("$Q sample %s --device cpu --tokens 30 --prompt ab --json", name);
        assert_int_equal(json_array_size(json_object_get(sampled, "tokens")), 32);
        assert_true(json_is_string(json_object_get(sampled, "text")));
        json_decref(sampled);
    }
}

static void every_family_is_timed(void **state) {
    (void)state;
    for (size_t f = 0; f < FAMILIES; ++f) {
        json_t *timed = parse_of("$Q bench %s --device cpu --repeat 1 --json", families[f].name);
        assert_int_equal(json_integer_value(json_object_get(timed, "length")),
                         families[f].data == NULL ? 8 : NODES);
        assert_true(json_array_size(json_object_get(timed, "forward_ops")) > 3);
        assert_true(json_array_size(json_object_get(timed, "gradient_ops")) > 3);
        json_decref(timed);
    }
    json_t *forms =
        tool_json_parse("$Q bench edges --device cpu --longest 32 --dim-edges 2 --repeat 1 --json", 0);
    assert_int_equal(json_array_size(json_object_get(forms, "forms")), 8);
    json_decref(forms);
    /* One size alone has no slope, and what is skipped no times. */
    forms = tool_json_parse(
        "$Q bench edges --device cpu --longest 16 --most-seconds 0 --dim-edges 2 --repeat 1 --json", 0);
    const json_t *first = json_array_get(json_object_get(forms, "forms"), 0);
    assert_true(json_is_null(json_object_get(first, "forward_exponent")));
    json_decref(forms);
}

static void the_other_commands_parse(void **state) {
    (void)state;
    json_t *list = tool_json_parse("$Q devices --json", 0);
    assert_true(json_array_size(list) >= 3);
    json_decref(list);
    json_t *keys = tool_json_parse("$Q inspect --keys --json", 0);
    assert_string_equal(json_string_value(json_object_get(json_object_get(keys, "edge_attention"), "kind")),
                        "choice or list of choices");
    assert_true(json_array_size(json_object_get(json_object_get(keys, "readout"), "words")) == 3);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(keys, "depth"), "least")), 1);
    json_decref(keys);
    json_t *contest =
        tool_json_parse("OMP_NUM_THREADS=1 $Q experiment set --device cpu --graphs 64 --batch 8 --quick "
                        "--seeds 1 --steps 1 --only none --no-map --out contest --json",
                        0);
    const json_t *task = json_array_get(json_object_get(contest, "tasks"), 0);
    assert_string_equal(json_string_value(json_object_get(task, "task")), "set");
    assert_int_equal(json_array_size(json_object_get(task, "contestants")), 1);
    assert_true(json_is_null(json_object_get(task, "best_form")));
    json_decref(contest);
    static int32_t tokens[GRAPHS * NODES], types[GRAPHS * NODES * NODES];
    for (int k = 0; k < GRAPHS * NODES * NODES; ++k) types[k] = k % 3 - 1;
    const quartic_safetensors_tensor typed[] = {
        {"tokens", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(GRAPHS, NODES), tokens, 0},
        {"edge_types", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(GRAPHS, NODES, NODES), types, 0}};
    assert_true(tool_json_save("typed.safetensors", typed, 2, NULL, 0));
    json_t *encoded =
        tool_json_parse("$Q encode typed.safetensors $(printf 'e\\377.safetensors') --distances 3 "
                        "--walks 2 --json",
                        0);
    assert_string_equal(json_string_value(json_object_get(encoded, "file")), "e\\xff.safetensors");
    assert_int_equal(json_integer_value(json_object_get(encoded, "graphs")), GRAPHS);
    assert_int_equal(json_integer_value(json_object_get(encoded, "nodes")), NODES);
    quartic_dataset *told;
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/e\xff.safetensors", tool_folder);
    assert_ok(quartic_dataset_open(path, &told));
    const quartic_dataset_info *info = quartic_dataset_get_info(told);
    assert_int_equal(json_integer_value(json_object_get(encoded, "node_features")), info->dim_node_features);
    assert_true(json_integer_value(json_object_get(encoded, "edge_types")) >= info->num_edge_types);
    quartic_dataset_close(told);
    json_decref(encoded);
    json_t *refused = tool_json_parse("$Q encode nosuch.safetensors e.safetensors --rows --json", 1);
    assert_non_null(strstr(json_string_value(json_object_get(refused, "error")), "nosuch.safetensors"));
    json_decref(refused);
}

static json_int_t total(const json_t *document) {
    return json_integer_value(json_object_get(document, "passed")) +
           json_integer_value(json_object_get(document, "failed")) +
           json_integer_value(json_object_get(document, "unsupported"));
}

/* The checks of a document with that verdict. */
static size_t count_verdicts(const json_t *document, const char *verdict) {
    size_t count = 0, index;
    const json_t *check;
    json_array_foreach(json_object_get(document, "checks"), index, check) count +=
        strcmp(json_string_value(json_object_get(check, "verdict")), verdict) == 0;
    return count;
}

static void every_check_is_there_the_failed_ones_too(void **state) {
    (void)state;
    json_t *checks = tool_json_parse("$Q validate --op softmax --device cpu --json", 0);
    assert_true(total(checks) > 10);
    assert_int_equal(json_array_size(json_object_get(checks, "checks")), total(checks));
    json_decref(checks);
    json_decref(tool_json_parse("$Q validate --op unary --gradients --json", 0));

    /* The last number of a recorded case becomes NaN: it fails, with an error that is no number. The name of
     * another copy is no UTF-8, and the third file is none. */
    checks =
        tool_json_parse("G=$S/tests/golden/module-triangle-multiply.safetensors; cp $G good.safetensors; "
                        "head -c -4 $G > bad.safetensors; printf '\\0\\0\\300\\177' >> bad.safetensors; "
                        "N=$(printf 'b\\377d\\303\\244.safetensors'); cp bad.safetensors \"$N\"; "
                        "$Q verify good.safetensors bad.safetensors \"$N\" --device cpu --json",
                        1);
    assert_int_equal(json_array_size(json_object_get(checks, "checks")), 3);
    assert_int_equal(total(checks), 3);
    assert_int_equal(count_verdicts(checks, "FAILED"), 2);
    const json_t *last = json_array_get(json_object_get(checks, "checks"), 2);
    assert_string_equal(json_string_value(json_object_get(last, "subject")), "b\\xffd\xc3\xa4.safetensors");
    assert_true(json_is_null(json_object_get(last, "error")));
    json_decref(checks);
}

static void what_fails_is_a_document_with_its_error(void **state) {
    (void)state;
    static const struct {
        const char *command;
        int code;
    } cases[] = {
        {"$Q eval missing text --json", 1},
        {"$Q eval quartic missing --device cpu --json", 1},
        {"$Q eval quartic text --device 99 --json", 1},
        {"$Q sample nodes --device cpu --json", 1},
        {"$Q bench quartic --device cpu --length 9999 --json", 1},
        {"$Q inspect missing --json", 1},
        {"$Q inspect text --json", 1},
        {"$Q train text --config missing.json --out none --device cpu --json", 1},
        {"$Q train text --config quartic.json --out quartic --device cpu --json", 1},
        {"$Q validate --op nothing --device cpu --json", 1},
        {"$Q experiment set --device nothing --out none --json", 1},
        {"QUARTIC_DEVICE=nothing $Q eval quartic text --json", 1},
        {"$Q eval \"$(printf 'm\\377\\001')\" text --device cpu --json", 1},
        {"$Q eval --jsn --json", 2},
        {"$Q inspect --json", 2},
    };
    tool_run("head -c 100 $S/data/tales.txt > text");
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        json_t *document = tool_json_parse(cases[k].command, cases[k].code);
        const char *error = json_string_value(json_object_get(document, "error"));
        if (error == NULL || strlen(error) < 8) fail_msg("%s: no error told", cases[k].command);
        json_decref(document);
    }
}

/* A model that is sure and wrong: the loss is a number, its exponential is none. */
static void a_number_that_is_none_is_null(void **state) {
    (void)state;
    char path[PATH_BYTES];
    quartic_device *device;
    quartic_model *model;
    snprintf(path, sizeof path, "%s/quartic/checkpoint.safetensors", tool_folder);
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    assert_int_equal(quartic_model_open(device, path, &model), QUARTIC_OK);
    for (uint32_t k = 0; k < quartic_model_parameter_count(model); ++k) {
        quartic_model_parameter parameter;
        assert_int_equal(quartic_model_get_parameter(model, k, &parameter), QUARTIC_OK);
        if (strstr(parameter.name, "to_logits") == NULL) continue;
        float *numbers = calloc(parameter.elements, sizeof *numbers);
        for (uint64_t e = 0; e < parameter.elements; ++e) numbers[e] = 1e6f * (float)((int)(e % 17) - 8);
        assert_int_equal(quartic_model_write_parameter(model, parameter.name, numbers, parameter.elements),
                         QUARTIC_OK);
        free(numbers);
    }
    snprintf(path, sizeof path, "%s/sure.safetensors", tool_folder);
    assert_int_equal(quartic_model_save(model, path), QUARTIC_OK);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    json_t *measured = tool_json_parse("$Q eval sure.safetensors text --device cpu --json", 0);
    assert_true(json_number_value(json_object_get(measured, "loss")) > 1000);
    assert_true(json_is_null(json_object_get(measured, "perplexity")));
    json_decref(measured);
}

/* Names and texts of any file: tensors, metadata, folders, prompts. */
static void names_that_are_no_utf8_are_escaped(void **state) {
    (void)state;
    static const float number[] = {1};
    const quartic_safetensors_tensor tensors[] = {
        {"esc\x1b[2J\ttab", QUARTIC_SAFETENSORS_F32, QUARTIC_SHAPE(1), number, 0},
        {"sm\xc3\xb6rg\xc3\xa5s", QUARTIC_SAFETENSORS_F32, QUARTIC_SHAPE(1), number, 0}};
    const quartic_safetensors_text texts[] = {{"k\x1f", "line\nline"}};
    assert_true(tool_json_save("names.safetensors", tensors, 2, texts, 1));
    json_t *shown = tool_json_parse("$Q inspect names.safetensors --json", 0);
    assert_int_equal(json_array_size(json_object_get(shown, "tensors")), 2);
    assert_string_equal(json_string_value(json_object_get(json_object_get(shown, "metadata"), "k\x1f")),
                        "line\nline");
    json_decref(shown);
    /* People's terminals are not sent what the file says. */
    tool_expect("$Q inspect names.safetensors", 0, "esc\\x1b[2J\\x09tab\n");
    tool_expect("$Q inspect names.safetensors", 0, "metadata k\\x1f: line\\x0aline\n");
    tool_expect("$Q inspect names.safetensors", 0, "sm\xc3\xb6rg\xc3\xa5s\n");
    json_t *trained = tool_json_parse(
        "$Q train $S/data/tales.txt --config quartic.json --out \"$(printf 'f\\355\\240\\200')\" "
        "--steps 1 --length 8 --device cpu --json",
        0);
    assert_string_equal(json_string_value(json_object_get(trained, "checkpoint")),
                        "f\\xed\\xa0\\x80/checkpoint.safetensors");
    json_decref(trained);
    json_t *sampled = tool_json_parse(
        "$Q sample quartic --prompt \"$(printf 'a\\377\\300\\200')\" --tokens 0 --device cpu --json", 0);
    assert_string_equal(json_string_value(json_object_get(sampled, "text")), "a\\xff\\xc0\\x80");
    assert_int_equal(json_array_size(json_object_get(sampled, "tokens")), 4);
    json_decref(sampled);
}

/* Every command whose purpose is what it prints, as text and as JSON. */
static void a_stream_that_takes_nothing_is_a_failure(void **state) {
    (void)state;
    static const char *const commands[] = {
        "$Q devices",
        "$Q eval quartic text --device cpu",
        "$Q sample quartic --tokens 3 --device cpu",
        "$Q verify good.safetensors --device cpu",
        "$Q validate --op copy --device cpu",
        "$Q bench quartic --device cpu --repeat 1 --forward-only",
        "$Q bench edges --device cpu --longest 16 --dim-edges 2 --repeat 1",
        "$Q inspect quartic",
        "$Q inspect names.safetensors",
        "$Q inspect --keys",
    };
    for (size_t k = 0; k < sizeof commands / sizeof commands[0]; ++k)
        for (int way = 0; way < 4; ++way) {
            char line[512];
            snprintf(line, sizeof line, "%s%s %s", commands[k], way % 2 == 0 ? "" : " --json",
                     way < 2 ? ">/dev/full" : ">&-");
            tool_expect(line, 1, "the output could not be written");
        }
    tool_expect(
        "$Q train text --config quartic.json --length 8 --steps 1 --device cpu --out t --json >/dev/full", 1,
        "the output could not be written");
    tool_expect("$Q train text --config quartic.json --length 8 --steps 1 --device cpu --out u --json >&-", 1,
                "the output could not be written");
    tool_expect("$Q devices >&- 2>&-; echo code $?", 0, "code 1");
    tool_expect("$Q --help >&-", 1, "the output could not be written");
    tool_expect("$Q --version >/dev/full", 1, "the output could not be written");
    tool_expect("$Q help train >&-", 1, "the output could not be written");
    tool_expect("$Q train --help >/dev/full", 1, "the output could not be written");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_family_trains_and_is_shown),
        cmocka_unit_test(every_family_is_timed),
        cmocka_unit_test(the_other_commands_parse),
        cmocka_unit_test(every_check_is_there_the_failed_ones_too),
        cmocka_unit_test(what_fails_is_a_document_with_its_error),
        cmocka_unit_test(a_number_that_is_none_is_null),
        cmocka_unit_test(names_that_are_no_utf8_are_escaped),
        cmocka_unit_test(a_stream_that_takes_nothing_is_a_failure),
    };
    return cmocka_run_group_tests(tests, make_data, tool_remove_test_folder);
}

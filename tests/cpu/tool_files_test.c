/* tool_files_test.c: damaged and foreign weight files through every command that reads one, and a checkpoint
 * cut at every byte: exit code 1 and a message that names file, tensor and shapes, and nothing changed. */
#include "model_case.h"

#include <unistd.h>

#include "quartic/train.h"
#include "tool_run.h"
#include "train/trainer.h"

enum { WIDTH = 4, MOST_TENSORS = 400 };

/* All as small as it can be, so that a checkpoint has few bytes. */
#define TINY                                                                                                 \
    "{\"num_tokens\": 6, \"dim\": 4, \"depth\": 1, \"dim_edges\": 1, \"heads\": 1, \"dim_head\": 1, "        \
    "\"linear_heads\": 1, \"linear_dim_head\": 1, \"ff_mult\": 1, \"max_seq_len\": 5, "                      \
    "\"num_residual_streams\": 1, \"ablate_edges\": true}"

static const char *tool_files_in_folder(const char *name) {
    static char path[TEST_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", tool_folder, name);
    return path;
}

/* The trained checkpoint with one tensor left out, one more (or none) and, unless NULL, another
 * configuration. */
static void write_variant(const char *name, const char *without, const quartic_safetensors_tensor *with,
                          const char *config) {
    quartic_safetensors *good;
    assert_ok(quartic_safetensors_open(tool_files_in_folder("run/checkpoint.safetensors"), &good));
    quartic_safetensors_tensor tensors[MOST_TENSORS];
    quartic_safetensors_text texts[8];
    uint32_t count = 0, text_count = quartic_safetensors_metadata_count(good);
    assert_true(quartic_safetensors_count(good) < MOST_TENSORS && text_count <= 8);
    for (uint32_t k = 0; k < quartic_safetensors_count(good); ++k)
        if (strcmp(quartic_safetensors_at(good, k)->name, without) != 0)
            tensors[count++] = *quartic_safetensors_at(good, k);
    if (with != NULL) tensors[count++] = *with;
    for (uint32_t k = 0; k < text_count; ++k) {
        texts[k] = *quartic_safetensors_metadata_at(good, k);
        if (config != NULL && strcmp(texts[k].key, "config") == 0) texts[k].text = config;
    }
    assert_ok(quartic_safetensors_save(tool_files_in_folder(name), tensors, count, texts, text_count));
    quartic_safetensors_close(good);
}

/* A file of which the header is this, with 8 bytes of data. */
static void write_raw(const char *name, const char *header) {
    FILE *file = fopen(tool_files_in_folder(name), "wb");
    assert_non_null(file);
    const uint64_t length = strlen(header);
    for (int k = 0; k < 8; ++k) fputc((int)(length >> 8 * k & 255), file);
    fputs(header, file);
    fwrite("\0\0\0\0\0\0\0\0", 1, 8, file);
    fclose(file);
}

/* A trained checkpoint, and every bad file made of it. */
static int tool_files_make_files(void **state) {
    if (tool_make_test_folder(state) != 0) return -1;
    const tool_result *got =
        tool_run("echo '" TINY "' > tiny.json; printf '\\1\\2\\3\\4\\5\\4\\3\\2\\1' > text; "
                 "$Q train text --out run --config tiny.json --batch 1 --length 4 --steps 2 --device cpu && "
                 ": > empty.safetensors && head -c 3000 run/checkpoint.safetensors > cut.safetensors && "
                 "echo plain text that is no model > text.safetensors && mkdir folder.safetensors");
    if (got->code != 0) fail_msg("%s", got->err);

    float numbers[WIDTH + 1] = {1, 2, 3, 4, 5};
    const char *scale = "to_logits.0.scale";
    quartic_safetensors_tensor tensor = {
        .name = scale, .dtype = QUARTIC_SAFETENSORS_F32, .shape = QUARTIC_SHAPE(WIDTH + 1), .data = numbers};
    write_variant("missing.safetensors", scale, NULL, NULL);
    write_variant("shape.safetensors", scale, &tensor, NULL);
    tensor.shape = QUARTIC_SHAPE(1, WIDTH);
    write_variant("rank.safetensors", scale, &tensor, NULL);
    tensor.shape = QUARTIC_SHAPE(WIDTH);
    tensor.name = "of.another.model";
    write_variant("extra.safetensors", "", &tensor, NULL);
    tensor.name = scale;
    tensor.dtype = QUARTIC_SAFETENSORS_I32;
    write_variant("dtype.safetensors", scale, &tensor, NULL);
    tensor.dtype = QUARTIC_SAFETENSORS_F32;
    numbers[1] = NAN;
    write_variant("nan.safetensors", scale, &tensor, NULL);
    numbers[1] = -INFINITY;
    write_variant("infinite.safetensors", scale, &tensor, NULL);

    write_variant("key.safetensors", "", NULL, "{\"num_tokens\": 6, \"dim\": 4, \"depth\": 1, \"haeds\": 2}");
    write_variant("range.safetensors", "", NULL, "{\"num_tokens\": 6, \"dim\": 4, \"depth\": 5000}");
    write_variant("json.safetensors", "", NULL, "{\"num_tokens\": 6,");
#define ENTRY "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
    write_raw("overlap.safetensors", "{\"t\":" ENTRY ",\"u\":" ENTRY "}");
    write_raw("lies.safetensors", "{\"t\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}");
    return 0;
}

/* What each is refused with by every command that runs a model. */
static const struct {
    const char *name, *message;
} bad_files[] = {
    {"nowhere", "No such file or directory"},
    {"empty", "has 0 bytes; a safetensors file begins with a header length of 8 bytes"},
    {"text", "says that its header has 7310503753715641456 bytes, but only 20 follow; the file is cut off"},
    {"cut", "the file is cut off"},
    {"overlap",
     "tensor \"u\" begins at byte 0 of the data, but the tensors before it end at 8: the ranges overlap"},
    {"lies", "tensor \"t\" of F32 (3) takes 8 bytes in the file, but its type and shape need 12"},
    {"missing", "lacks 1 of the model's"},
    {"missing", "the first being \"to_logits.0.scale\" of shape (4)"},
    {"extra",
     "has 1 tensors that the model does not know, the first being \"of.another.model\" of shape (4)"},
    {"shape", "has shape (5), the model needs (4)"},
    {"rank", "has shape (1, 4), the model needs (4)"},
    {"dtype", "tensor \"to_logits.0.scale\" holds I32; expected real numbers"},
    {"nan", "element 1 of tensor \"to_logits.0.scale\" is NaN"},
    {"infinite", "element 1 of tensor \"to_logits.0.scale\" is infinite"},
    {"key", "the model's configuration has no key \"haeds\"; did you mean \"heads\"?"},
    {"range", "\"depth\" of the model's configuration is 5000; it must be an integer from 1 to 4096"},
    {"json", "the model's configuration is no JSON: line 1, column 18"},
};

static void every_command_refuses_bad_files(void **state) {
    (void)state;
    /* --init takes the weights only: the configuration in the file does not matter there. */
    static const struct {
        const char *line;
        bool reads_config;
    } commands[] = {
        {"$Q sample %s --device cpu --tokens 1 --prompt x", true},
        {"$Q eval %s text --device cpu", true},
        {"rm -rf new; $Q train text --out new --config tiny.json --length 4 --device cpu --init %s", false},
        {"rm -rf copy; mkdir copy; cp -r %s copy/checkpoint.safetensors 2> /dev/null; "
         "$Q train text --out copy --resume --device cpu",
         true},
    };
    for (size_t f = 0; f < sizeof bad_files / sizeof bad_files[0]; ++f)
        for (size_t c = 0; c < sizeof commands / sizeof commands[0]; ++c) {
            char name[64], command[512];
            snprintf(name, sizeof name, "%s.safetensors", bad_files[f].name);
            snprintf(command, sizeof command, commands[c].line, name);
            bool of_config = strstr(bad_files[f].message, "configuration") != NULL;
            if (commands[c].reads_config || !of_config) tool_expect(command, 1, bad_files[f].message);
        }
    /* What was refused left nothing behind. */
    tool_expect("ls -A new", 0, "");
}

/* No cut is taken for a whole file, and the trainer is as it was. */
static void a_checkpoint_cut_at_every_byte_is_refused(void **state) {
    (void)state;
    quartic_device *device;
    quartic_model *model;
    quartic_trainer *trainer;
    quartic_trainer_config settings;
    char whole[TEST_PATH_BYTES], cut[TEST_PATH_BYTES];
    snprintf(whole, sizeof whole, "%s", tool_files_in_folder("run/checkpoint.safetensors"));
    snprintf(cut, sizeof cut, "%s", tool_files_in_folder("cutting.safetensors"));
    assert_ok(quartic_device_create("reference", &device));
    assert_ok(quartic_model_open(device, whole, &model));
    assert_ok(quartic_trainer_config_read(whole, &settings));
    assert_ok(quartic_trainer_create(model, &settings, &trainer));
    assert_ok(quartic_trainer_load(trainer, whole));
    assert_int_equal(tool_run("cp run/checkpoint.safetensors cutting.safetensors")->code, 0);
    FILE *file = fopen(whole, "rb");
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long bytes = ftell(file);
    fclose(file);
    const int64_t live = quartic_alloc_live();
    for (long count = bytes - 1; count >= 0; --count) {
        assert_int_equal(truncate(cut, count), 0);
        if (quartic_trainer_load(trainer, cut) != QUARTIC_FORMAT)
            fail_msg("cut to %ld of %ld bytes: %s", count, bytes, quartic_error_message());
        assert_message("cutting.safetensors");
        assert_int_equal(quartic_alloc_live(), live);
    }
    assert_int_equal(quartic_trainer_get_step(trainer), 2);
    assert_ok(quartic_trainer_save(trainer, cut));
    tool_expect("cmp cutting.safetensors run/checkpoint.safetensors && echo same", 0, "same");
    quartic_trainer_destroy(trainer);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_refuses_bad_files),
        cmocka_unit_test(a_checkpoint_cut_at_every_byte_is_refused),
    };
    return cmocka_run_group_tests(tests, tool_files_make_files, tool_remove_test_folder);
}

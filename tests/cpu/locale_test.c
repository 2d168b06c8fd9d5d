/* locale_test.c: a host with a decimal comma: configurations, checkpoints and recordings are written and read
 * as they are everywhere, and the program's output and options do not follow the environment either. */
#include "expect.h"

#include "comma_locale.h"
#include "folder.h"
#include "quartic/quartic.h"
#include "quartic/verify.h"

static char folder[TEST_FOLDER_BYTES];

static int locale_begin(void **state) {
    (void)state;
    return test_folder_make("locale", folder) && comma_locale_make(folder) &&
                   setenv("LOCPATH", folder, 1) == 0
               ? 0
               : -1;
}

static int locale_end(void **state) {
    (void)state;
    setlocale(LC_ALL, "C");
    return setenv("FOLDER", folder, 1) != 0 || system("rm -rf -- \"$FOLDER\"");
}

static void with_comma(void) {
    assert_string_equal(setlocale(LC_NUMERIC, "comma"), "comma");
    assert_string_equal(localeconv()->decimal_point, ",");
    char text[8];
    snprintf(text, sizeof text, "%.1f", 0.5);
    assert_string_equal(text, "0,5"); /* or this test would show nothing */
}

static void without(void) {
    assert_non_null(setlocale(LC_NUMERIC, "C"));
}

static void configurations_are_the_same(void **state) {
    (void)state;
    static const char json[] =
        "{\"num_tokens\": 7, \"dim\": 16, \"depth\": 1, \"dropout\": 0.125, \"dim_edges\": 8}";
    char texts[2][8192];
    for (int comma = 0; comma < 2; ++comma) {
        if (comma) with_comma();
        quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
        assert_int_equal(quartic_model_config_read_json(&config, json), QUARTIC_OK);
        assert_true(config.dropout == 0.125f);
        assert_int_equal(quartic_model_config_write_json(&config, texts[comma], sizeof texts[comma], NULL),
                         QUARTIC_OK);
        without();
    }
    assert_non_null(strstr(texts[0], "0.125"));
    assert_string_equal(texts[0], texts[1]);
}

/* Saves a checkpoint after a step, reads its settings back and loads it. */
static void save_and_load(const char *path, bool comma) {
    quartic_device *device;
    quartic_model *model, *opened;
    quartic_trainer *trainer;
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = 7, config.dim = 16, config.depth = 1, config.dim_edges = 8, config.max_seq_len = 8;
    config.dropout = 0.125f;
    quartic_trainer_config training = QUARTIC_TRAINER_CONFIG_INIT, read;
    training.batch = 1, training.length = 8, training.learning_rate = 0.0625f;
    const int32_t tokens[8] = {1, 2, 3, 4, 5, 6, 0, 1}, targets[8] = {2, 3, 4, 5, 6, 0, 1, 2};
    quartic_step_report report;
    if (comma) with_comma();
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    assert_int_equal(quartic_model_create(device, &config, &model), QUARTIC_OK);
    assert_int_equal(quartic_model_initialise(model, 5), QUARTIC_OK);
    assert_int_equal(quartic_trainer_create(model, &training, &trainer), QUARTIC_OK);
    assert_int_equal(quartic_trainer_step(trainer, tokens, targets, NULL, &report), QUARTIC_OK);
    assert_int_equal(quartic_trainer_save(trainer, path), QUARTIC_OK);
    assert_int_equal(quartic_trainer_config_read(path, &read), QUARTIC_OK);
    assert_true(read.learning_rate == 0.0625f);
    assert_int_equal(quartic_model_open(device, path, &opened), QUARTIC_OK);
    assert_true(quartic_model_get_config(opened)->dropout == 0.125f);
    assert_int_equal(quartic_trainer_load(trainer, path), QUARTIC_OK);
    quartic_model_destroy(opened);
    quartic_trainer_destroy(trainer);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    without();
}

static void checkpoints_are_the_same(void **state) {
    (void)state;
    static unsigned char bytes[2][1 << 20];
    size_t counts[2];
    for (int comma = 0; comma < 2; ++comma) {
        char path[TEST_PATH_BYTES];
        snprintf(path, sizeof path, "%s/%d.safetensors", folder, comma);
        save_and_load(path, comma != 0);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        counts[comma] = fread(bytes[comma], 1, sizeof bytes[comma], file);
        fclose(file);
    }
    assert_int_equal(counts[0], counts[1]);
    assert_true(counts[0] >= 1000 && counts[0] < sizeof bytes[0]);
    assert_memory_equal(bytes[0], bytes[1], counts[0]);
}

static void recordings_pass(void **state) {
    (void)state;
    const char *const paths[] = {QUARTIC_TEST_GOLDEN "/reference-quartic.safetensors",
                                 QUARTIC_TEST_GOLDEN "/module-coordinate-descent-scaled.safetensors",
                                 QUARTIC_TEST_GOLDEN "/train-quartic.safetensors"};
    quartic_device *device;
    quartic_check_totals totals;
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    with_comma();
    assert_int_equal(quartic_verify(device, paths, 3, NULL, NULL, &totals), QUARTIC_OK);
    without();
    assert_int_equal(totals.failed, 0);
    assert_true(totals.passed >= 3);
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configurations_are_the_same),
        cmocka_unit_test(checkpoints_are_the_same),
        cmocka_unit_test(recordings_pass),
    };
    return cmocka_run_group_tests(tests, locale_begin, locale_end);
}

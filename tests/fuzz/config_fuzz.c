/* config_fuzz.c: fuzz target: any text as a model's JSON configuration.
 *
 * Beyond not crashing or leaking: a refused text changes nothing, and one that is taken is written again as
 * JSON that reads back as the same configuration.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "quartic/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void config_fuzz_expect(int holds) {
    if (!holds) abort();
}

static void write_and_read_back(const quartic_model_config *config) {
    static char text[1 << 18];
    size_t needed = 0;
    quartic_model_config again = QUARTIC_MODEL_CONFIG_INIT;
    config_fuzz_expect(quartic_model_config_write_json(config, text, sizeof text, &needed) == QUARTIC_OK);
    config_fuzz_expect(needed == strlen(text) + 1);
    config_fuzz_expect(quartic_model_config_read_json(&again, text) == QUARTIC_OK);
#define EXPECT_SAME(name, ...) config_fuzz_expect(again.name == config->name);
#define EXPECT_SAME_LIST(name, type, standard, list, most, meaning)                                          \
    EXPECT_SAME(name, list)                                                                                  \
    EXPECT_SAME(name##_count, list)                                                                          \
    config_fuzz_expect(memcmp(again.name##_list, config->name##_list, sizeof again.name##_list) == 0);
    QUARTIC_MODEL_FIELD_LIST(EXPECT_SAME, EXPECT_SAME_LIST, EXPECT_SAME, EXPECT_SAME, EXPECT_SAME)
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    int64_t live = quartic_alloc_live();
    char *text = malloc(count + 1);
    config_fuzz_expect(text != NULL);
    memcpy(text, bytes, count);
    text[count] = 0;
    const quartic_model_config before = QUARTIC_MODEL_CONFIG_INIT;
    quartic_model_config config = before;
    quartic_status status = quartic_model_config_read_json(&config, text);
    if (status != QUARTIC_OK) config_fuzz_expect(memcmp(&config, &before, sizeof config) == 0);
    /* Keys without a default may be missing: then the text is taken, but the configuration is no good yet. */
    else if (quartic_model_config_check(&config) == QUARTIC_OK)
        write_and_read_back(&config);
    free(text);
    config_fuzz_expect(quartic_alloc_live() == live);
    return 0;
}

/* schedule.c: the settings of a training run and what follows from them: learning rate and batches. */
#include <math.h>
#include <string.h>

#include "base/call.h"
#include "base/rng.h"
#include "train/trainer.h"

#define AT(name) offsetof(quartic_trainer_config, name)
#define COUNT_FIELD(name, standard, least, most, meaning)                                                    \
    {#name, QUARTIC_FIELD_COUNT, AT(name), least, most, false, standard, NULL, 0, 0},
#define FLAG_FIELD(name, standard, meaning) {#name, QUARTIC_FIELD_FLAG, AT(name), 0, 1, false, 0, NULL, 0, 0},
#define REAL_FIELD(name, standard, least, most, meaning)                                                     \
    {#name, QUARTIC_FIELD_REAL, AT(name), (double)(least), (double)(most), false, 0, NULL, 0, 0},

static const quartic_field trainer_fields[] = {
    QUARTIC_TRAINER_FIELD_LIST(COUNT_FIELD, FLAG_FIELD, REAL_FIELD)};

const quartic_field_table quartic_trainer_field_table = {"the trainer's configuration", trainer_fields,
                                                         sizeof trainer_fields / sizeof trainer_fields[0]};

static const quartic_trainer_config standard_config = QUARTIC_TRAINER_CONFIG_INIT;
static const quartic_options_type config_type = {"quartic_trainer_config", "QUARTIC_TRAINER_CONFIG_INIT",
                                                 sizeof standard_config, 0, &standard_config};

quartic_status quartic_trainer_config_take(const quartic_trainer_config *given,
                                           quartic_trainer_config *out_config) {
    QUARTIC_TRY(quartic_options_read(&config_type, given, out_config));
    const quartic_trainer_config *config = out_config;
    QUARTIC_TRY(quartic_fields_check(&quartic_trainer_field_table, config));
    const uint64_t tokens = (uint64_t)config->batch * config->length;
    if (tokens >> 31 != 0 || tokens * config->accumulation >> 31 != 0)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "a step of %u x %u x %u tokens (accumulation, batch, length) is more than 2147483647; "
            "make one of them smaller",
            config->accumulation, config->batch, config->length);
    if (config->total_steps != 0 && config->total_steps < config->warmup_steps)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "total_steps %u ends before the warm-up of %u steps; make it larger, or 0 for a constant "
            "rate",
            config->total_steps, config->warmup_steps);
    return QUARTIC_OK;
}

float quartic_learning_rate(const quartic_trainer_config *config, uint64_t step) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(config, 0.0f);
    quartic_trainer_config whole, rates;
    if (quartic_options_read(&config_type, config, &rates) != QUARTIC_OK) return 0.0f;
    if (rates.batch == 0) rates.batch = 1; /* what a rate does not depend on need not be given */
    if (rates.length == 0) rates.length = 1;
    if (quartic_trainer_config_take(&rates, &whole) != QUARTIC_OK) return 0.0f;
    config = &whole;
    const double peak = (double)config->learning_rate, end = (double)config->final_learning_rate;
    const double warmup = config->warmup_steps, total = config->total_steps, at = (double)step;
    if (at < warmup) return (float)(peak * at / warmup);
    if (config->total_steps == 0) return config->learning_rate;
    if (at >= total) return config->final_learning_rate;
    return (float)(end + (peak - end) * 0.5 *
                             (1.0 + cos(3.14159265358979323846 * (at - warmup) / (total - warmup))));
}

quartic_status quartic_batch_sample(const int32_t *data, uint64_t count, uint64_t seed, uint64_t step,
                                    uint32_t rows, uint32_t length, int32_t *out_tokens,
                                    int32_t *out_targets) {
    QUARTIC_CALL();
    QUARTIC_NEED(data);
    QUARTIC_NEED(out_tokens);
    QUARTIC_NEED(out_targets);
    if (rows == 0 || length == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "%u rows of %u tokens are asked for; ask for at least one of each", rows, length);
    if (count < (uint64_t)length + 1)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "%llu tokens of data are too few for windows of length + 1 = %llu; give more data or shorter "
            "sequences",
            (unsigned long long)count, (unsigned long long)length + 1);
    const uint64_t starts = count - length;
    for (uint32_t row = 0; row < rows; ++row) {
        /* Two random numbers of 32 bits a row, 2^33 a step. The bias of the modulo is at most starts /
         * 2^64. */
        const uint64_t index = (step << 33) + 2 * (uint64_t)row;
        const uint64_t bits = (uint64_t)quartic_random_bits(seed, QUARTIC_BATCH_STREAM, index) << 32 |
                              quartic_random_bits(seed, QUARTIC_BATCH_STREAM, index + 1);
        const int32_t *window = data + bits % starts;
        memcpy(out_tokens + (size_t)row * length, window, length * sizeof window[0]);
        memcpy(out_targets + (size_t)row * length, window + 1, length * sizeof window[0]);
    }
    return QUARTIC_OK;
}

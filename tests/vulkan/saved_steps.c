/* saved_steps.c: see saved_steps.h. */
#include "vulkan/saved_steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "expect.h"

static char *read_saved_file(const char *path, size_t *out_bytes) {
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    assert_int_equal(fseek(stream, 0, SEEK_END), 0);
    *out_bytes = (size_t)ftell(stream);
    rewind(stream);
    char *text = malloc(*out_bytes);
    assert_int_equal(fread(text, 1, *out_bytes, stream), *out_bytes);
    fclose(stream);
    return text;
}

void saved_steps_keep(saved_steps *saved, uint32_t step, const char *path) {
    assert_true(step <= SAVED_STEPS_MOST && saved->text[step] == NULL);
    saved->text[step] = read_saved_file(path, &saved->bytes[step]);
}

uint32_t saved_steps_find(const saved_steps *saved, const char *path) {
    if (access(path, F_OK) != 0) return 0;
    size_t bytes;
    char *text = read_saved_file(path, &bytes);
    uint32_t step = SAVED_STEPS_MOST;
    while (step > 0 && (saved->text[step] == NULL || bytes != saved->bytes[step] ||
                        memcmp(text, saved->text[step], bytes) != 0))
        --step;
    free(text);
    assert_true(step > 0);
    return step;
}

void saved_steps_free(saved_steps *saved) {
    for (uint32_t step = 0; step <= SAVED_STEPS_MOST; ++step) free(saved->text[step]);
    *saved = (saved_steps){0};
}

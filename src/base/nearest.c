/* nearest.c: edit distance of names. See nearest.h. */
#include "base/nearest.h"

#include <string.h>

enum { LONGEST_WORD = 160 }; /* longer ones are compared with nothing */

static char fold_dash(char letter) {
    return letter == '_' ? '-' : letter;
}

/* Levenshtein's distance, by one row of its table at a time; SIZE_MAX for words that are too long. */
static size_t edit_distance(const char *a, const char *b) {
    const size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length >= LONGEST_WORD || b_length >= LONGEST_WORD) return SIZE_MAX;
    size_t row[LONGEST_WORD];
    for (size_t j = 0; j <= b_length; ++j) row[j] = j;
    for (size_t i = 1; i <= a_length; ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; ++j) {
            const size_t replaced = diagonal + (fold_dash(a[i - 1]) != fold_dash(b[j - 1]));
            const size_t moved = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replaced < moved ? replaced : moved;
        }
    }
    return row[b_length];
}

const char *quartic_nearest(const char *word, const char *(*candidate)(const void *context, uint32_t index),
                            const void *context, size_t most) {
    const char *best = NULL, *name;
    size_t best_distance = SIZE_MAX;
    for (uint32_t k = 0; (name = candidate(context, k)) != NULL; ++k) {
        const size_t distance = edit_distance(word, name);
        if (distance > most || distance >= best_distance) continue;
        best = name;
        best_distance = distance;
    }
    return best;
}

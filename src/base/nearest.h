/* nearest.h: the name that was probably meant, for error messages: "did you mean ..?".
 *
 * nearest.c uses nothing of the library, so the command line tool, which links the public functions only,
 * compiles it once more.
 */
#ifndef QUARTIC_BASE_NEAREST_H
#define QUARTIC_BASE_NEAREST_H

#include <stddef.h>
#include <stdint.h>

/* The candidate with the fewest edited letters (Levenshtein's distance; '-' and '_' are the same letter), the
 * first of equals. NULL if each differs from the word in more than `most` letters. candidate(context, k)
 * gives the k-th name, NULL past the last. */
const char *quartic_nearest(const char *word, const char *(*candidate)(const void *context, uint32_t index),
                            const void *context, size_t most);

#endif

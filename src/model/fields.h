/* fields.h: configuration structs read from and written to JSON by a table of their fields.
 *
 * The tables are made from the X-macros of the public headers (QUARTIC_MODEL_FIELD_LIST and the like), so a
 * field's name, type, default and range are written once. Enum fields are stored in 4 bytes.
 */
#ifndef QUARTIC_MODEL_FIELDS_H
#define QUARTIC_MODEL_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum quartic_field_kind {
    QUARTIC_FIELD_CHOICE, /* one of the named choices; stored as its index */
    /* one of them, stored as such, or a list of them: a uint32_t count that is not 0, and uint8_t indices */
    QUARTIC_FIELD_CHOICES,
    QUARTIC_FIELD_COUNT, /* uint32_t */
    QUARTIC_FIELD_FLAG,  /* uint32_t, 0 or 1; true or false in JSON */
    QUARTIC_FIELD_REAL   /* float */
} quartic_field_kind;

typedef struct quartic_field {
    const char *name;
    quartic_field_kind kind;
    size_t offset;                    /* in the struct */
    double least, most;               /* of a COUNT or REAL; most: of the list's length */
    bool below;                       /* most itself is out */
    double standard;                  /* the default of a COUNT: out of range means that it must be given */
    const char *const *choices;       /* of a CHOICE or CHOICES, NULL at the end */
    size_t count_offset, list_offset; /* of CHOICES */
} quartic_field;

/* A table of fields of one struct; what: "the model's configuration", for sentences. */
typedef struct quartic_field_table {
    const char *what;
    const quartic_field *fields;
    uint32_t count;
} quartic_field_table;

/* Reads a JSON object over the values of the struct; the struct is untouched after an error. Ranges are
 * checked for the keys that are there. Errors: FORMAT, INVALID_ARGUMENT. */
quartic_status quartic_fields_read_json(const quartic_field_table *table, const char *text,
                                        void *inout_struct);

/* The same from bytes that may hold a zero, which is refused and not taken as the end. */
quartic_status quartic_fields_read_json_bytes(const quartic_field_table *table, const char *bytes,
                                              size_t count, void *inout_struct);

/* All fields as one JSON object, in the table's order; freed with quartic_free. */
quartic_status quartic_fields_write_json(const quartic_field_table *table, const void *from, char **out_text);

/* All ranges. Errors: INVALID_ARGUMENT with the key and the allowed range. */
quartic_status quartic_fields_check(const quartic_field_table *table, const void *of);

/* The first field in which two structs of a table differ, all entries of lists counted: its name in quotes,
 * with the place of the entry ("edge_attention"[1]), and both values for a sentence. */
enum { QUARTIC_FIELD_TEXT = 64 };
typedef struct quartic_field_difference {
    char name[QUARTIC_FIELD_TEXT], left[QUARTIC_FIELD_TEXT], right[QUARTIC_FIELD_TEXT];
} quartic_field_difference;
bool quartic_fields_differ(const quartic_field_table *table, const void *a, const void *b,
                           quartic_field_difference *out);

/* The candidate most like a word (fewest edited letters), or NULL if none is close: at most a third of its
 * letters differ. candidate(context, k) gives the k-th, NULL past the last. */
const char *quartic_nearest(const char *word, const char *(*candidate)(const void *context, uint32_t index),
                            const void *context);

#endif

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
    QUARTIC_FIELD_CHOICE, /* one of the named choices, stored as its index */
    /* one choice, stored as its index, or a list of choices: a uint32_t count that is not 0, and uint8_t
     * indices */
    QUARTIC_FIELD_CHOICES,
    QUARTIC_FIELD_COUNT, /* uint32_t */
    QUARTIC_FIELD_FLAG,  /* uint32_t, 0 or 1; true or false in JSON */
    QUARTIC_FIELD_REAL   /* float */
} quartic_field_kind;

typedef struct quartic_field {
    const char *name;
    quartic_field_kind kind;
    size_t offset;              /* in the struct */
    double least, most;         /* range of a COUNT or REAL, or of the length of a CHOICES' list */
    bool below;                 /* the range does not contain most itself */
    double standard;            /* the default of a COUNT; outside [least, most] it marks a required field */
    const char *const *choices; /* of a CHOICE or CHOICES, NULL at the end */
    size_t count_offset, list_offset; /* of CHOICES */
} quartic_field;

/* A table of fields of one struct; what: "the model's configuration", for messages. */
typedef struct quartic_field_table {
    const char *what;
    const quartic_field *fields;
    uint32_t count;
} quartic_field_table;

/* Reads a JSON object into the struct. Keys that are missing or null leave their field as it is. The ranges
 * of the other fields are checked. Errors, with the struct untouched: FORMAT, INVALID_ARGUMENT,
 * OUT_OF_MEMORY. */
quartic_status quartic_fields_read_json(const quartic_field_table *table, const char *text,
                                        void *inout_struct);

/* The same for bytes that need not end with a zero byte; a zero byte among them is an error. */
quartic_status quartic_fields_read_json_bytes(const quartic_field_table *table, const char *bytes,
                                              size_t count, void *inout_struct);

/* All fields as one JSON object, in the table's order. *out_text is freed with quartic_free; NULL after an
 * error. */
quartic_status quartic_fields_write_json(const quartic_field_table *table, const void *from, char **out_text);

/* Checks the ranges of all fields. Errors: INVALID_ARGUMENT with the key and the allowed range. */
quartic_status quartic_fields_check(const quartic_field_table *table, const void *of);

/* Whether two structs of a table differ in a field, entries of lists included. If so, *out has texts for a
 * message: the first such field's name in quotes, with the index of the entry in a list
 * ("edge_attention"[1]), and both values. */
enum { QUARTIC_FIELD_TEXT = 64 };
typedef struct quartic_field_difference {
    char name[QUARTIC_FIELD_TEXT], left[QUARTIC_FIELD_TEXT], right[QUARTIC_FIELD_TEXT];
} quartic_field_difference;
bool quartic_fields_differ(const quartic_field_table *table, const void *a, const void *b,
                           quartic_field_difference *out);

#endif

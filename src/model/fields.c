/* fields.c: JSON objects and ranges by a table of fields. See fields.h. */
#include "model/fields.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/find.h"
#include "base/json.h"
#include "base/nearest.h"

enum { RANGE_TEXT = 320 };

static const char *field_name(const void *context, uint32_t index) {
    const quartic_field_table *table = context;
    return index < table->count ? table->fields[index].name : NULL;
}

static const char *choice_name(const void *context, uint32_t index) {
    return ((const char *const *)context)[index];
}

static uint32_t choice_count(const quartic_field *field) {
    uint32_t count = 0;
    while (field->choices[count] != NULL) ++count;
    return count;
}

/* "1 to 1024", "0 to below 1", "true or false", "\"axial\" or \"none\"" */
static const char *range_text(const quartic_field *field, char text[RANGE_TEXT]) {
    switch (field->kind) {
    case QUARTIC_FIELD_FLAG:
        snprintf(text, RANGE_TEXT, "true or false");
        break;
    case QUARTIC_FIELD_COUNT:
        snprintf(text, RANGE_TEXT, "an integer from %.0f to %.0f", field->least, field->most);
        break;
    case QUARTIC_FIELD_REAL:
        snprintf(text, RANGE_TEXT, "a number from %g to %s%g", field->least, field->below ? "below " : "",
                 field->most);
        break;
    case QUARTIC_FIELD_CHOICE:
    case QUARTIC_FIELD_CHOICES: {
        size_t used = 0;
        text[0] = '\0';
        for (uint32_t k = 0; field->choices[k] != NULL && used < RANGE_TEXT; ++k) {
            int wrote =
                snprintf(text + used, RANGE_TEXT - used, "%s\"%s\"", k == 0 ? "" : " or ", field->choices[k]);
            used += (size_t)wrote;
        }
        if (field->kind == QUARTIC_FIELD_CHOICES && used < RANGE_TEXT)
            snprintf(text + used, RANGE_TEXT - used, ", or a list of 1 to %.0f of them", field->most);
        break;
    }
    }
    return text;
}

static bool field_in_range(const quartic_field *field, double number) {
    return number >= field->least && (field->below ? number < field->most : number <= field->most);
}

static quartic_status out_of_range(const quartic_field_table *table, const quartic_field *field,
                                   double number) {
    char range[RANGE_TEXT];
    if (field->kind == QUARTIC_FIELD_COUNT && number == field->standard)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s must say \"%s\": %s", table->what, field->name,
                            range_text(field, range));
    /* A count is told in full, not rounded to 6 digits. */
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "\"%s\" of %s is %.*g; it must be %s", field->name,
                        table->what, field->kind == QUARTIC_FIELD_COUNT ? 17 : 6, number,
                        range_text(field, range));
}

/* Whether a word names a choice. An '_' in the word matches '-', since both spellings are common. */
static bool is_choice(const char *word, const char *choice) {
    for (; *word != 0 && *choice != 0; ++word, ++choice)
        if (*word != *choice && !(*word == '_' && *choice == '-')) return false;
    return *word == *choice;
}

/* Reads the name of a choice as its index. */
static quartic_status read_choice(const quartic_field_table *table, const quartic_field *field,
                                  const quartic_json *word, uint32_t *out_index) {
    char range[RANGE_TEXT];
    const char *text = quartic_json_text(word);
    if (text == NULL)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "\"%s\" of %s has the wrong type; it must be %s",
                            field->name, table->what, range_text(field, range));
    for (uint32_t k = 0; field->choices[k] != NULL; ++k) {
        if (!is_choice(text, field->choices[k])) continue;
        *out_index = k;
        return QUARTIC_OK;
    }
    const char *near = quartic_nearest(text, choice_name, field->choices, strlen(text) / 3 + 1);
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "\"%s\" of %s is \"%s\"; it must be %s%s%s%s", field->name,
                        table->what, text, range_text(field, range), near ? "; did you mean \"" : "",
                        near ? near : "", near ? "\"?" : "");
}

/* Reads one choice, or a list of choices. */
static quartic_status read_choices(const quartic_field_table *table, const quartic_field *field,
                                   const quartic_json *value, void *to) {
    const bool is_list = quartic_json_is(value, QUARTIC_JSON_ARRAY);
    uint32_t index, count = is_list ? value->count : 0;
    uint8_t *list = (uint8_t *)to + field->list_offset;
    if (is_list && !field_in_range(field, (double)count))
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "\"%s\" of %s is a list of %u; a list has 1 to %.0f entries", field->name,
                            table->what, count, field->most);
    if (count == 0) {
        QUARTIC_TRY(read_choice(table, field, value, &index));
        memcpy((char *)to + field->offset, &index, sizeof index);
    }
    memset(list, 0, (size_t)field->most);
    if (is_list) {
        uint8_t *next = list;
        QUARTIC_JSON_FOREACH(member, value) {
            QUARTIC_TRY(read_choice(table, field, member, &index));
            *next++ = (uint8_t)index;
        }
    }
    memcpy((char *)to + field->count_offset, &count, sizeof count);
    return QUARTIC_OK;
}

/* Reads one value of the JSON object into the struct. */
static quartic_status read_field(const quartic_field_table *table, const quartic_field *field,
                                 const quartic_json *value, void *to) {
    char range[RANGE_TEXT];
    uint32_t number = 0;
    bool fits = false;
    switch (field->kind) {
    case QUARTIC_FIELD_FLAG:
        fits = value->kind == QUARTIC_JSON_BOOLEAN;
        number = fits && value->integer;
        break;
    case QUARTIC_FIELD_COUNT:
        fits = value->kind == QUARTIC_JSON_INTEGER;
        if (fits) {
            if (!field_in_range(field, value->real)) return out_of_range(table, field, value->real);
            number = (uint32_t)value->integer;
        }
        break;
    case QUARTIC_FIELD_REAL:
        if (value->kind == QUARTIC_JSON_INTEGER || value->kind == QUARTIC_JSON_REAL) {
            float real = (float)value->real;
            if (!field_in_range(field, (double)real)) return out_of_range(table, field, value->real);
            memcpy((char *)to + field->offset, &real, sizeof real);
            return QUARTIC_OK;
        }
        break;
    case QUARTIC_FIELD_CHOICE:
        QUARTIC_TRY(read_choice(table, field, value, &number));
        fits = true;
        break;
    case QUARTIC_FIELD_CHOICES:
        return read_choices(table, field, value, to);
    }
    if (!fits)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "\"%s\" of %s has the wrong type; it must be %s",
                            field->name, table->what, range_text(field, range));
    memcpy((char *)to + field->offset, &number, sizeof number);
    return QUARTIC_OK;
}

static quartic_status read_object(const quartic_field_table *table, const quartic_json *object, void *to) {
    QUARTIC_JSON_FOREACH(value, object) {
        const size_t index =
            quartic_find_name(table->fields, sizeof table->fields[0], table->count, value->key);
        if (index == table->count) {
            const char *near = quartic_nearest(value->key, field_name, table, strlen(value->key) / 3 + 1);
            return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s has no key \"%s\"%s%s%s", table->what,
                                value->key, near ? "; did you mean \"" : "", near ? near : "",
                                near ? "\"?" : "");
        }
        if (value->kind != QUARTIC_JSON_NULL)
            QUARTIC_TRY(read_field(table, &table->fields[index], value, to));
    }
    return QUARTIC_OK;
}

/* The bytes of the struct as far as its fields reach. */
static size_t struct_bytes(const quartic_field_table *table) {
    size_t end = 0;
    for (uint32_t k = 0; k < table->count; ++k) {
        const quartic_field *field = &table->fields[k];
        const size_t field_end = field->kind == QUARTIC_FIELD_CHOICES
                                     ? field->list_offset + (size_t)field->most
                                     : field->offset + sizeof(uint32_t);
        if (field_end > end) end = field_end;
    }
    return end;
}

quartic_status quartic_fields_read_json_bytes(const quartic_field_table *table, const char *bytes,
                                              size_t count, void *inout_struct) {
    quartic_json_document document;
    quartic_json_error error;
    quartic_status status = quartic_json_read(bytes, count, &document, &error);
    if (status == QUARTIC_FORMAT)
        return quartic_fail(QUARTIC_FORMAT, "%s is no JSON: line %u, column %u: %s", table->what, error.line,
                            error.column, error.text);
    QUARTIC_TRY(status);
    const size_t struct_size = struct_bytes(table);
    void *copy = NULL;
    if (document.values[0].kind != QUARTIC_JSON_OBJECT)
        status = quartic_fail(QUARTIC_FORMAT, "%s must be a JSON object, {\"key\": value, ..}", table->what);
    else if ((copy = quartic_alloc(1, struct_size)) == NULL)
        status = QUARTIC_OUT_OF_MEMORY;
    if (status == QUARTIC_OK) {
        memcpy(copy, inout_struct, struct_size);
        status = read_object(table, &document.values[0], copy);
        if (status == QUARTIC_OK) memcpy(inout_struct, copy, struct_size);
    }
    quartic_free(copy);
    quartic_json_free(&document);
    return status;
}

quartic_status quartic_fields_read_json(const quartic_field_table *table, const char *text,
                                        void *inout_struct) {
    return quartic_fields_read_json_bytes(table, text, strlen(text), inout_struct);
}

/* Writes the list of a CHOICES field that has one. */
static void write_choice_list(const quartic_field *field, const void *from, uint32_t count,
                              quartic_json_writer *writer) {
    const uint8_t *items = (const uint8_t *)from + field->list_offset;
    for (uint32_t k = 0; k < count; ++k) {
        quartic_json_put(writer, k == 0 ? "[" : ", ");
        quartic_json_put_text(writer, field->choices[items[k]]);
    }
    quartic_json_put(writer, "]");
}

static void write_field(const quartic_field *field, const void *from, quartic_json_writer *writer) {
    uint32_t number, count = 0;
    float real;
    memcpy(&number, (const char *)from + field->offset, sizeof number);
    memcpy(&real, (const char *)from + field->offset, sizeof real);
    if (field->kind == QUARTIC_FIELD_CHOICES)
        memcpy(&count, (const char *)from + field->count_offset, sizeof count);
    if (field->kind == QUARTIC_FIELD_FLAG)
        quartic_json_put(writer, number != 0 ? "true" : "false");
    else if (field->kind == QUARTIC_FIELD_COUNT)
        quartic_json_put_integer(writer, number);
    else if (field->kind == QUARTIC_FIELD_REAL)
        quartic_json_put_float(writer, real);
    else if (count != 0)
        write_choice_list(field, from, count, writer);
    else
        quartic_json_put_text(writer, field->choices[number]);
}

quartic_status quartic_fields_write_json(const quartic_field_table *table, const void *from,
                                         char **out_text) {
    quartic_json_writer writer = {.bytes = NULL};
    for (uint32_t k = 0; k < table->count; ++k) {
        quartic_json_put(&writer, k == 0 ? "{" : ", ");
        quartic_json_put_text(&writer, table->fields[k].name);
        quartic_json_put(&writer, ": ");
        write_field(&table->fields[k], from, &writer);
    }
    quartic_json_put(&writer, "}");
    *out_text = NULL;
    if (writer.status == QUARTIC_OK)
        *out_text = writer.bytes;
    else
        quartic_free(writer.bytes);
    return writer.status;
}

static quartic_status check_choice(const quartic_field_table *table, const quartic_field *field,
                                   uint32_t number) {
    char range[RANGE_TEXT];
    if (number < (field->kind == QUARTIC_FIELD_FLAG ? 2 : choice_count(field))) return QUARTIC_OK;
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "\"%s\" of %s is %u; it must be %s", field->name,
                        table->what, number, range_text(field, range));
}

static quartic_status check_choices(const quartic_field_table *table, const quartic_field *field,
                                    const void *of) {
    const uint8_t *list = (const uint8_t *)of + field->list_offset;
    uint32_t count;
    memcpy(&count, (const char *)of + field->count_offset, sizeof count);
    if (count > (uint32_t)field->most)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "\"%s\" of %s is a list of %u; a list has 1 to %.0f entries", field->name,
                            table->what, count, field->most);
    for (uint32_t k = 0; k < count; ++k) QUARTIC_TRY(check_choice(table, field, list[k]));
    return QUARTIC_OK;
}

quartic_status quartic_fields_check(const quartic_field_table *table, const void *of) {
    for (uint32_t k = 0; k < table->count; ++k) {
        const quartic_field *field = &table->fields[k];
        uint32_t number;
        float real;
        memcpy(&number, (const char *)of + field->offset, sizeof number);
        memcpy(&real, (const char *)of + field->offset, sizeof real);
        switch (field->kind) {
        case QUARTIC_FIELD_COUNT:
            if (!field_in_range(field, (double)number)) return out_of_range(table, field, (double)number);
            break;
        case QUARTIC_FIELD_REAL:
            if (!field_in_range(field, (double)real)) return out_of_range(table, field, (double)real);
            break;
        case QUARTIC_FIELD_CHOICES:
            QUARTIC_TRY(check_choices(table, field, of));
            QUARTIC_TRY(check_choice(table, field, number));
            break;
        case QUARTIC_FIELD_FLAG:
        case QUARTIC_FIELD_CHOICE:
            QUARTIC_TRY(check_choice(table, field, number));
            break;
        }
    }
    return QUARTIC_OK;
}

/* A value as a text, "12", "true" or "\"axial\""; of a list, its entry of that index, or for UINT32_MAX its
 * length. */
static void field_value_text(const quartic_field *field, const void *of, uint32_t entry,
                             char text[QUARTIC_FIELD_TEXT]) {
    uint32_t number, count = 0;
    float real;
    memcpy(&number, (const char *)of + field->offset, sizeof number);
    memcpy(&real, (const char *)of + field->offset, sizeof real);
    if (field->kind == QUARTIC_FIELD_CHOICES)
        memcpy(&count, (const char *)of + field->count_offset, sizeof count);
    if (field->kind == QUARTIC_FIELD_REAL)
        snprintf(text, QUARTIC_FIELD_TEXT, "%.9g", (double)real);
    else if (field->kind == QUARTIC_FIELD_FLAG)
        snprintf(text, QUARTIC_FIELD_TEXT, "%s", number != 0 ? "true" : "false");
    else if (field->kind == QUARTIC_FIELD_COUNT)
        snprintf(text, QUARTIC_FIELD_TEXT, "%u", number);
    else if (count != 0 && entry == UINT32_MAX)
        snprintf(text, QUARTIC_FIELD_TEXT, "a list of %u", count);
    else
        snprintf(text, QUARTIC_FIELD_TEXT, "\"%s\"",
                 field->choices[count != 0 ? ((const uint8_t *)of + field->list_offset)[entry] : number]);
}

/* Whether two values of a field are the same; else *out_entry is the first entry of a list that differs, or
 * UINT32_MAX. */
static bool same_value(const quartic_field *field, const void *a, const void *b, uint32_t *out_entry) {
    *out_entry = UINT32_MAX;
    if (field->kind == QUARTIC_FIELD_CHOICES) {
        uint32_t counts[2];
        memcpy(&counts[0], (const char *)a + field->count_offset, sizeof counts[0]);
        memcpy(&counts[1], (const char *)b + field->count_offset, sizeof counts[1]);
        if (counts[0] != counts[1]) return false;
        const uint8_t *left = (const uint8_t *)a + field->list_offset,
                      *right = (const uint8_t *)b + field->list_offset;
        for (uint32_t k = 0; k < counts[0]; ++k) {
            if (left[k] == right[k]) continue;
            *out_entry = k;
            return false;
        }
        if (counts[0] != 0) return true; /* where there is a list, the single choice has no meaning */
    }
    if (field->kind == QUARTIC_FIELD_REAL) {
        float left, right;
        memcpy(&left, (const char *)a + field->offset, sizeof left);
        memcpy(&right, (const char *)b + field->offset, sizeof right);
        return left == right;
    }
    return memcmp((const char *)a + field->offset, (const char *)b + field->offset, sizeof(uint32_t)) == 0;
}

bool quartic_fields_differ(const quartic_field_table *table, const void *a, const void *b,
                           quartic_field_difference *out) {
    for (uint32_t k = 0; k < table->count; ++k) {
        const quartic_field *field = &table->fields[k];
        uint32_t entry;
        if (same_value(field, a, b, &entry)) continue;
        if (entry == UINT32_MAX)
            snprintf(out->name, sizeof out->name, "\"%s\"", field->name);
        else
            snprintf(out->name, sizeof out->name, "\"%s\"[%u]", field->name, entry);
        field_value_text(field, a, entry, out->left);
        field_value_text(field, b, entry, out->right);
        return true;
    }
    return false;
}

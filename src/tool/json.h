/* json.h: the one way in which the commands make JSON, so that every --json is whole.
 *
 * A document is one object or list on stdout. Numbers that are not finite (NaN, infinities: JSON has neither)
 * are null. A byte that is no UTF-8 stands as \xNN, four letters, as in Python's "backslashreplace"; control
 * characters as JSON escapes them. Nothing is left out in silence: a value that cannot be made ends the
 * program with a sentence. jansson's own makers, which return NULL for a NaN or a stray byte and so lose all
 * that the value is part of, cannot be used by other files.
 */
#ifndef QUARTIC_TOOL_JSON_H
#define QUARTIC_TOOL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

json_t *tool_json_real(double number); /* null if it is not finite */
json_t *tool_json_count(uint64_t number);
json_t *tool_json_text(const char *text); /* null for NULL */
json_t *tool_json_bytes(const void *bytes, size_t count);
json_t *tool_json_flag(bool flag);
json_t *tool_json_null(void);
json_t *tool_json_list(void);
/* An object of pairs (const char *key, json_t *value), which it takes over, closed by NULL. */
json_t *tool_json_object(const char *key, ...) __attribute__((sentinel));
/* Both take the value over. */
void tool_json_set(json_t *object, const char *key, json_t *value);
void tool_json_add(json_t *list, json_t *value);

/* Prints a text for people: bytes that are no UTF-8 and control characters as \xNN, so that a name from a
 * file can neither move the cursor nor break a line. */
void tool_put_text(FILE *stream, const char *text);

#ifndef TOOL_JSON_MAKERS
#pragma GCC poison json_pack json_real json_integer json_string json_stringn json_object json_array json_null
#pragma GCC poison json_true json_false json_object_set_new json_array_append_new
#endif

#endif

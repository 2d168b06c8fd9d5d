/* json.h: how the commands make JSON. Other files do not call jansson's own functions that create values.
 *
 * A document is one object or list on stdout. A number that is not finite (NaN, infinity) is null, since JSON
 * has neither. A byte that is not UTF-8 becomes the four letters \xNN, as with Python's "backslashreplace";
 * JSON escapes control characters. If a value cannot be created for lack of memory, the program ends with a
 * message. jansson's own functions return NULL for a NaN or a stray byte, which drops the whole value that
 * contains it; they are poisoned below.
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

/* api_list.h: what the public headers declare: every function and the names of its pointers, read from the
 * headers' text, so that a table which leaves a function out is found out.
 *
 * A parameter is a pointer if its type has a '*', is a callback or a Vulkan handle. Functions that macros of
 * graph.h declare (QUARTIC_UNARY_LIST, QUARTIC_BINARY_LIST) are added from these lists.
 */
#ifndef QUARTIC_TESTS_API_LIST_H
#define QUARTIC_TESTS_API_LIST_H

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quartic/graph.h"

enum { API_MOST_FUNCTIONS = 400, API_MOST_POINTERS = 10, API_NAME = 64 };

typedef struct api_function {
    char name[API_NAME];
    char pointers[API_MOST_POINTERS][API_NAME];
    uint32_t pointer_count;
    bool of_vulkan;  /* declared in vulkan.h */
    bool is_builder; /* returns a value of a graph */
} api_function;

typedef struct api_list {
    api_function functions[API_MOST_FUNCTIONS];
    uint32_t count;
} api_list;

static inline bool api_is_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* The last word of text[0..length). */
static inline void api_last_word(const char *text, size_t length, char out[API_NAME]) {
    while (length > 0 && !api_is_word(text[length - 1])) --length;
    size_t begin = length;
    while (begin > 0 && api_is_word(text[begin - 1])) --begin;
    snprintf(out, API_NAME, "%.*s", (int)(length - begin), text + begin);
}

/* Blanks comments and lines of the preprocessor. */
static inline void api_blank(char *text) {
    for (char *at = text; *at != 0;) {
        if (at[0] == '/' && at[1] == '*') {
            char *end = strstr(at + 2, "*/");
            char *stop = end == NULL ? at + strlen(at) : end + 2;
            while (at < stop) *at++ = ' ';
        } else if (*at == '#') {
            while (*at != 0 && *at != '\n') {
                if (*at == '\\' && at[1] == '\n') *at++ = ' ';
                *at++ = ' ';
            }
        } else {
            ++at;
        }
    }
}

static inline void api_add_parameter(api_function *function, const char *text, size_t length) {
    static const char *const handles[] = {"_callback ", "VkBuffer ", "VkCommandBuffer "};
    char copy[256];
    snprintf(copy, sizeof copy, "%.*s", (int)length, text);
    bool pointer = strchr(copy, '*') != NULL;
    for (size_t k = 0; k < sizeof handles / sizeof handles[0]; ++k)
        pointer = pointer || strstr(copy, handles[k]) != NULL;
    if (pointer && function->pointer_count < API_MOST_POINTERS)
        api_last_word(text, length, function->pointers[function->pointer_count++]);
}

/* One declaration, from behind QUARTIC_API up to its semicolon. */
static inline void api_add(api_list *list, const char *text, size_t length, bool of_vulkan) {
    const char *open = memchr(text, '(', length);
    if (open == NULL || list->count == API_MOST_FUNCTIONS) return;
    api_function *function = &list->functions[list->count++];
    *function = (api_function){.of_vulkan = of_vulkan};
    const char *value = strstr(text, "quartic_value ");
    function->is_builder = value != NULL && value < open;
    api_last_word(text, (size_t)(open - text), function->name);
    const char *begin = open + 1, *end = text + length;
    for (const char *at = begin; at < end; ++at)
        if (*at == ',' || *at == ')') {
            api_add_parameter(function, begin, (size_t)(at - begin));
            begin = at + 1;
        }
}

/* false: a header could not be read. */
static inline bool api_read(api_list *list, const char *folder, const char *header) {
    enum { MOST = 1 << 18 };
    char path[1024];
    snprintf(path, sizeof path, "%s/include/quartic/%s", folder, header);
    FILE *file = fopen(path, "rb");
    char *text = calloc(MOST + 1, 1);
    bool read = file != NULL && text != NULL && fread(text, 1, MOST, file) > 0;
    if (file != NULL) fclose(file);
    if (read) {
        api_blank(text);
        for (char *at = strstr(text, "QUARTIC_API"); at != NULL; at = strstr(at + 1, "QUARTIC_API")) {
            const char *end = strchr(at, ';');
            if (end != NULL) api_add(list, at, (size_t)(end - at), strcmp(header, "vulkan.h") == 0);
        }
    }
    free(text);
    return read;
}

static inline void api_add_builder(api_list *list, const char *name) {
    char text[128];
    snprintf(text, sizeof text, "quartic_value %s(quartic_graph *graph)", name);
    api_add(list, text, strlen(text), false);
}

/* All headers of the folder's include/quartic. */
static inline bool api_read_all(api_list *list, const char *folder) {
    char path[1024];
    snprintf(path, sizeof path, "%s/include/quartic", folder);
    DIR *headers = opendir(path);
    if (headers == NULL) return false;
    list->count = 0;
    bool whole = true;
    for (const struct dirent *at; (at = readdir(headers)) != NULL;) {
        const size_t length = strlen(at->d_name);
        if (length > 2 && strcmp(at->d_name + length - 2, ".h") == 0)
            whole = api_read(list, folder, at->d_name) && whole;
    }
    closedir(headers);
    if (!whole) return false;
#define API_BUILDER(name) api_add_builder(list, "quartic_" #name);
    QUARTIC_UNARY_LIST(API_BUILDER)
    QUARTIC_BINARY_LIST(API_BUILDER)
#undef API_BUILDER
    return true;
}

#endif

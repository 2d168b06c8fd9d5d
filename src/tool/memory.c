/* memory.c: memory for the commands. */
#include <stdio.h>
#include <stdlib.h>

#include "tool/tool.h"

void *tool_alloc(size_t count, size_t size) {
    void *memory = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);
    if (memory != NULL) return memory;
    fprintf(stderr, "quartic: the host has no memory left for %zu elements of %zu bytes\n", count, size);
    exit(EXIT_FAILED);
}

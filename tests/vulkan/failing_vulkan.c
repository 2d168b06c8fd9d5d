/* failing_vulkan.c: see failing_vulkan.h. */
#include "vulkan/failing_vulkan.h"

#include <dlfcn.h>
#include <stdlib.h>

/* The loader's function of that name. */
static void *loader_symbol(const char *name) {
    void *loader = dlopen(QUARTIC_TEST_FAILING_LOADER, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *found = loader == NULL ? NULL : dlsym(loader, name);
    if (found == NULL) abort();
    dlclose(loader);
    return found;
}

void vulkan_fail_at(uint64_t nth) {
    union {
        void *object;
        void (*function)(uint64_t);
    } symbol = {.object = loader_symbol("failing_loader_fail_at")};
    symbol.function(nth);
}

void vulkan_fail_submit_at(uint64_t nth) {
    union {
        void *object;
        void (*function)(uint64_t);
    } symbol = {.object = loader_symbol("failing_loader_fail_submit_at")};
    symbol.function(nth);
}

vulkan_queue_counts vulkan_count_queue(void) {
    union {
        void *object;
        void (*function)(vulkan_queue_counts *);
    } symbol = {.object = loader_symbol("failing_loader_count_queue")};
    vulkan_queue_counts counts;
    symbol.function(&counts);
    return counts;
}

uint32_t vulkan_calls(const char *names[VULKAN_MOST_CALLS]) {
    union {
        void *object;
        uint32_t (*function)(const char *names[VULKAN_MOST_CALLS]);
    } symbol = {.object = loader_symbol("failing_loader_calls")};
    return symbol.function(names);
}

/* Before main, where the environment may still be changed. */
__attribute__((constructor)) static void choose_loader(void) {
    setenv("QUARTIC_VULKAN_LOADER", QUARTIC_TEST_FAILING_LOADER, 1);
}

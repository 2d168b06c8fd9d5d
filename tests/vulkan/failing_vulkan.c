/* failing_vulkan.c: see failing_vulkan.h. */
#include "vulkan/failing_vulkan.h"

#include <dlfcn.h>
#include <stdlib.h>

void vulkan_fail_at(uint64_t nth) {
    void *loader = dlopen(QUARTIC_TEST_FAILING_LOADER, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    union {
        void *object;
        void (*function)(uint64_t);
    } symbol = {.object = loader == NULL ? NULL : dlsym(loader, "failing_loader_fail_at")};
    if (symbol.object == NULL) abort();
    symbol.function(nth);
    dlclose(loader);
}

/* Before main, where the environment may still be changed. */
__attribute__((constructor)) static void choose_loader(void) {
    setenv("QUARTIC_VULKAN_LOADER", QUARTIC_TEST_FAILING_LOADER, 1);
}

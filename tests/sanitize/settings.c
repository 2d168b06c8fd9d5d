/* settings.c: linked into every sanitized program (QUARTIC_SANITIZE); what the sanitizers must know.
 *
 * Reports of the library itself are never suppressed: a pattern names a foreign binary, and counts only where
 * that binary allocated or raced. Vulkan objects that we forget are found by the validation layers.
 */

#define EXPORTED __attribute__((visibility("default"), used))

/* The Vulkan loader unloads drivers and layers before the program ends, but leaks are looked for at the end,
 * and nobody could say then whose they are: so nothing is unloaded. */
EXPORTED int dlclose(void *handle);
int dlclose(void *handle) {
    (void)handle;
    return 0;
}

/* Tests preload libraries of faults, which then stand in front of the runtime. */
EXPORTED const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "verify_asan_link_order=0";
}

/* Kept at exit: the layers' tables of what they watched, and the fonts that cairo found. */
EXPORTED const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libVkLayer_khronos_validation.so\n"
           "leak:libfontconfig.so\n";
}

/* What they do among themselves: the loader's constructor runs under dlopen's own lock, the layers free what
 * threads of the driver had locked. */
EXPORTED const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) {
    return "race:libvulkan.so\n"
           "race:libVkLayer_khronos_validation.so\n";
}

/* manifest.c: keeps driver manifests from the Vulkan loader that would end the process instead of an error.
 *
 * The loader (1.3.239, Debian 12) reads a manifest without looking at the kinds of its values: a list in the
 * place of an object, or a "library_path" that is no text, is a segmentation fault. Manifests that the
 * environment names are looked at first; all other faults are left to the loader, which has words for them.
 */
#include "gpu/internal.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\n";

/* Whether every value of this key begins with that character. */
static bool values_begin_with(const char *text, const char *key, char first) {
    const size_t length = strlen(key);
    for (const char *at = text; (at = strstr(at, key)) != NULL; at += length) {
        const char *colon = at + length + strspn(at + length, blanks);
        if (*colon == ':' && colon[1 + strspn(colon + 1, blanks)] != first) return false;
    }
    return true;
}

const char *quartic_gpu_manifest_fault(const char *text) {
    const char first = text[strspn(text, blanks)];
    if (first == '[') return "it is a list; a manifest is an object";
    if (!values_begin_with(text, "\"ICD\"", '{')) return "\"ICD\" is no object";
    if (!values_begin_with(text, "\"library_path\"", '"')) return "\"library_path\" is no text";
    return NULL;
}

/* One file; what cannot be read is left to the loader. */
static quartic_status check_file(const char *path) {
    enum { MOST_BYTES = 1 << 16 };
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) return QUARTIC_OK;
    char *text = quartic_alloc(MOST_BYTES, 1);
    const size_t count = text == NULL ? 0 : fread(text, 1, MOST_BYTES - 1, stream);
    fclose(stream);
    if (text == NULL) return QUARTIC_OUT_OF_MEMORY;
    text[count] = 0;
    const char *fault = quartic_gpu_manifest_fault(text);
    quartic_free(text);
    if (fault == NULL) return QUARTIC_OK;
    return quartic_fail(
        QUARTIC_UNAVAILABLE,
        "the Vulkan driver manifest %.300s is broken, and the loader would not survive it: %s; "
        "mend it or leave it out",
        path, fault);
}

quartic_status quartic_gpu_check_manifests(void) {
    static const char *const variables[] = {"VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES"};
    for (size_t v = 0; v < sizeof variables / sizeof variables[0]; ++v) {
        const char *list = getenv(variables[v]);
        while (list != NULL && *list != 0) {
            char path[QUARTIC_GPU_PATH];
            const size_t length = strcspn(list, ":");
            if (length > 0 && length < sizeof path) {
                memcpy(path, list, length);
                path[length] = 0;
                QUARTIC_TRY(check_file(path));
            }
            list += length + (list[length] == ':');
        }
    }
    return QUARTIC_OK;
}

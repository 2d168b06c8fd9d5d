/* options.c: copies a caller's struct over the defaults, byte by byte. See options.h. */
#include "base/options.h"

#include <stdint.h>
#include <string.h>

/* A struct_size that is larger by more than this comes from an uninitialised struct, not from newer
 * headers. */
enum { MOST_SURPLUS = 8192 };

static quartic_status fail_struct_size(const quartic_options_type *type, size_t size) {
    return quartic_fail(
        QUARTIC_INVALID_ARGUMENT,
        "the %s given has struct_size %zu, which is no size of this struct (now %zu bytes); start "
        "from %s",
        type->name, size, type->size, type->init);
}

/* Checks the caller's struct_size and gives the size that it means. Errors: INVALID_ARGUMENT. */
static quartic_status check_struct_size(const quartic_options_type *type, const void *given,
                                        size_t *out_size) {
    size_t size;
    memcpy(&size, given, sizeof size);
    *out_size = size;
    if (size == 0 && type->size_if_zero != 0) {
        *out_size = type->size_if_zero;
        return QUARTIC_OK;
    }
    if (size < sizeof size || size % sizeof(uint32_t) != 0 || size > type->size + MOST_SURPLUS)
        return fail_struct_size(type, size);
    for (size_t k = type->size; k < size; ++k)
        if (((const unsigned char *)given)[k] != 0)
            return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                                "the %s given has struct_size %zu, of which this library knows %zu bytes, "
                                "and the others are not "
                                "zero: a setting of a newer header that this library would ignore; leave it "
                                "out or update the "
                                "library",
                                type->name, size, type->size);
    return QUARTIC_OK;
}

quartic_status quartic_options_read(const quartic_options_type *type, const void *given, void *out) {
    memcpy(out, type->defaults, type->size);
    if (given == NULL) return QUARTIC_OK;
    size_t size;
    QUARTIC_TRY(check_struct_size(type, given, &size));
    memcpy(out, given, size < type->size ? size : type->size);
    memcpy(out, &type->size, sizeof type->size);
    return QUARTIC_OK;
}

quartic_status quartic_options_write(const quartic_options_type *type, const void *from, void *inout_given) {
    size_t size;
    QUARTIC_TRY(check_struct_size(type, inout_given, &size));
    if (size < type->size &&
        memcmp((const char *)from + size, (const char *)type->defaults + size, type->size - size) != 0)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "the %s given has struct_size %zu, too small for a setting that is not at its default; "
            "this library's has %zu bytes: compile against its headers",
            type->name, size, type->size);
    const size_t known = size < type->size ? size : type->size;
    memcpy((char *)inout_given + sizeof size, (const char *)from + sizeof size, known - sizeof size);
    return QUARTIC_OK;
}

/* device_name.c: from a name to a device of a list. See device_name.h. */
#include "run/device_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/status.h"

static bool contains_ignoring_case(const char *text, const char *part) {
    const size_t length = strlen(part);
    for (; *text != 0; ++text)
        if (strncasecmp(text, part, length) == 0) return true;
    return false;
}

/* Whether the name is an index: digits alone, spaces around them aside. Numbers beyond any index stay so. */
static bool is_device_index(const char *name, uint64_t *out_index) {
    uint32_t digits = 0;
    *out_index = 0;
    while (isspace((unsigned char)*name)) ++name;
    for (; isdigit((unsigned char)*name); ++name, ++digits)
        if (*out_index <= UINT32_MAX) *out_index = 10 * *out_index + (uint64_t)(*name - '0');
    while (isspace((unsigned char)*name)) ++name;
    return digits > 0 && *name == 0;
}

/* ---- messages ---- */

/* ", 0 (NAME)" of a device, or why it cannot be used, too. */
static size_t add_device_name(char *text, size_t bytes, const quartic_device_info *info) {
    int used;
    if (info->kind != QUARTIC_DEVICE_VULKAN)
        used = snprintf(text, bytes, ", %s", info->name);
    else if (info->usable)
        used = snprintf(text, bytes, ", %u (%.100s)", info->index, info->name);
    else
        used = snprintf(text, bytes, ", %u (%.100s, not usable: %.100s)", info->index, info->name,
                        info->why_not);
    return used < 0 ? 0 : (size_t)used;
}

enum { LIST_BYTES = 640 };

/* The devices for which `member` is not 0 (NULL: all), the CPU's first; what does not fit is counted. */
static const char *list_device_names(const quartic_device_info *infos, uint32_t count, const uint8_t *member,
                                     char text[LIST_BYTES]) {
    char one[LIST_BYTES], more[32];
    size_t used = 0;
    uint32_t left_out = 0;
    for (int vulkan = 0; vulkan <= 1; ++vulkan)
        for (uint32_t d = 0; d < count; ++d) {
            if ((infos[d].kind == QUARTIC_DEVICE_VULKAN) != vulkan || (member != NULL && !member[d]))
                continue;
            const size_t length = add_device_name(one, sizeof one, &infos[d]);
            if (used + length + sizeof more > LIST_BYTES || left_out > 0) {
                ++left_out;
                continue;
            }
            memcpy(text + used, one, length);
            used += length;
        }
    text[used] = 0;
    if (left_out > 0) snprintf(text + used, sizeof more, " and %u more", left_out);
    return text + (used > 0 ? 2 : 0); /* without the first comma */
}

static quartic_status fail_no_such_device(const char *name, const quartic_device_info *infos, uint32_t count,
                                          const char *no_vulkan) {
    char text[LIST_BYTES];
    return quartic_fail(
        QUARTIC_UNAVAILABLE, "there is no device \"%.60s\"; there are %s%s%s", name,
        list_device_names(infos, count, NULL, text),
        no_vulkan == NULL ? "" : ", and no Vulkan device: ", no_vulkan == NULL ? "" : no_vulkan);
}

/* ---- matching ---- */

typedef bool (*name_rule)(const char *device_name, const char *name);

static bool is_same(const char *device_name, const char *name) {
    return strcmp(device_name, name) == 0;
}

/* Devices whose name fits; OK with the only one, or with count if there is none. */
static quartic_status find_only_device(const char *name, const quartic_device_info *infos, uint32_t count,
                                       name_rule fits, uint32_t *out_at) {
    enum { MOST = 256 };
    uint8_t member[MOST] = {0};
    uint32_t found = 0;
    *out_at = count;
    for (uint32_t d = 0; d < count && d < MOST; ++d) {
        if (!fits(infos[d].name, name)) continue;
        member[d] = 1;
        if (found++ == 0) *out_at = d;
    }
    if (found <= 1) return QUARTIC_OK;
    char text[LIST_BYTES];
    return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                        "\"%.60s\" can be any of %u devices: %s; give the index or more of the name", name,
                        found, list_device_names(infos, count < MOST ? count : MOST, member, text));
}

/* The first usable device, of the Vulkan devices alone if vulkan; count if there is none. */
static uint32_t first_usable_device(const quartic_device_info *infos, uint32_t count, bool vulkan) {
    uint32_t d = 0;
    while (d < count && (!infos[d].usable || (vulkan && infos[d].kind != QUARTIC_DEVICE_VULKAN))) ++d;
    return d;
}

static uint32_t vulkan_device_at(const quartic_device_info *infos, uint32_t count, uint64_t index) {
    uint32_t d = 0;
    while (d < count && (infos[d].kind != QUARTIC_DEVICE_VULKAN || infos[d].index != index)) ++d;
    return d;
}

quartic_status quartic_device_match(const char *name, const quartic_device_info *infos, uint32_t count,
                                    const char *no_vulkan, uint32_t *out_at) {
    uint64_t index;
    if (name[strspn(name, " \t\r\n")] == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "the name of the device is empty; leave it out or give auto, cpu, reference, "
                            "vulkan, an index or part of a name");
    const bool automatic = strcasecmp(name, "auto") == 0, vulkan = strcasecmp(name, "vulkan") == 0;
    if (automatic || vulkan) {
        *out_at = first_usable_device(infos, count, vulkan);
    } else if (is_device_index(name, &index)) {
        *out_at = vulkan_device_at(infos, count, index);
    } else {
        QUARTIC_TRY(find_only_device(name, infos, count, is_same, out_at));
        if (*out_at == count)
            QUARTIC_TRY(find_only_device(name, infos, count, contains_ignoring_case, out_at));
    }
    return *out_at < count ? QUARTIC_OK : fail_no_such_device(name, infos, count, no_vulkan);
}

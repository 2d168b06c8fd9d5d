/* devices.c: `quartic devices`: what the machine can run on, best first. */
#include <stdio.h>
#include <stdlib.h>

#include "quartic/estimate.h"
#include "tool/tool.h"

typedef struct devices_settings {
    uint32_t json, limits;
} devices_settings;

static const devices_settings defaults = {0};
static const arg_option options[] = {
    {"limits", NULL, ARG_FLAG, offsetof(devices_settings, limits), 0, 0,
     "with --json: what the driver of each usable Vulkan device states of it, as `limits`"},
    TOOL_JSON_OPTION(devices_settings)};

/* What --device takes for this device: the index of a Vulkan device, the name of another. */
static const char *device_argument(const quartic_device_info *info, char buffer[TOOL_NUMBER_BYTES]) {
    if (info->kind != QUARTIC_DEVICE_VULKAN) return info->name;
    snprintf(buffer, TOOL_NUMBER_BYTES, "%u", info->index);
    return buffer;
}

/* What the driver states of a usable Vulkan device; null for others. */
static json_t *device_limits_json(const quartic_device_info *info) {
    quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
    quartic_device *device = NULL;
    char index[TOOL_NUMBER_BYTES];
    if (info->kind != QUARTIC_DEVICE_VULKAN || !info->usable) return tool_json_null();
    snprintf(index, sizeof index, "%u", info->index);
    quartic_status status = quartic_device_create(index, &device);
    if (status == QUARTIC_OK) status = quartic_device_get_limits(device, &limits);
    quartic_device_destroy(device);
    if (status != QUARTIC_OK) return tool_json_null();
    return tool_json_object(
        "compute_units", tool_json_count(limits.compute_units), "subgroup_size",
        tool_json_count(limits.subgroup_size), "max_invocations", tool_json_count(limits.max_invocations),
        "max_shared_bytes", tool_json_count(limits.max_shared_bytes), "float16",
        tool_json_flag(limits.float16), "cooperative_matrix", tool_json_flag(limits.cooperative_matrix),
        "subgroup_shuffle", tool_json_flag(limits.subgroup_shuffle), "memory_model",
        tool_json_flag(limits.memory_model), "memory_bytes", tool_json_count(limits.memory_bytes),
        "max_buffer_bytes", tool_json_count(limits.max_buffer_bytes), NULL);
}

/* no_vulkan: why there is no Vulkan device, NULL if there is one; the device "vulkan" would be it. */
static void print_json(const devices_settings *settings, const quartic_device_info *infos, uint32_t count,
                       const char *no_vulkan) {
    json_t *list = tool_json_list();
    for (uint32_t k = 0; k < count; ++k) {
        const quartic_device_info *info = &infos[k];
        char buffer[TOOL_NUMBER_BYTES];
        json_t *entry = tool_json_object(
            "device", tool_json_text(device_argument(info, buffer)), "name", tool_json_text(info->name),
            "type", tool_json_text(info->type), "driver", tool_json_text(info->driver), "memory_bytes",
            tool_json_count(info->memory_bytes), "usable", tool_json_flag(info->usable), "why_not",
            tool_json_text(info->why_not), NULL);
        if (settings->limits) tool_json_set(entry, "limits", device_limits_json(info));
        tool_json_add(list, entry);
    }
    if (no_vulkan != NULL)
        tool_json_add(list,
                      tool_json_object("device", tool_json_text("vulkan"), "name", tool_json_text(""), "type",
                                       tool_json_text("none"), "driver", tool_json_text(""), "memory_bytes",
                                       tool_json_count(0), "usable", tool_json_flag(false), "why_not",
                                       tool_json_text(no_vulkan), NULL));
    tool_print_json(list);
}

static void print_table(const devices_settings *settings, const quartic_device_info *infos, uint32_t count,
                        const char *no_vulkan) {
    (void)settings;
    printf("%-12s %-11s %10s  %s\n", "--device", "type", "memory", "name");
    for (uint32_t k = 0; k < count; ++k) {
        const quartic_device_info *info = &infos[k];
        char buffer[TOOL_NUMBER_BYTES], memory[TOOL_NUMBER_BYTES];
        printf("%-12s %-11s %10s  ", device_argument(info, buffer), info->type,
               tool_bytes_text((double)info->memory_bytes, memory));
        tool_put_text(stdout, info->name);
        if (info->driver[0] != 0) {
            printf(" (");
            tool_put_text(stdout, info->driver);
            printf(")");
        }
        printf("\n");
        if (!info->usable) printf("%-12s not usable: %s\n", "", info->why_not);
    }
    if (no_vulkan == NULL) return;
    printf("there is no Vulkan device: ");
    tool_put_text(stdout, no_vulkan);
    printf("\n");
}

static int run_devices(const invocation *call) {
    const devices_settings *settings = call->settings;
    uint32_t count = 0;
    const char *no_vulkan = NULL;
    if (quartic_device_list(NULL, 0, &count) != QUARTIC_OK) return tool_fail_library(call->command, NULL);
    quartic_device_info *infos = tool_alloc(count, sizeof *infos);
    uint32_t found = 0;
    int code = EXIT_DONE;
    if (quartic_device_list(infos, count, &found) != QUARTIC_OK) {
        code = tool_fail_library(call->command, NULL);
    } else {
        if (quartic_device_check_vulkan() != QUARTIC_OK) no_vulkan = tool_library_message();
        (settings->json ? print_json : print_table)(settings, infos, found < count ? found : count,
                                                    no_vulkan);
    }
    free(infos);
    return code;
}

const command command_devices = {
    .name = "devices",
    .operands = "",
    .summary = "list the devices that there are, best first",
    .details =
        "The first column is what --device takes: digits alone are the index of a Vulkan device. Also: auto "
        "(the "
        "first usable one), vulkan (the best Vulkan device), a name in full and any part of a name that only "
        "one device has. The environment variable QUARTIC_DEVICE is what auto means, if set. Where there is "
        "no Vulkan device, the last line says why (JSON: an entry \"vulkan\" that is not usable).",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .defaults = &defaults,
    .settings_bytes = sizeof defaults,
    .run = run_devices,
};

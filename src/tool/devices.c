/* devices.c: `quartic devices`: what the machine can run on, best first. */
#include <stdio.h>
#include <stdlib.h>

#include "tool/tool.h"

typedef struct devices_settings {
    uint32_t json;
} devices_settings;

static const devices_settings defaults = {0};
static const arg_option options[] = {TOOL_JSON_OPTION(devices_settings)};

/* The name by which --device finds it: the index of a Vulkan device, the name of the others. */
static const char *handle(const quartic_device_info *info, char buffer[TOOL_NUMBER_BYTES]) {
    if (info->kind != QUARTIC_DEVICE_VULKAN) return info->name;
    snprintf(buffer, TOOL_NUMBER_BYTES, "%u", info->index);
    return buffer;
}

static void print_json(const quartic_device_info *infos, uint32_t count) {
    json_t *list = json_array();
    for (uint32_t k = 0; k < count; ++k) {
        const quartic_device_info *info = &infos[k];
        char buffer[TOOL_NUMBER_BYTES];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:s, s:I, s:b, s:s}", "device", handle(info, buffer),
                                        "name", info->name, "type", info->type, "driver", info->driver,
                                        "memory_bytes", (json_int_t)info->memory_bytes, "usable",
                                        (int)info->usable, "why_not", info->why_not));
    }
    tool_print_json(list);
}

static void print_table(const quartic_device_info *infos, uint32_t count) {
    printf("%-12s %-11s %10s  %s\n", "--device", "type", "memory", "name");
    for (uint32_t k = 0; k < count; ++k) {
        const quartic_device_info *info = &infos[k];
        char buffer[TOOL_NUMBER_BYTES], memory[TOOL_NUMBER_BYTES];
        printf("%-12s %-11s %10s  %s%s%s%s\n", handle(info, buffer), info->type,
               tool_bytes_text((double)info->memory_bytes, memory), info->name,
               info->driver[0] == 0 ? "" : " (", info->driver, info->driver[0] == 0 ? "" : ")");
        if (!info->usable) printf("%-12s not usable: %s\n", "", info->why_not);
    }
}

static int run(const invocation *call) {
    const devices_settings *settings = call->settings;
    uint32_t count = 0;
    if (quartic_device_list(NULL, 0, &count) != QUARTIC_OK) return tool_fail_library(call->command, NULL);
    quartic_device_info *infos = tool_alloc(count, sizeof *infos);
    uint32_t found = 0;
    int code = EXIT_DONE;
    if (quartic_device_list(infos, count, &found) != QUARTIC_OK)
        code = tool_fail_library(call->command, NULL);
    else if (settings->json)
        print_json(infos, found < count ? found : count);
    else
        print_table(infos, found < count ? found : count);
    free(infos);
    return code;
}

const command command_devices = {
    .name = "devices",
    .operands = "",
    .summary = "list the devices that there are, best first",
    .details =
        "The first column is what --device takes. Also: auto (the first usable one), vulkan (the best Vulkan "
        "device), and any part of a Vulkan device's name. The environment variable QUARTIC_DEVICE is what "
        "auto means, if set.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .defaults = &defaults,
    .settings_bytes = sizeof defaults,
    .run = run,
};

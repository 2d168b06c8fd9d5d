/* validate.c: `quartic validate`: every op on a device against the reference, and gradients against finite
 * differences. */
#include "tool/checks.h"

typedef struct validate_settings {
    const char *device;
    const char *op;
    uint64_t seed;
    uint32_t case_index;
    uint32_t gradients;
    uint32_t verbose;
    uint32_t json;
} validate_settings;

static const validate_settings defaults = {.seed = 1, .case_index = QUARTIC_ALL_CASES};
static const arg_option options[] = {
    TOOL_DEVICE_OPTION(validate_settings),
    {"op", "NAME", ARG_TEXT, offsetof(validate_settings, op), 0, 0, "check this op only"},
    {"case", "N", ARG_UINT32, offsetof(validate_settings, case_index), 0, QUARTIC_ALL_CASES,
     "check this case of the op only; the greatest number means all"},
    {"seed", "N", ARG_UINT64, offsetof(validate_settings, seed), 0, 9e18, "seed of the operands"},
    {"gradients", NULL, ARG_FLAG, offsetof(validate_settings, gradients), 0, 0,
     "instead check every gradient rule against finite differences in double, on the CPU"},
    {"verbose", NULL, ARG_FLAG, offsetof(validate_settings, verbose), 0, 0, "a line for passed checks too"},
    TOOL_JSON_OPTION(validate_settings),
};

static int run_validate(const invocation *call) {
    const validate_settings *settings = call->settings;
    quartic_device *device = NULL;
    quartic_device_info info = {.name = "reference64"};
    if (!settings->gradients) {
        device = tool_open_device(call->command, settings->device);
        if (device == NULL) return EXIT_FAILED;
        if (quartic_device_get_info(device, &info) != QUARTIC_OK) {
            quartic_device_destroy(device);
            return tool_fail_library(call->command, NULL);
        }
    }
    checks_view view = {.failures_only = !settings->verbose,
                        .list = settings->json ? tool_json_list() : NULL};
    quartic_validate_config config = QUARTIC_VALIDATE_CONFIG_INIT;
    config.op = settings->op;
    config.case_index = settings->case_index;
    config.seed = settings->seed;
    config.callback = checks_show;
    config.context = &view;
    quartic_check_totals totals = {0};
    quartic_status status = settings->gradients ? quartic_check_gradients(&config, &totals)
                                                : quartic_validate(device, &config, &totals);
    int code = checks_finish(call, &view, info.name, status, &totals);
    json_decref(view.list);
    quartic_device_destroy(device);
    return code;
}

const command command_validate = {
    .name = "validate",
    .operands = "",
    .summary = "check every op of a device against the CPU reference",
    .details = "Forward and gradients, at awkward shapes, with outliers, strided operands and poisoned "
               "borders. Prints what fails, with a line that repeats it, and the totals.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .defaults = &defaults,
    .settings_bytes = sizeof defaults,
    .run = run_validate,
};

/* verify.c: `quartic verify CASE.safetensors…`: replays recorded cases on a device. */
#include "tool/checks.h"

typedef struct verify_settings {
    const char *device;
    uint32_t json;
} verify_settings;

static const verify_settings defaults = {0};
static const arg_option options[] = {TOOL_DEVICE_OPTION(verify_settings), TOOL_JSON_OPTION(verify_settings)};

static int run_verify(const invocation *call) {
    const verify_settings *settings = call->settings;
    quartic_device *device = tool_open_device(call->command, settings->device);
    if (device == NULL) return EXIT_FAILED;
    quartic_device_info info;
    if (quartic_device_get_info(device, &info) != QUARTIC_OK) {
        quartic_device_destroy(device);
        return tool_fail_library(call->command, NULL);
    }
    checks_view view = {.strict = true, .list = settings->json ? tool_json_list() : NULL};
    quartic_check_totals totals = {0};
    quartic_status status =
        quartic_verify(device, call->operands, call->operand_count, checks_show, &view, &totals);
    int code = checks_finish(call, &view, info.name, status, &totals);
    json_decref(view.list);
    quartic_device_destroy(device);
    return code;
}

const command command_verify = {
    .name = "verify",
    .operands = "CASE.safetensors...",
    .summary = "replay recorded cases and compare outputs and gradients",
    .details =
        "A line for each file with its worst errors. Fails if any is out of bounds: outputs and losses "
        "within "
        "2e-5 * max(1, largest), gradients within 1e-4 * largest + 1e-6; or if a case records what this "
        "library does not have.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least_operands = 1,
    .most_operands = UINT32_MAX,
    .defaults = &defaults,
    .settings_bytes = sizeof defaults,
    .run = run_verify,
};

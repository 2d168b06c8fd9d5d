/* tool_device_test.c: what becomes of the program when Vulkan fails it: a device lost in the middle of a run,
 * no loader, no driver, a problem that does not fit. Also the same bits on a Vulkan device from run to run.
 */
#include "vulkan/vulkan_test.h"

#include "cpu/tool_run.h"

#define LOSING "QUARTIC_VULKAN_LOADER='" QUARTIC_TEST_LOSING_LOADER "' "
#define TRAIN  "$Q train $S/data/tales.txt --device vulkan "
#define START  TRAIN "--config tiny.json --batch 1 --length 8 --save-every 3 --seed 3 "

static int tool_device_make_folder(void **state) {
    vulkan_test_begin(state);
    if (tool_make_test_folder(state) != 0) return -1;
    return tool_run("echo '{\"dim\": 8, \"depth\": 1, \"dim_edges\": 4, \"heads\": 2, \"dim_head\": 4, "
                    "\"linear_heads\": 2, \"linear_dim_head\": 3, \"max_seq_len\": 2048, "
                    "\"num_residual_streams\": 2, \"dropout\": 0.1}' > tiny.json")
        ->code;
}

static void a_lost_device_costs_no_checkpoint(void **state) {
    (void)state;
    tool_expect(START "--out whole --steps 14", 0, "finished at step 14");
    tool_expect(START "--out again --steps 14", 0, "finished at step 14");
    tool_expect("cmp whole/checkpoint.safetensors again/checkpoint.safetensors && echo same", 0, "same");
    tool_expect("QUARTIC_TEST_LOST_AT=12 " LOSING START "--out lost --steps 14", 1,
                "the device stopped responding");
    /* It was lost between two saves, the first of which is what a resumed run goes on from. */
    tool_expect("test $(tail -n 1 lost/metrics.csv | cut -d, -f1) -gt 3 && ls -A lost", 0,
                "checkpoint.safetensors\nmetrics.csv\n");
    tool_expect(TRAIN "--out lost --resume --steps 1", 0, "all 1 steps are done already");
    tool_expect(LOSING TRAIN "--out lost --resume", 0, "finished at step 14");
    tool_expect(
        "cmp whole/checkpoint.safetensors lost/checkpoint.safetensors && "
        "cut -d, -f1-4 whole/metrics.csv > 1 && cut -d, -f1-4 lost/metrics.csv | cmp - 1 && echo same",
        0, "same");
    tool_expect("QUARTIC_TEST_LOST_AT=1 " LOSING "$Q sample whole --device vulkan --tokens 3", 1,
                "the device stopped responding");
}

static void a_machine_without_vulkan(void **state) {
    (void)state;
    static const struct {
        const char *without, *message;
    } machines[] = {
        {"QUARTIC_VULKAN_LOADER=/nonexistent ", "cannot load the Vulkan loader"},
        {"VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent ", "no Vulkan driver"},
    };
    for (size_t m = 0; m < sizeof machines / sizeof machines[0]; ++m) {
        char command[512];
        snprintf(command, sizeof command, "rm -rf none; %s" START "--out none --steps 1",
                 machines[m].without);
        tool_expect(command, 1, machines[m].message);
        tool_expect(command, 1, "Hint: `quartic devices` lists what there is.");
        tool_expect("test -e none/checkpoint.safetensors || echo nothing", 0, "nothing");
        snprintf(command, sizeof command, "%s$Q devices --json", machines[m].without);
        tool_expect(command, 0, "\"device\": \"cpu\"");
        /* Left to choose, the program takes the processor. */
        snprintf(command, sizeof command, "rm -rf none; %s" START "--out none --steps 1 --device auto",
                 machines[m].without);
        tool_expect(command, 0, " parameters on cpu");
    }
    tool_expect("$Q sample tiny.json --device 77", 1,
                "there is no device \"77\"; there are cpu, reference, reference64, 0 (");
}

/* Manifests that are empty, broken, foreign or of a driver that is not there: what can run is listed and
 * runs, and the loader's words tell what is wrong. */
static void broken_manifests_leave_the_processor(void **state) {
    (void)state;
    static const char *const manifests[][2] = {
        {"", "Found no drivers"},
        {"{ broken", "icd.json"},
        {"{}", "icd.json"},
        {"[1, 2]", "icd.json is broken, and the loader would not survive it: it is a list"},
        {"{\"file_format_version\": 1, \"ICD\": {\"library_path\": 5, \"api_version\": 3}}",
         "\"library_path\" is no text"},
        {"{\"file_format_version\": \"1.0.0\"}", "icd.json"},
        {"{\"file_format_version\": \"1.0.0\", \"ICD\": {\"library_path\": \"/none.so\", \"api_version\": "
         "\"1.3.0\"}}",
         "/none.so"},
    };
    for (size_t m = 0; m < sizeof manifests / sizeof manifests[0]; ++m) {
        char command[1024];
        const char *with = "I=$PWD/icd.json; export VK_DRIVER_FILES=$I VK_ICD_FILENAMES=$I; $Q";
        snprintf(command, sizeof command, "printf '%%s' '%s' > icd.json; %s devices", manifests[m][0], with);
        tool_expect(command, 0, "\nreference ");
        tool_expect(command, 0, "\nthere is no Vulkan device: ");
        tool_expect(command, 0, manifests[m][1]);
        snprintf(command, sizeof command, "%s devices --json", with);
        tool_expect(command, 0, "\"device\": \"vulkan\"");
        static const char *const usable[] = {"cpu", "reference", "auto", "CPU"};
        for (size_t k = 0; k < sizeof usable / sizeof usable[0]; ++k) {
            snprintf(command, sizeof command, "%s validate --op copy --device %s", with, usable[k]);
            tool_expect(command, 0, " passed, 0 failed");
        }
        snprintf(command, sizeof command, "%s validate --op copy --device vulkan", with);
        tool_expect(
            command, 1,
            "there is no device \"vulkan\"; there are cpu, reference, reference64, and no Vulkan device: ");
        tool_expect(command, 1, manifests[m][1]);
        snprintf(command, sizeof command, "%s validate --op copy --device 0", with);
        tool_expect(command, 1, manifests[m][1]);
    }
}

/* Manifests that the loader finds in a folder, named or searched, and long ones. */
static void broken_manifests_are_found_in_folders(void **state) {
    (void)state;
    static const char make[] =
        "mkdir -p named home/.local/share/vulkan/icd.d home/.config/vulkan/icd.d data/vulkan/icd.d && "
        "printf '%s' '{\"file_format_version\": \"1.0.0\", \"ICD\": {\"library_path\": 5, \"api_version\": "
        "\"1.3.0\"}}' > named/broken.json && "
        "{ printf '{\"pad\": \"'; head -c 100000 /dev/zero | tr '\\0' x; printf '\",'; "
        "tail -c +2 named/broken.json; } > long.json && unset VK_ADD_DRIVER_FILES && ";
    static const char *const ways[] = {
        "VK_DRIVER_FILES=named VK_ICD_FILENAMES=named ",
        "VK_DRIVER_FILES=long.json VK_ICD_FILENAMES=long.json ",
        "VK_DRIVER_FILES=:named/ VK_ICD_FILENAMES=:named/ ",
        "home=.local/share; cp named/broken.json home/$home/vulkan/icd.d; env -u VK_DRIVER_FILES -u "
        "VK_ICD_FILENAMES -u XDG_DATA_HOME HOME=$PWD/home ",
        "home=.config; rm -r home/.local; cp named/broken.json home/$home/vulkan/icd.d; env -u "
        "VK_DRIVER_FILES -u VK_ICD_FILENAMES -u XDG_CONFIG_HOME HOME=$PWD/home ",
        "cp named/broken.json data/vulkan/icd.d; env -u VK_DRIVER_FILES -u VK_ICD_FILENAMES "
        "XDG_DATA_DIRS=/none:$PWD/data ",
    };
    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; ++w) {
        char command[2048];
        snprintf(command, sizeof command, "%s %s $Q devices", make, ways[w]);
        tool_expect(command, 0, "\nreference ");
        tool_expect(command, 0,
                    ".json is broken, and the loader would not survive it: \"library_path\" is no text");
    }
}

static void names_and_switches_are_taken_as_written(void **state) {
    (void)state;
    /* The software device's name holds digits: they are no index. */
    tool_expect("$Q validate --op copy --device 256", 1, "there is no device \"256\"");
    tool_expect("$Q validate --op copy --device 99999999999999999999", 1, "there is no device");
    tool_expect("$Q validate --op copy --device 0", 0, " passed, 0 failed");
    tool_expect("QUARTIC_DEVICE=256 $Q validate --op copy", 1,
                "QUARTIC_DEVICE in the environment asks for \"256\": there is no device \"256\"");
    tool_expect("QUARTIC_DEVICE=256 $Q validate --op copy --device cpu", 0, " on cpu;");
    tool_expect("QUARTIC_DEVICE=reference $Q validate --op copy", 0, " on reference;");
    tool_expect("QUARTIC_DISABLE=cache,colours $Q validate --op copy --device vulkan", 1,
                "QUARTIC_DISABLE in the environment holds \"colours\"; it takes float16");
    tool_expect("QUARTIC_DISABLE=Cache $Q devices", 1, "QUARTIC_DISABLE in the environment holds \"Cache\"");
    tool_expect("QUARTIC_DISABLE=nothing $Q devices --json > j || cat j", 0,
                "{\n  \"error\": \"QUARTIC_DISABLE in the environment holds");
    tool_expect("QUARTIC_VALIDATION=yes $Q validate --op copy --device vulkan", 1,
                "QUARTIC_VALIDATION in the environment is \"yes\"; 1 turns the validation layers on");
    tool_expect("QUARTIC_DISABLE=' cache, shuffle' $Q validate --op copy --device vulkan", 0,
                " passed, 0 failed");
}

static void what_does_not_fit_is_refused_with_figures(void **state) {
    (void)state;
    tool_expect(
        "echo '{\"dim\": 64, \"depth\": 48, \"dim_edges\": 16, \"linear_heads\": 4}' > long.json; " TRAIN
        "--config long.json --out large --length 2048 --batch 2",
        1, "MiB left of");
    tool_expect("test -e large/checkpoint.safetensors || echo nothing", 0, "nothing");
}

static int tool_device_end(void **state) {
    return tool_remove_test_folder(state) | vulkan_test_end(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_device_costs_no_checkpoint),
        cmocka_unit_test(a_machine_without_vulkan),
        cmocka_unit_test(broken_manifests_leave_the_processor),
        cmocka_unit_test(broken_manifests_are_found_in_folders),
        cmocka_unit_test(names_and_switches_are_taken_as_written),
        cmocka_unit_test(what_does_not_fit_is_refused_with_figures),
    };
    return cmocka_run_group_tests(tests, tool_device_make_folder, tool_device_end);
}

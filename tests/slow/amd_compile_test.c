/* amd_compile_test.c: every pipeline through the compiler of AMD's GPUs, without one.
 *
 * Mesa's RADV makes a device of any family for compiling only (RADV_FORCE_FAMILY). The pipelines are those of
 * the ops' cases and of models, planned with that family's limits (compile/keys.h). Registers, spills, shared
 * memory, code size, waves and memory instructions of each go to amd_compile_table.txt in the working folder (in
 * the build, tests/work/slow.amd_compile). A spill fails the test: it means that a tile is too large for that
 * family. So do fewer than four waves per SIMD unit without a reason (compile/table.c).
 */
#include "expect.h"

#include "compile/table.h"

/* GCN 4 and 5, RDNA 1, 2 and 3. */
static const char *const families[] = {"polaris10", "vega10", "navi10", "navi21", "gfx1100"};
enum { FAMILIES = sizeof families / sizeof families[0] };

static void no_shader_spills_on_any_family(void **state) {
    (void)state;
    setenv("MESA_SHADER_CACHE_DISABLE", "true", 1);
    FILE *table = fopen("amd_compile_table.txt", "w");
    assert_non_null(table);
    uint32_t bad = 0;
    for (uint32_t f = 0; f < FAMILIES; ++f) {
        setenv("RADV_FORCE_FAMILY", families[f], 1);
        compile_device device;
        if (!compile_device_open(VK_DRIVER_ID_MESA_RADV, &device))
            fail_msg("Mesa's RADV makes no device for %s; install mesa-vulkan-drivers 22.3 to 25",
                     families[f]);
        bad += compile_table(&device, families[f], NULL, table);
        compile_device_close(&device);
    }
    assert_int_equal(fclose(table), 0);
    assert_int_equal(bad, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_shader_spills_on_any_family)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

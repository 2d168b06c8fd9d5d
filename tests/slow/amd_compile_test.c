/* amd_compile_test.c: every pipeline through the compiler of AMD's GPUs, without one.
 *
 * Mesa's RADV makes a device of any family for compiling only (RADV_FORCE_FAMILY). The pipelines are those of
 * the ops' cases and of models, planned with that family's limits (compile/keys.h). Registers, spills, shared
 * memory, code size, waves and memory instructions of each go to amd_compile_table_FAMILY.txt in the working folder
 * (in the build, tests/work/slow.amd_compile). A spill fails the test: it means that a tile is too large for that
 * family. So do fewer than four waves per SIMD unit without a reason (compile/table.c).
 */
#include "expect.h"

#include <sys/wait.h>
#include <unistd.h>

#include "compile/table.h"

/* GCN 4 and 5, RDNA 1, 2 and 3. */
static const char *const families[] = {"polaris10", "vega10", "navi10", "navi21", "gfx1100"};
enum { FAMILIES = sizeof families / sizeof families[0] };

/* A process of its own for each family, since RADV reads the family once; exit code 0: all its pipelines are well. */
static void compile_for_family(const char *family, const char *path) {
    setenv("RADV_FORCE_FAMILY", family, 1);
    FILE *table = fopen(path, "w");
    compile_device device;
    if (table == NULL || !compile_device_open(VK_DRIVER_ID_MESA_RADV, &device)) {
        fprintf(stderr, "Mesa's RADV makes no device for %s; install mesa-vulkan-drivers 22.3 to 25\n",
                family);
        _exit(1);
    }
    const uint32_t bad = compile_table(&device, family, NULL, table);
    compile_device_close(&device);
    _exit(fclose(table) != 0 || bad != 0);
}

static void no_shader_spills_on_any_family(void **state) {
    (void)state;
    setenv("MESA_SHADER_CACHE_DISABLE", "true", 1);
    char path[FAMILIES][64];
    pid_t children[FAMILIES];
    for (uint32_t f = 0; f < FAMILIES; ++f) {
        snprintf(path[f], sizeof path[f], "amd_compile_table_%s.txt", families[f]);
        children[f] = fork();
        if (children[f] == 0) compile_for_family(families[f], path[f]);
        assert_true(children[f] > 0);
    }
    uint32_t bad = 0;
    for (uint32_t f = 0; f < FAMILIES; ++f) {
        int status;
        assert_int_equal(waitpid(children[f], &status, 0), children[f]);
        bad += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    assert_int_equal(bad, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_shader_spills_on_any_family)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

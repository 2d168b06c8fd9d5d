/* vendor_compile.c: every pipeline through the compiler of the first Vulkan device, as a table.
 *
 * vendor_compile NAME TABLE [SHADER]: writes the file TABLE. NAME stands in its first column. SHADER: only the
 * pipelines of shaders whose names begin so. What is wrong goes to stderr; the exit status is then 1 (compile/table.h).
 * scripts/vendor_compile.sh runs it on devices that have a driver but no hardware.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "compile/device.h"
#include "compile/table.h"

int main(int argc, char **argv) {
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: vendor_compile NAME TABLE [SHADER]\n");
        return 2;
    }
    compile_device device;
    if (!compile_device_open(0, &device)) {
        fprintf(stderr, "vendor_compile: no Vulkan device for %s\n", argv[1]);
        return 1;
    }
    FILE *table = fopen(argv[2], "w");
    if (table == NULL) {
        perror(argv[2]);
        return 1;
    }
    const uint32_t bad = compile_table(&device, argv[1], argc > 3 ? argv[3] : NULL, table);
    compile_device_close(&device);
    if (fclose(table) != 0) {
        perror(argv[2]);
        return 1;
    }
    return bad != 0;
}

/* vendor_compile.c: every pipeline through the compiler of the first Vulkan device, as a table.
 *
 * vendor_compile NAME TABLE [SHADER]: NAME stands in the table's first column; TABLE is the file that it goes to; only
 * pipelines of SHADER, if one is named.
 * Spills go to stderr, too; the exit status is 1 with a spill or a pipeline that does not compile. Run by
 * scripts/vendor_compile.sh, which makes devices without hardware.
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

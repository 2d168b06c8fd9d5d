/* table.h: a line for each pipeline of a device, and what is wrong with them. */
#ifndef QUARTIC_TESTS_COMPILE_TABLE_H
#define QUARTIC_TESTS_COMPILE_TABLE_H

#include <stdio.h>

#include "compile/device.h"

/* Compiles every pipeline that the library makes with this device's limits and writes one line for each under
 * a heading. shader: only the pipelines of those whose names begin so, if not NULL. Returns how many do not compile, spill, or have
 * fewer than four waves per SIMD unit without a reason in table.c; each is named on stderr. */
uint32_t compile_table(const compile_device *device, const char *name, const char *shader, FILE *table);

#endif

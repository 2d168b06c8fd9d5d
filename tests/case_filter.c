/* case_filter.c: linked into every test. QUARTIC_TEST_CASE in the environment chooses among its cases, by the
 * names of their functions; * stands for any letters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void set_case_filter(void) {
    if (getenv("QUARTIC_TEST_CASE") != NULL) cmocka_set_test_filter(getenv("QUARTIC_TEST_CASE"));
}

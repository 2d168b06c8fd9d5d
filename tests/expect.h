/* expect.h: cmocka with the headers that it needs, and two assertions on the library's calls.
 *
 * assert_ok       the call returned QUARTIC_OK; otherwise the test fails with the library's message.
 * assert_message  the message of the last error contains this text.
 */
#ifndef QUARTIC_TESTS_EXPECT_H
#define QUARTIC_TESTS_EXPECT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "quartic/status.h"

#define assert_ok(call)                                                                                      \
    do {                                                                                                     \
        quartic_status status_ = (call);                                                                     \
        if (status_ != QUARTIC_OK)                                                                           \
            fail_msg("%s: %s: %s", #call, quartic_status_name(status_), quartic_error_message());            \
    } while (0)

#define assert_message(part)                                                                                 \
    do {                                                                                                     \
        if (strstr(quartic_error_message(), part) == NULL)                                                   \
            fail_msg("the message \"%s\" lacks \"%s\"", quartic_error_message(), part);                      \
    } while (0)

#endif

/* log.h: messages that are not the error of a call. quartic_log_set decides where they go
 * (quartic/host.h). */
#ifndef QUARTIC_BASE_LOG_H
#define QUARTIC_BASE_LOG_H

#include "quartic/host.h"

/* Sends one message, formatted without a final newline. It is cut at 4 KiB. Allocates nothing, cannot
 * fail. */
void quartic_tell(quartic_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

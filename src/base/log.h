/* log.h: messages that are no error of a call; quartic_log_set decides where they go. */
#ifndef QUARTIC_BASE_LOG_H
#define QUARTIC_BASE_LOG_H

#include "quartic/host.h"

/* One message without a final newline; longer ones than 4 KiB are cut. Needs no memory from the heap. */
void quartic_tell(quartic_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

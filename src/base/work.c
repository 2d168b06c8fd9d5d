/* work.c: the counter of work.h. */
#include "base/work.h"

static _Thread_local uint64_t done;

void quartic_work(uint64_t rounds) {
    done += rounds;
}

uint64_t quartic_work_done(void) {
    return done;
}

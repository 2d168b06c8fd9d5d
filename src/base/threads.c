/* threads.c: OpenMP's threads under limits of memory, after fork(), and their floating-point environment. See
 * threads.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pthread_getattr_np */
#endif
#include "base/threads.h"

#include <errno.h>
#include <omp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/floats.h"

int64_t quartic_process(void) {
    return (int64_t)getpid();
}

uint32_t quartic_threads_default(void) {
    const int most = omp_get_max_threads();
    return most < 1 ? 1 : (uint32_t)most;
}

/* ---- whether threads can be made ---- */

typedef struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t opens;
    bool open;
} gate;

static void *wait_at(void *argument) {
    gate *gate = argument;
    pthread_mutex_lock(&gate->mutex);
    while (!gate->open) pthread_cond_wait(&gate->opens, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
    return NULL;
}

/* Checks that this many threads can live beside this one: makes them all, then lets them end. */
static quartic_status expect_threads(uint32_t count) {
    pthread_t *threads = quartic_alloc(count, sizeof *threads);
    if (threads == NULL) return QUARTIC_OUT_OF_MEMORY;
    gate gate = {.mutex = PTHREAD_MUTEX_INITIALIZER, .opens = PTHREAD_COND_INITIALIZER};
    uint32_t made = 0;
    int reason = 0;
    while (made < count && reason == 0)
        if ((reason = pthread_create(&threads[made], NULL, wait_at, &gate)) == 0) ++made;
    pthread_mutex_lock(&gate.mutex);
    gate.open = true;
    pthread_cond_broadcast(&gate.opens);
    pthread_mutex_unlock(&gate.mutex);
    for (uint32_t t = 0; t < made; ++t) pthread_join(threads[t], NULL);
    quartic_free(threads);
    if (reason == 0) return QUARTIC_OK;
    return quartic_fail(
        QUARTIC_OUT_OF_MEMORY,
        "only %u of the %u threads that OpenMP computes with can be made (%s); raise the limits on "
        "address space and processes (ulimit -v, ulimit -u) or set OMP_NUM_THREADS to a smaller number",
        made + 1, count + 1, strerror(reason));
}

/* ---- address space for their stacks ----
 *
 * libgomp ends threads where a parallel region is smaller than the one before it, and makes them again later.
 * The stacks of threads that are still ending take address space too, so there must be enough for two sets.
 */

enum { SPARE_SETS = 2, USUAL_STACK = 8 << 20 };

static bool space_is_limited(void) {
    struct rlimit space, data;
    return (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY) ||
           (getrlimit(RLIMIT_DATA, &data) == 0 && data.rlim_cur != RLIM_INFINITY);
}

/* Bytes of this thread's stack; the usual size where the C library does not tell. */
static size_t stack_size(void) {
    size_t bytes = USUAL_STACK;
#if defined(__GLIBC__)
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstacksize(&attributes, &bytes);
        pthread_attr_destroy(&attributes);
    }
#endif
    return bytes;
}

/* Checks, where address space is limited, that all threads but this one could be made anew. Memory may have
 * been allocated since they were made; during a run none is, so what is free now stays free. */
static quartic_status expect_stack_space(uint32_t threads, size_t stack) {
    if (!space_is_limited()) return QUARTIC_OK;
    const size_t count = (size_t)SPARE_SETS * (threads - 1);
    void *stacks = count > SIZE_MAX / stack ? MAP_FAILED
                                            : mmap(NULL, count * stack, PROT_READ | PROT_WRITE,
                                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED)
        return quartic_fail(
            QUARTIC_OUT_OF_MEMORY,
            "the limit on address space (ulimit -v or -d) leaves no room for the stacks of %u threads: %zu "
            "of %zu bytes, as they come and go; raise the limit, or set OMP_NUM_THREADS to a smaller number",
            threads, count, stack);
    munmap(stacks, count * stack);
    return QUARTIC_OK;
}

/* ---- the floating-point environment of OpenMP's threads ---- */

static _Thread_local quartic_floats held_floats;
static _Thread_local bool holds_floats;

/* Sets the standard environment on every thread but this one, which has it already. */
static void hold_floats(uint32_t threads) {
#pragma omp parallel num_threads(threads)
    if (omp_get_thread_num() != 0) {
        held_floats = quartic_floats_begin();
        holds_floats = true;
    }
}

/* Restores the environments. A thread that was made since gets the one that the host would have given it. */
static void put_floats_back(uint32_t threads, const fenv_t *host) {
#pragma omp parallel num_threads(threads)
    if (omp_get_thread_num() != 0) {
        if (holds_floats)
            quartic_floats_end(&held_floats);
        else
            fesetenv(host);
        holds_floats = false;
    }
}

/* ---- calls ---- */

/* The most threads that a parallel region of this thread has had, and the bytes of the stack of each. */
static _Thread_local uint32_t known_threads;
static _Thread_local size_t known_stack;

static quartic_status call_here(uint32_t threads, quartic_status (*work)(void *), void *context) {
    QUARTIC_STANDARD_FLOATS;
    const fenv_t *host = threads > 1 ? quartic_floats_of_host() : NULL;
    if (threads > known_threads && threads > 1) {
        QUARTIC_TRY(expect_threads(threads - 1));
        /* The runtime makes them now, while there is memory. They also serve the host's own parallel regions,
         * so they must inherit the host's environment. */
        if (host != NULL) fesetenv(host);
        size_t stack = 0;
#pragma omp parallel num_threads(threads)
        if (omp_get_thread_num() == 1) stack = stack_size();
        if (host != NULL) fesetenv(FE_DFL_ENV);
        known_threads = threads;
        known_stack = stack != 0 ? stack : USUAL_STACK;
    }
    if (threads > 1) QUARTIC_TRY(expect_stack_space(threads, known_stack));
    if (host != NULL) hold_floats(threads);
    const quartic_status status = work(context);
    if (host != NULL) put_floats_back(threads, host);
    return status;
}

/* Work for a thread of its own. */
typedef struct errand {
    uint32_t threads;
    quartic_status (*work)(void *context);
    void *context;
    quartic_status status;
    char message[1024];
} errand;

static void *run_errand(void *argument) {
    errand *errand = argument;
    errand->status = call_here(errand->threads, errand->work, errand->context);
    if (errand->status != QUARTIC_OK)
        snprintf(errand->message, sizeof errand->message, "%s", quartic_error_message());
    return NULL;
}

static int64_t first_process;

__attribute__((constructor)) static void remember_process(void) {
    first_process = quartic_process();
}

quartic_status quartic_threads_call(uint32_t threads, quartic_status (*work)(void *context), void *context) {
    if (threads <= 1 || quartic_process() == first_process) return call_here(threads, work, context);
    errand errand = {.threads = threads, .work = work, .context = context};
    pthread_t thread;
    const int reason = pthread_create(&thread, NULL, run_errand, &errand);
    if (reason != 0)
        return quartic_fail(QUARTIC_OUT_OF_MEMORY, "no thread to compute on can be made (%s)",
                            strerror(reason));
    pthread_join(thread, NULL);
    if (errand.status == QUARTIC_OK) return QUARTIC_OK;
    return quartic_fail(errand.status, "%s", errand.message);
}

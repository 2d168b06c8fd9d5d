/* host_process_test.c: the library in processes that are not its own: with little address space, after
 * fork(), under other rounding modes, traps and flushing of subnormal numbers. Also what it leaves as it was.
 */
#define _GNU_SOURCE /* feenableexcept */
#include "expect.h"

#include <fenv.h>
#include <locale.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "quartic/quartic.h"

enum { THREADS = 4, LENGTH = 48, TOKENS = 24 };

static const char *own_path;

static quartic_model_config host_process_configuration(void) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = TOKENS, config.dim = 48, config.depth = 2, config.dim_edges = 16;
    config.heads = 3, config.dim_head = 16, config.max_seq_len = LENGTH, config.causal = 1;
    return config;
}

static void host_process_make_model(const char *device_name, quartic_device **device, quartic_model **model) {
    const quartic_model_config config = host_process_configuration();
    assert_int_equal(quartic_device_create(device_name, device), QUARTIC_OK);
    assert_int_equal(quartic_model_create(*device, &config, model), QUARTIC_OK);
    assert_int_equal(quartic_model_initialise(*model, 3), QUARTIC_OK);
}

typedef struct results {
    float logits[LENGTH * TOKENS], loss, trained_loss;
} results;

/* A forward pass, a loss, two steps of training and a loss again, of a fresh model. */
static quartic_status cpu_host_process_compute(const char *device_name, results *out) {
    const quartic_model_config config = host_process_configuration();
    int32_t tokens[LENGTH], targets[LENGTH];
    for (int i = 0; i < LENGTH; ++i) tokens[i] = i * 7 % TOKENS, targets[i] = (i + 1) * 7 % TOKENS;
    quartic_device *device = NULL;
    quartic_model *model = NULL;
    quartic_trainer *trainer = NULL;
    quartic_trainer_config training = QUARTIC_TRAINER_CONFIG_INIT;
    training.batch = 1, training.length = LENGTH, training.learning_rate = 1e-2f;
    quartic_step_report report;
    quartic_status status = quartic_device_create(device_name, &device);
    if (status == QUARTIC_OK) status = quartic_model_create(device, &config, &model);
    if (status == QUARTIC_OK) status = quartic_model_initialise(model, 3);
    if (status == QUARTIC_OK) status = quartic_model_forward(model, 1, LENGTH, tokens, NULL, out->logits);
    if (status == QUARTIC_OK)
        status = quartic_model_loss(model, 1, LENGTH, tokens, targets, NULL, &out->loss);
    if (status == QUARTIC_OK) status = quartic_trainer_create(model, &training, &trainer);
    for (int step = 0; step < 2 && status == QUARTIC_OK; ++step)
        status = quartic_trainer_step(trainer, tokens, targets, NULL, &report);
    if (status == QUARTIC_OK)
        status = quartic_model_loss(model, 1, LENGTH, tokens, targets, NULL, &out->trained_loss);
    quartic_trainer_destroy(trainer);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    return status;
}

static results *standard_results(void) {
    static results once;
    static bool done;
    if (!done) assert_int_equal(cpu_host_process_compute("cpu", &once), QUARTIC_OK);
    done = true;
    return &once;
}

/* ---- address space ----------------------------------------------------------------------------------------
 */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they take terabytes of it */
#define HAS_LIMITS

/* Limits the address space so that a mapping of this many bytes just fits, and the next mebibyte hardly. */
static void leave_room(size_t bytes) {
    for (rlim_t limit = 1 << 24;; limit += 1 << 20) {
        const struct rlimit limits = {limit, RLIM_INFINITY};
        if (setrlimit(RLIMIT_AS, &limits) != 0) _exit(90);
        void *memory = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) continue;
        munmap(memory, bytes);
        return;
    }
}

/* Steps whose parallel regions have threads of every number: OpenMP's come and go. */
static quartic_status compute_gradients(quartic_device *device) {
    const quartic_model_config config = host_process_configuration();
    static const int32_t tokens[LENGTH];
    quartic_model *model = NULL;
    float loss;
    quartic_status status = quartic_model_create(device, &config, &model);
    for (uint32_t k = 0; k < 3 && status == QUARTIC_OK; ++k)
        status = quartic_model_gradients(model, 1, LENGTH / (k + 1), tokens, tokens, NULL, &loss);
    quartic_model_destroy(model);
    return status;
}

/* In a process of its own, whose library has not computed yet: a model's gradients, then products that grow
 * until there is no room. */
static int exhaust(size_t mebibytes, int threads) {
    omp_set_num_threads(threads);
    leave_room(mebibytes << 20);
    quartic_device *device = NULL;
    quartic_status status = quartic_device_create("cpu", &device);
    if (status == QUARTIC_OK) status = compute_gradients(device);
    for (uint32_t side = 128; status == QUARTIC_OK && side < 60000; side += side / 2) {
        quartic_graph *graph = NULL;
        quartic_program *program = NULL;
        status = quartic_graph_create(&graph);
        if (status == QUARTIC_OK) {
            quartic_value a = quartic_graph_input(graph, "a", QUARTIC_FLOAT32, &QUARTIC_SHAPE(side, 192));
            quartic_value b = quartic_graph_input(graph, "b", QUARTIC_FLOAT32, &QUARTIC_SHAPE(192, side));
            quartic_graph_output(graph, "c", quartic_matmul(graph, a, b, NULL));
            status = quartic_program_create(device, graph, NULL, &program);
        }
        if (status == QUARTIC_OK) status = quartic_program_run(program);
        quartic_program_destroy(program);
        quartic_graph_destroy(graph);
    }
    quartic_device_destroy(device);
    if (status == QUARTIC_OUT_OF_MEMORY && quartic_error_message()[0] != 0) return 0;
    fprintf(stderr, "%zu MiB, %d threads: %s: %s\n", mebibytes, threads, quartic_status_name(status),
            quartic_error_message());
    return 1;
}

static void address_space_that_runs_out_is_out_of_memory(void **state) {
    (void)state;
    static const char *const rooms[] = {"2",  "6",  "10", "15", "20", "28",  "36",  "50",
                                        "58", "64", "70", "80", "95", "120", "200", "400"};
    static const char *const threads[] = {"4", "8"}; /* 8 stacks are more than the C library keeps */
    for (size_t k = 0; k < 2 * sizeof rooms / sizeof rooms[0]; ++k) {
        const pid_t child = fork();
        if (child == 0) {
            execl(own_path, own_path, "exhaust", rooms[k / 2], threads[k % 2], (char *)NULL);
            _exit(91);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (status != 0)
            fail_msg("with room for %s MiB and %s threads: wait status %d", rooms[k / 2], threads[k % 2],
                     status);
    }
}
#endif

/* ---- fork -------------------------------------------------------------------------------------------------
 */

/* Forks, runs a function in the child and expects 0 of it. */
static void cpu_host_process_expect_of_child(int (*work)(void *), void *context) {
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) _exit(work(context));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0) fail_msg("the child ended with wait status %d", status);
}

typedef struct inheritance {
    quartic_device *device;
    quartic_model *model;
    quartic_program *program;
    quartic_tensor *tensor;
} inheritance;

static int cpu_host_process_refused(quartic_status status) {
    return status == QUARTIC_UNSUPPORTED &&
           strstr(quartic_error_message(), "made from that by fork()") != NULL;
}

/* What the parent opened is refused where it computes, and can be read and destroyed. */
static int use_inheritance(void *context) {
    const inheritance *inherited = context;
    int32_t tokens[LENGTH] = {0};
    static float logits[LENGTH * TOKENS];
    if (!cpu_host_process_refused(quartic_model_forward(inherited->model, 1, LENGTH, tokens, NULL, logits)))
        return 1;
    if (!cpu_host_process_refused(quartic_program_run(inherited->program))) return 2;
    quartic_graph *graph = NULL;
    quartic_program *program = NULL;
    if (quartic_graph_create(&graph) != QUARTIC_OK) return 3;
    quartic_graph_output(graph, "r", quartic_range(graph, 4, 0.0f, 1.0f));
    if (!cpu_host_process_refused(quartic_program_create(inherited->device, graph, NULL, &program))) return 4;
    quartic_graph_destroy(graph);
    float numbers[4];
    if (quartic_tensor_read(inherited->tensor, numbers, sizeof numbers) != QUARTIC_OK) return 5;
    if (numbers[3] != 3.0f) return 6;
    quartic_program_destroy(inherited->program);
    quartic_model_destroy(inherited->model);
    quartic_device_destroy(inherited->device);
    return 0;
}

/* A device of the child's own computes the same bits; so do the child's own children. */
static int compute_anew(void *context) {
    static results got;
    if (cpu_host_process_compute("cpu", &got) != QUARTIC_OK) return 1;
    if (memcmp(&got, context, sizeof got) != 0) return 2;
    quartic_device *device;
    quartic_program *program = NULL;
    quartic_graph *graph;
    /* Errors of the work come back with their message. */
    if (quartic_device_create("cpu", &device) != QUARTIC_OK || quartic_graph_create(&graph) != QUARTIC_OK)
        return 3;
    quartic_value table = quartic_graph_input(graph, "table", QUARTIC_FLOAT32, &QUARTIC_SHAPE(4, 4));
    quartic_value index = quartic_graph_input(graph, "index", QUARTIC_INT32, &QUARTIC_SHAPE(1));
    quartic_graph_output(graph, "y", quartic_embedding(graph, table, index));
    if (quartic_program_create(device, graph, NULL, &program) != QUARTIC_OK) return 4;
    const int32_t beyond = 99;
    if (quartic_tensor_write(quartic_program_tensor(program, "index"), &beyond, sizeof beyond) != QUARTIC_OK)
        return 5;
    if (quartic_program_run(program) != QUARTIC_INVALID_ARGUMENT) return 6;
    if (strstr(quartic_error_message(), "99") == NULL) return 7;
    quartic_program_destroy(program);
    quartic_graph_destroy(graph);
    quartic_device_destroy(device);
    return 0;
}

static int compute_in_a_grandchild(void *context) {
    const int code = compute_anew(context);
    if (code != 0) return code;
    const pid_t child = fork();
    if (child == 0) _exit(compute_anew(context));
    int status;
    return waitpid(child, &status, 0) == child && status == 0 ? 0 : 10;
}

static void a_child_gets_a_message_and_may_open_its_own(void **state) {
    (void)state;
    results *want = standard_results(); /* the parent's threads are there */
    inheritance inherited;
    quartic_graph *graph;
    host_process_make_model("cpu", &inherited.device, &inherited.model);
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    quartic_graph_output(graph, "r", quartic_range(graph, 4, 0.0f, 1.0f));
    assert_int_equal(quartic_program_create(inherited.device, graph, NULL, &inherited.program), QUARTIC_OK);
    assert_int_equal(quartic_program_run(inherited.program), QUARTIC_OK);
    inherited.tensor = quartic_program_tensor(inherited.program, "r");
    assert_non_null(inherited.tensor);
    cpu_host_process_expect_of_child(use_inheritance, &inherited);
    cpu_host_process_expect_of_child(compute_in_a_grandchild, want);
    /* The parent is as it was. */
    assert_int_equal(quartic_program_run(inherited.program), QUARTIC_OK);
    quartic_program_destroy(inherited.program);
    quartic_graph_destroy(graph);
    quartic_model_destroy(inherited.model);
    quartic_device_destroy(inherited.device);
}

/* ---- floating point ---------------------------------------------------------------------------------------
 */

/* What the host may have set; each puts the standard environment aside. */
static void host_process_round_up(void) {
    assert_int_equal(fesetround(FE_UPWARD), 0);
}
static void round_to_zero(void) {
    assert_int_equal(fesetround(FE_TOWARDZERO), 0);
}
#if defined(__GLIBC__) && (defined(__x86_64__) || defined(__i386__))
static void trap(void) {
    assert_true(feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW | FE_UNDERFLOW | FE_INEXACT) >= 0);
}
#define HAS_TRAPS
#endif
#if defined(__x86_64__)
static void flush_to_zero(void) {
    _mm_setcsr(_mm_getcsr() | 0x8040); /* FTZ and DAZ */
}
#define HAS_FLUSHING
#endif

static void (*const environments[])(void) = {
    host_process_round_up,
    round_to_zero,
#ifdef HAS_TRAPS
    trap,
#endif
#ifdef HAS_FLUSHING
    flush_to_zero,
#endif
};
enum { ENVIRONMENTS = sizeof environments / sizeof environments[0] };

/* The environment as bytes that can be compared; flags included. */
typedef struct environment {
    fenv_t bytes;
} environment;

static void read_environment(environment *out) {
    memset(out, 0, sizeof *out);
    fegetenv(&out->bytes);
}

/* Numbers that overflow, divide by zero, have no value or are subnormal, through ops in many parts. */
static quartic_status extremes(float *out_numbers, uint32_t count) {
    quartic_device *device = NULL;
    quartic_graph *graph = NULL;
    quartic_program *program = NULL;
    quartic_status status = quartic_device_create("cpu", &device);
    if (status == QUARTIC_OK) status = quartic_graph_create(&graph);
    if (status == QUARTIC_OK) {
        /* -200 .. in steps of 400 / count: exp gives subnormal numbers and infinity, log of its negative NaN.
         */
        quartic_value x = quartic_range(graph, count, -200.0f, 400.0f / (float)count);
        quartic_value y = quartic_exp(graph, x);
        quartic_value z = quartic_subtract(graph, y, quartic_multiply(graph, y, y));
        quartic_graph_output(graph, "y", quartic_add(graph, y, z));
        quartic_graph_output(graph, "tiny", quartic_scale(graph, y, 1e-30f, 0.0f));
        status = quartic_program_create(device, graph, NULL, &program);
    }
    if (status == QUARTIC_OK) status = quartic_program_run(program);
    if (status == QUARTIC_OK)
        status =
            quartic_tensor_read(quartic_program_tensor(program, "y"), out_numbers, count * sizeof(float));
    if (status == QUARTIC_OK)
        status = quartic_tensor_read(quartic_program_tensor(program, "tiny"), out_numbers + count,
                                     count * sizeof(float));
    quartic_program_destroy(program);
    quartic_graph_destroy(graph);
    quartic_device_destroy(device);
    return status;
}

/* The same bits whatever the host has set, and the host's setting afterwards, on threads that existed before.
 */
static void any_floating_point_environment_gives_the_same_bits(void **state) {
    (void)state;
    enum { COUNT = 200000 };
    static float want_extremes[2 * COUNT], got_extremes[2 * COUNT];
    const results *want = standard_results();
    assert_int_equal(extremes(want_extremes, COUNT), QUARTIC_OK);
    int infinite = 0, invalid = 0, subnormal = 0;
    for (int i = 0; i < 2 * COUNT; ++i) {
        infinite += isinf(want_extremes[i]) != 0;
        invalid += isnan(want_extremes[i]) != 0;
        subnormal += fpclassify(want_extremes[i]) == FP_SUBNORMAL;
    }
    assert_true(infinite > 100 && invalid > 100 && subnormal > 100);
    fenv_t standard;
    fegetenv(&standard);
    for (size_t e = 0; e < ENVIRONMENTS; ++e) {
        static results got;
        memset(&got, 0, sizeof got);
        memset(got_extremes, 0, sizeof got_extremes);
        feclearexcept(FE_ALL_EXCEPT);
        environments[e]();
        environment before, after;
        read_environment(&before);
        const quartic_status status = cpu_host_process_compute("cpu", &got),
                             also = extremes(got_extremes, COUNT);
        read_environment(&after);
        fesetenv(&standard);
        assert_int_equal(status, QUARTIC_OK);
        assert_int_equal(also, QUARTIC_OK);
        if (memcmp(&got, want, sizeof got) != 0) fail_msg("environment %zu: other bits of a model", e);
        if (memcmp(got_extremes, want_extremes, sizeof got_extremes) != 0)
            fail_msg("environment %zu: other bits of extremes", e);
        if (memcmp(&before, &after, sizeof before) != 0)
            fail_msg("environment %zu: the host's was changed", e);
    }
}

/* In a thread whose OpenMP threads are made while the setting is there, so that they begin with it. */
static void *compute_on_a_thread(void *context) {
    const size_t e = *(const size_t *)context;
    static results got[ENVIRONMENTS];
    omp_set_num_threads(THREADS); /* a thread's own setting, and sums depend on it */
    environments[e]();
    const quartic_status status = cpu_host_process_compute("cpu", &got[e]);
    fesetenv(FE_DFL_ENV);
    return status == QUARTIC_OK && memcmp(&got[e], standard_results(), sizeof got[e]) == 0 ? context : NULL;
}

static bool every_thread_rounds(int direction) {
    int rounding[THREADS];
#pragma omp parallel num_threads(THREADS)
    rounding[omp_get_thread_num()] = fegetround();
    for (int t = 0; t < THREADS; ++t)
        if (rounding[t] != direction) return false;
    return true;
}

/* OpenMP's threads have the host's setting afterwards, whether they were there before or not, and do not
 * compute with it. */
static void *leave_threads_as_they_were(void *context) {
    static results got;
    const bool there_before = *(const bool *)context;
    omp_set_num_threads(THREADS);
    fesetround(FE_UPWARD);
    const bool fine = (!there_before || every_thread_rounds(FE_UPWARD)) &&
                      cpu_host_process_compute("cpu", &got) == QUARTIC_OK && every_thread_rounds(FE_UPWARD) &&
                      fegetround() == FE_UPWARD;
    fesetround(FE_TONEAREST);
    return fine && memcmp(&got, standard_results(), sizeof got) == 0 ? context : NULL;
}

static void threads_of_their_own_get_and_keep_the_hosts(void **state) {
    (void)state;
    pthread_t thread;
    void *result;
    standard_results();
    for (size_t e = 0; e < ENVIRONMENTS; ++e) {
        assert_int_equal(pthread_create(&thread, NULL, compute_on_a_thread, &e), 0);
        assert_int_equal(pthread_join(thread, &result), 0);
        if (result == NULL) fail_msg("environment %zu: a failure or other bits", e);
    }
    bool there_before[] = {true, false};
    for (int k = 0; k < 2; ++k) {
        assert_int_equal(pthread_create(&thread, NULL, leave_threads_as_they_were, &there_before[k]), 0);
        assert_int_equal(pthread_join(thread, &result), 0);
        assert_non_null(result);
    }
}

/* ---- what belongs to the whole process
 * ----------------------------------------------------------------------
 */

static void the_processs_settings_stay(void **state) {
    (void)state;
    static results got;
    const int threads = omp_get_max_threads(), dynamic = omp_get_dynamic();
    assert_int_equal(threads, THREADS);
    const char *locale = setlocale(LC_ALL, NULL);
    char *kept_locale = strdup(locale);
    const mode_t mask = umask(027);
    struct sigaction before[NSIG] = {0}, after[NSIG] = {0};
    for (int s = 1; s < NSIG; ++s) sigaction(s, NULL, &before[s]);
    assert_int_equal(cpu_host_process_compute("cpu", &got), QUARTIC_OK);
    for (int s = 1; s < NSIG; ++s) {
        sigaction(s, NULL, &after[s]);
        assert_true(before[s].sa_handler == after[s].sa_handler && before[s].sa_flags == after[s].sa_flags);
    }
    assert_int_equal(omp_get_max_threads(), threads);
    assert_int_equal(omp_get_dynamic(), dynamic);
    assert_string_equal(setlocale(LC_ALL, NULL), kept_locale);
    assert_int_equal(umask(mask), 027);
    free(kept_locale);
}

int main(int count, char **arguments) {
#ifdef HAS_LIMITS
    if (count == 4 && strcmp(arguments[1], "exhaust") == 0)
        return exhaust((size_t)strtoul(arguments[2], NULL, 10), (int)strtol(arguments[3], NULL, 10));
#endif
    (void)count;
    own_path = arguments[0];
    omp_set_num_threads(THREADS);
    const struct CMUnitTest tests[] = {
#ifdef HAS_LIMITS
        cmocka_unit_test(address_space_that_runs_out_is_out_of_memory),
#endif
        cmocka_unit_test(a_child_gets_a_message_and_may_open_its_own),
        cmocka_unit_test(any_floating_point_environment_gives_the_same_bits),
        cmocka_unit_test(threads_of_their_own_get_and_keep_the_hosts),
        cmocka_unit_test(the_processs_settings_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

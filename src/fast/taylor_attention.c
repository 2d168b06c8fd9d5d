/* taylor_attention.c (fast): tuned Taylor attention: threads over units, the best instruction set's kernels.
 *
 * Quadratic form: one unit (head of a sequence) is one thread's work, start to end.
 * Linear form: the tokens of a unit are cut into parts by shape alone, so that the result does not depend on
 * the number of threads. Every part sums a state of its own; a unit's parts are then summed in order; then
 * every part is transformed by the whole. Units are taken in groups so that the states held at once stay
 * bounded. With blocks of tokens that see different keys, one thread walks over a unit's blocks in order with
 * one growing state, and for the gradients of keys once more from the last: no block's state is kept.
 */
#include <omp.h>

#include "fast/fast.h"
#include "fast/taylor_fast.h"

#define TAYLOR_UNROLL _Pragma("GCC unroll 16")

#if defined(__x86_64__)
#define TAYLOR_LANES   16
#define TAYLOR_TARGET  __attribute__((target("avx512f,avx2,fma")))
#define TAYLOR_NAME(x) x##_avx512
#include "fast/taylor_kernels.h"

#define TAYLOR_LANES   8
#define TAYLOR_TARGET  __attribute__((target("avx2,fma")))
#define TAYLOR_NAME(x) x##_avx2
#include "fast/taylor_kernels.h"
#endif

#define TAYLOR_LANES 4
#define TAYLOR_TARGET
#define TAYLOR_NAME(x) x##_plain
#include "fast/taylor_kernels.h"

const taylor_kernels *quartic_taylor_kernels(taylor_set set) {
#if defined(__x86_64__)
    if (set == TAYLOR_AVX512) return __builtin_cpu_supports("avx512f") ? &kernels_avx512 : NULL;
    if (set == TAYLOR_AVX2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kernels_avx2 : NULL;
#endif
    return set == TAYLOR_PLAIN ? &kernels_plain : NULL;
}

static const taylor_kernels *taylor_best_kernels(void) {
    const taylor_kernels *kernels = NULL;
    for (uint32_t set = TAYLOR_SETS; kernels == NULL;) kernels = quartic_taylor_kernels((taylor_set)--set);
    return kernels;
}

/* Tokens of a part of the linear form, and floats of states that are held at once. */
enum { PART_TOKENS = 2048, GROUP_FLOATS = 1 << 21 };

/* How the linear form's units are cut and grouped. */
typedef struct taylor_parts {
    uint32_t parts, tokens; /* per unit: parts of this many tokens */
    uint64_t group;         /* units taken at once */
    uint32_t states;        /* 1 forward (keys), 2 backward (keys and queries) */
    size_t state_floats;
} taylor_parts;

static taylor_parts taylor_cut(const quartic_taylor_problem *problem, bool backward) {
    taylor_parts cut = {.state_floats = taylor_state_floats(problem), .states = backward ? 2 : 1};
    cut.parts = (problem->tokens + PART_TOKENS - 1) / PART_TOKENS;
    const uint64_t most = GROUP_FLOATS / (cut.state_floats * cut.states);
    if (cut.parts > most) cut.parts = most > 0 ? (uint32_t)most : 1;
    cut.tokens = (uint32_t)quartic_round_up((problem->tokens + cut.parts - 1) / cut.parts, TAYLOR_COLUMNS);
    cut.parts = (problem->tokens + cut.tokens - 1) / cut.tokens;
    cut.group = most / cut.parts;
    if (cut.group == 0) cut.group = 1;
    const uint64_t units = quartic_taylor_units(problem);
    if (cut.group > units) cut.group = units;
    return cut;
}

static size_t taylor_thread_floats(const quartic_taylor_problem *problem) {
    return quartic_round_up(taylor_scratch_floats(problem), 64);
}

size_t quartic_taylor_scratch(const quartic_op_call *call, uint32_t threads) {
    const quartic_taylor_problem problem = quartic_taylor_problem_of_call(call);
    size_t floats = threads * taylor_thread_floats(&problem) + 16;
    if (problem.form == QUARTIC_TAYLOR_LINEAR && quartic_taylor_blocked(&problem)) {
        floats += threads * quartic_round_up(taylor_state_floats(&problem), 64);
    } else if (problem.form == QUARTIC_TAYLOR_LINEAR) {
        const taylor_parts cut = taylor_cut(&problem, call->input_count == QUARTIC_TAYLOR_INPUTS);
        floats += cut.group * cut.parts * cut.states * cut.state_floats;
    }
    return floats * sizeof(float);
}

static int64_t taylor_at(const quartic_taylor_strides *strides, const taylor_unit *unit, uint32_t head) {
    return strides->batch * unit->b + strides->other * unit->other + strides->head * head;
}

/* The index-th unit: heads fastest, so that neighbours share memory lines. */
static taylor_unit taylor_unit_at(const quartic_taylor_problem *problem, const quartic_op_run *run,
                                  uint64_t index) {
    const bool backward = run->input_count == QUARTIC_TAYLOR_INPUTS;
    const quartic_operand *in = run->inputs, *out = run->outputs;
    const uint32_t head = (uint32_t)(index % problem->heads);
    taylor_unit unit = {.problem = problem,
                        .mask = problem->masked ? in[QUARTIC_TAYLOR_MASK].data : NULL,
                        .b = (uint32_t)(index / problem->heads / problem->others),
                        .other = (uint32_t)(index / problem->heads % problem->others)};
    unit.key_end = quartic_taylor_key_end(problem, unit.mask, unit.b, unit.other);
    const int64_t value = taylor_at(&problem->value, &unit, head),
                  key = taylor_at(&problem->key, &unit, head);
    const int64_t z = taylor_at(&problem->z, &unit, head);
    unit.q = (const float *)in[QUARTIC_TAYLOR_Q].data + taylor_at(&problem->q, &unit, head);
    unit.k = (const float *)in[QUARTIC_TAYLOR_K].data + taylor_at(&problem->k, &unit, head);
    unit.v = (const float *)in[QUARTIC_TAYLOR_V].data + taylor_at(&problem->v, &unit, head);
    if (backward) {
        unit.out = (const float *)in[QUARTIC_TAYLOR_OUT].data + value;
        unit.z = (const float *)in[QUARTIC_TAYLOR_Z].data + z;
        unit.g = (const float *)in[QUARTIC_TAYLOR_G].data + value;
        unit.dq = (float *)out[0].data + key;
        unit.dk = (float *)out[1].data + key;
        unit.dv = (float *)out[2].data + value;
    } else {
        unit.to_out = (float *)out[0].data + value;
        unit.to_z = (float *)out[1].data + z;
    }
    return unit;
}

/* A thread is worth waking for about 200000 operations; the result does not depend on their number. */
static int taylor_thread_count(const quartic_taylor_problem *problem, const quartic_op_run *run) {
    const double most = quartic_taylor_flops(problem, run->input_count == QUARTIC_TAYLOR_INPUTS) / 2e5;
    return most < 1 ? 1 : most < run->threads ? (int)most : (int)run->threads;
}

static float *taylor_aligned(void *scratch) {
    return (float *)(((uintptr_t)scratch + 63) / 64 * 64);
}

static void taylor_run_quadratic(const quartic_taylor_problem *problem, const quartic_op_run *run,
                                 const taylor_kernels *kernels) {
    const int64_t units = (int64_t)quartic_taylor_units(problem);
    const int threads = taylor_thread_count(problem, run);
    const size_t own = taylor_thread_floats(problem);
    float *scratch = taylor_aligned(run->scratch);
    const bool backward = run->input_count == QUARTIC_TAYLOR_INPUTS;
    void (*const kernel)(const taylor_unit *, float *) =
        backward ? kernels->quadratic_grad : kernels->quadratic;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t u = 0; u < units; ++u) {
        const taylor_unit unit = taylor_unit_at(problem, run, (uint64_t)u);
        kernel(&unit, scratch + (size_t)omp_get_thread_num() * own);
    }
}

static taylor_state taylor_state_at(const quartic_taylor_problem *problem,
                                    float *states, // (.., taylor_state_floats)
                                    size_t index) {
    float *values = states + index * taylor_state_floats(problem);
    return (taylor_state){values, values + taylor_feature_rows(problem) * taylor_value_columns(problem)};
}

/* states[first] += states[first + 1 .. first + parts - 1], in order. */
static void taylor_sum_parts(float *states, // (.., state_floats)
                             size_t state_floats, size_t first, uint32_t parts) {
    float *sum = states + first * state_floats;
    for (uint32_t p = 1; p < parts; ++p) {
        const float *part = sum + p * state_floats;
        for (size_t i = 0; i < state_floats; ++i) sum[i] += part[i];
    }
}

static void taylor_run_linear(const quartic_taylor_problem *problem, const quartic_op_run *run,
                              const taylor_kernels *kernels) {
    const bool backward = run->input_count == QUARTIC_TAYLOR_INPUTS;
    const taylor_parts cut = taylor_cut(problem, backward);
    const uint64_t units = quartic_taylor_units(problem);
    const int threads = taylor_thread_count(problem, run);
    const size_t own = taylor_thread_floats(problem);
    float *states = taylor_aligned(run->scratch); // (side, unit, part, state_floats)
    float *scratch =                              // (threads, own)
        states + cut.group * cut.parts * cut.states * cut.state_floats;
    for (uint64_t first = 0; first < units; first += cut.group) {
        const uint64_t group = units - first < cut.group ? units - first : cut.group;
        const int64_t pieces = (int64_t)(group * cut.parts);
        /* State index: (side, unit, part). */
        const size_t query_states = (size_t)pieces;
#pragma omp parallel num_threads(threads)
        {
            float *mine = scratch + (size_t)omp_get_thread_num() * own;
#pragma omp for schedule(static)
            for (int64_t p = 0; p < pieces; ++p) {
                const taylor_unit unit = taylor_unit_at(problem, run, first + (uint64_t)p / cut.parts);
                const uint32_t begin = (uint32_t)((uint64_t)p % cut.parts) * cut.tokens;
                const uint32_t end =
                    problem->tokens - begin < cut.tokens ? problem->tokens : begin + cut.tokens;
                const uint32_t key_end = end < unit.key_end ? end : unit.key_end;
                kernels->build(&unit, TAYLOR_KEYS, begin, key_end, false,
                               taylor_state_at(problem, states, (size_t)p), mine);
                if (backward)
                    kernels->build(&unit, TAYLOR_QUERIES, begin, end, false,
                                   taylor_state_at(problem, states, query_states + (size_t)p), mine);
            }
#pragma omp for schedule(static)
            for (int64_t s = 0; s < (int64_t)(group * cut.states); ++s)
                taylor_sum_parts(states, cut.state_floats, (size_t)s * cut.parts, cut.parts);
#pragma omp for schedule(static)
            for (int64_t p = 0; p < pieces; ++p) {
                const taylor_unit unit = taylor_unit_at(problem, run, first + (uint64_t)p / cut.parts);
                const uint32_t begin = (uint32_t)((uint64_t)p % cut.parts) * cut.tokens;
                const uint32_t end =
                    problem->tokens - begin < cut.tokens ? problem->tokens : begin + cut.tokens;
                const size_t whole = (size_t)p / cut.parts * cut.parts;
                const taylor_state key_state = taylor_state_at(problem, states, whole);
                if (!backward) {
                    kernels->apply(&unit, begin, end, key_state, mine);
                } else {
                    kernels->apply_grad(&unit, TAYLOR_QUERIES, begin, end, key_state, mine);
                    kernels->apply_grad(&unit, TAYLOR_KEYS, begin, end,
                                        taylor_state_at(problem, states, query_states + whole), mine);
                }
            }
        }
    }
}

/* All blocks of a unit, forward or the gradients of queries: queries read the sum over the keys so far. */
static void taylor_walk_queries(const taylor_unit *unit, bool backward, const taylor_kernels *kernels,
                                taylor_state state, float *scratch) {
    const quartic_taylor_problem *problem = unit->problem;
    for (uint32_t block = 0; block < quartic_taylor_blocks(problem); ++block) {
        const uint32_t begin = block * problem->span, end = quartic_taylor_block_end(problem, begin);
        const uint32_t key_end = end < unit->key_end ? end : unit->key_end;
        kernels->build(unit, TAYLOR_KEYS, begin, key_end, block > 0, state, scratch);
        if (backward)
            kernels->apply_grad(unit, TAYLOR_QUERIES, begin, end, state, scratch);
        else
            kernels->apply(unit, begin, end, state, scratch);
    }
}

/* The gradients of keys: from the last block on, keys read the sum over the queries so far. */
static void taylor_walk_keys(const taylor_unit *unit, const taylor_kernels *kernels, taylor_state state,
                             float *scratch) {
    const quartic_taylor_problem *problem = unit->problem;
    const uint32_t blocks = quartic_taylor_blocks(problem);
    for (uint32_t block = blocks; block-- > 0;) {
        const uint32_t begin = block * problem->span, end = quartic_taylor_block_end(problem, begin);
        kernels->build(unit, TAYLOR_QUERIES, begin, end, block + 1 < blocks, state, scratch);
        kernels->apply_grad(unit, TAYLOR_KEYS, begin, end, state, scratch);
    }
}

static void taylor_run_blocks(const quartic_taylor_problem *problem, const quartic_op_run *run,
                              const taylor_kernels *kernels) {
    const bool backward = run->input_count == QUARTIC_TAYLOR_INPUTS;
    const int64_t units = (int64_t)quartic_taylor_units(problem);
    const int threads = taylor_thread_count(problem, run);
    const size_t state_floats = quartic_round_up(taylor_state_floats(problem), 64);
    const size_t own = state_floats + taylor_thread_floats(problem);
    float *scratch = taylor_aligned(run->scratch);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t u = 0; u < units; ++u) {
        const taylor_unit unit = taylor_unit_at(problem, run, (uint64_t)u);
        float *mine = scratch + (size_t)omp_get_thread_num() * own;
        const taylor_state state = taylor_state_at(problem, mine, 0);
        taylor_walk_queries(&unit, backward, kernels, state, mine + state_floats);
        if (backward) taylor_walk_keys(&unit, kernels, state, mine + state_floats);
    }
}

void quartic_taylor_run(const quartic_op_run *run, const taylor_kernels *kernels) {
    const quartic_taylor_problem problem = quartic_taylor_problem_of_run(run);
    if (problem.form == QUARTIC_TAYLOR_QUADRATIC)
        taylor_run_quadratic(&problem, run, kernels);
    else if (quartic_taylor_blocked(&problem))
        taylor_run_blocks(&problem, run, kernels);
    else
        taylor_run_linear(&problem, run, kernels);
}

static void taylor_run(const quartic_op_run *run) {
    quartic_taylor_run(run, taylor_best_kernels());
}

const quartic_fast_kernel quartic_fast_taylor_attention = {&quartic_op_taylor_attention, NULL, taylor_run,
                                                           quartic_taylor_scratch};
const quartic_fast_kernel quartic_fast_taylor_attention_grad = {&quartic_op_taylor_attention_grad, NULL,
                                                                taylor_run, quartic_taylor_scratch};

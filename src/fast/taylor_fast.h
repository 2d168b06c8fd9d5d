/* taylor_fast.h (fast): what the tuned kernels of Taylor attention share: one unit of work, sizes of buffers,
 * the table of kernels of one instruction set. taylor_kernels.h has the algorithms, taylor_attention.c deals
 * units to threads.
 */
#ifndef QUARTIC_FAST_TAYLOR_FAST_H
#define QUARTIC_FAST_TAYLOR_FAST_H

#include "fast/parts.h"
#include "ops/taylor_problem.h"

enum {
    /* Multiples of these, whatever the instruction set: */
    TAYLOR_ROWS = 16,         /* rows of a packed buffer */
    TAYLOR_COLUMNS = 32,      /* tokens that lie in lanes */
    TAYLOR_KEY_BLOCK = 64,    /* keys whose weights are held at once */
    TAYLOR_FEATURE_BLOCK = 64 /* features that are held at once */
};

/* One head of one sequence: pointers at position 0 of every operand, NULL where the op has none. */
typedef struct taylor_unit {
    const quartic_taylor_problem *problem;
    const int32_t *mask; // all of the op's, or NULL
    uint32_t b, other, key_end;
    /* Positions and components lie apart as the problem's strides say. */
    const float *q, *k;       // (tokens, d)
    const float *v, *out, *g; // (tokens, dv)
    const float *z;           // (tokens)
    float *to_out;            // (tokens, dv)
    float *to_z;              // (tokens)
    float *dq, *dk;           // (tokens, d)
    float *dv;                // (tokens, dv)
} taylor_unit;

/* A unit's state of the linear form, padded with zeros. */
typedef struct taylor_state {
    float *values; // (taylor_feature_rows, taylor_value_columns)
    float *ones;   // (taylor_feature_rows)
} taylor_state;

static inline size_t taylor_feature_rows(const quartic_taylor_problem *problem) {
    return quartic_round_up(problem->features, TAYLOR_FEATURE_BLOCK);
}
static inline size_t taylor_value_columns(const quartic_taylor_problem *problem) {
    return quartic_round_up(problem->dv, TAYLOR_ROWS);
}
static inline size_t taylor_state_floats(const quartic_taylor_problem *problem) {
    return taylor_feature_rows(problem) * (taylor_value_columns(problem) + 1);
}

typedef enum taylor_side { TAYLOR_KEYS, TAYLOR_QUERIES } taylor_side;

/* Kernels for one instruction set; scratch is one thread's, of taylor_scratch_floats, 64-byte aligned. */
typedef struct taylor_kernels {
    void (*quadratic)(const taylor_unit *unit, float *scratch);
    void (*quadratic_grad)(const taylor_unit *unit, float *scratch);
    /* state = or += sum over positions begin .. end - 1 of c_f f(k) (v, 1), or for queries c_f f(q) (a, -D).
     */
    void (*build)(const taylor_unit *unit, taylor_side side, uint32_t begin, uint32_t end, bool add,
                  taylor_state state, float *scratch);
    /* out and z of queries begin .. end - 1 */
    void (*apply)(const taylor_unit *unit, uint32_t begin, uint32_t end, taylor_state key_state,
                  float *scratch);
    /* dq of these queries from the keys' state, or dk and dv of these keys from the queries' state */
    void (*apply_grad)(const taylor_unit *unit, taylor_side side, uint32_t begin, uint32_t end,
                       taylor_state state, float *scratch);
} taylor_kernels;

/* The kernels of an instruction set; NULL where the build or this machine lacks it. */
typedef enum taylor_set { TAYLOR_PLAIN, TAYLOR_AVX2, TAYLOR_AVX512, TAYLOR_SETS } taylor_set;
const taylor_kernels *quartic_taylor_kernels(taylor_set set);

/* Either op with these kernels, and the scratch that it needs; the tuned ops do it with the best. */
void quartic_taylor_run(const quartic_op_run *run, const taylor_kernels *kernels);
size_t quartic_taylor_scratch(const quartic_op_call *call, uint32_t threads);

/* Floats of scratch that any kernel of the problem's form needs for one thread. */
static inline size_t taylor_scratch_floats(const quartic_taylor_problem *problem) {
    const size_t d = quartic_round_up(problem->d + 1, TAYLOR_ROWS), dv = taylor_value_columns(problem);
    const size_t tiles = 2 * (size_t)TAYLOR_KEY_BLOCK * TAYLOR_COLUMNS + (d + dv) * TAYLOR_COLUMNS;
    if (problem->form == QUARTIC_TAYLOR_QUADRATIC) {
        const size_t tokens = quartic_round_up(problem->tokens, TAYLOR_COLUMNS);
        return tokens * (4 * d + 4 * dv + 2) + tiles; /* q, q^T, k, dk; v, a, a^T, dv; ones, D */
    }
    return 3 * (d + dv) * TAYLOR_COLUMNS + 2 * TAYLOR_COLUMNS + tiles +
           taylor_feature_rows(problem) * TAYLOR_ROWS;
}

#endif

/* taylor_kernels.h (fast): the tuned loops of Taylor attention, included once per instruction set. It has
 * over 600 lines, since both forms share its products, packing and names, and a second file would be
 * included as often. Before inclusion: TAYLOR_LANES (floats of a vector), TAYLOR_TARGET (function
 * attribute), TAYLOR_NAME(x).
 *
 * Everything heavy is one small matrix product, `multiply`: rows of broadcast numbers times rows of vectors,
 * with rows x vectors sums in registers. A block is 2 vectors of tokens ("columns"). With W the weights of a
 * block of keys (rows) for a block of queries (columns):
 *   W = 1 + S + S^2/2, S = K Q^T      rows keys, sum over components
 *   out^T += V^T W                    rows components, sum over keys
 *   dV += W A, dK += dS Q             rows keys, columns components, sum over queries
 *   dQ^T += K^T dS                    rows components, sum over keys
 * The linear form has the features of a block of tokens in the place of W. Hidden keys are left out when a
 * sequence is packed (quadratic) or get an extended vector of zeros (linear); padding does the same. Where
 * queries see different keys, a block's weights are zero from each column's own end on, and what no column
 * sees is not computed.
 */

typedef float TAYLOR_NAME(vector) __attribute__((vector_size(TAYLOR_LANES * 4), may_alias));
#define vector TAYLOR_NAME(vector)

/* Sums in registers: TILE of them, as TILE / 2 rows of 2 vectors or TILE rows of 1. */
#define TILE   (TAYLOR_LANES == 16 ? 16 : 8)
#define BLOCK  (2u * TAYLOR_LANES)
#define INLINE static inline __attribute__((always_inline)) TAYLOR_TARGET
#define KERNEL static TAYLOR_TARGET

INLINE vector *TAYLOR_NAME(at)(float *p) {
    return (vector *)p;
}
INLINE const vector *TAYLOR_NAME(from)(const float *p) {
    return (const vector *)p;
}
#define at   TAYLOR_NAME(at)
#define from TAYLOR_NAME(from)

/* sums[r][c] += sum_k left(r, k) right(k, c), left(r, k) = left[r row_step + k depth_step] broadcast and
 * right(k, c) the c-th vector at right + k right_step. rows, vectors: constants with rows * vectors <= TILE.
 */
INLINE void TAYLOR_NAME(multiply)(uint32_t rows, uint32_t vectors, size_t depth,
                                  const float *left, // (rows, depth) at these strides
                                  size_t row_step, size_t depth_step,
                                  const float *right, // (depth, vectors), rows right_step apart
                                  size_t right_step,
                                  vector *sums // (rows, vectors)
) {
    for (size_t k = 0; k < depth; ++k) {
        vector columns[2];
        for (uint32_t c = 0; c < vectors; ++c) columns[c] = from(right + k * right_step)[c];
        TAYLOR_UNROLL
        for (uint32_t r = 0; r < rows; ++r)
            for (uint32_t c = 0; c < vectors; ++c)
                sums[r * vectors + c] += left[r * row_step + k * depth_step] * columns[c];
    }
}
#define multiply TAYLOR_NAME(multiply)

/* result (rows, columns) += or = left right; rows and columns are padded (see the callers) to whole tiles. */
INLINE void TAYLOR_NAME(product)(uint32_t rows, uint32_t vectors, bool add, size_t row_count,
                                 size_t column_count, size_t depth,
                                 const float *left, // (row_count, depth) at these strides
                                 size_t row_step, size_t depth_step,
                                 const float *right, // (depth, column_count), rows right_step apart
                                 size_t right_step,
                                 float *result, // (row_count, column_count), rows result_step apart
                                 size_t result_step) {
    for (size_t c = 0; c < column_count; c += vectors * TAYLOR_LANES)
        for (size_t r = 0; r < row_count; r += rows) {
            vector sums[TILE];
            float *corner = result + r * result_step + c; // (rows, vectors)
            TAYLOR_UNROLL
            for (uint32_t k = 0; k < rows * vectors; ++k)
                sums[k] = add ? at(corner + k / vectors * result_step)[k % vectors] : (vector){0};
            multiply(rows, vectors, depth, left + r * row_step, row_step, depth_step, right + c, right_step,
                     sums);
            TAYLOR_UNROLL
            for (uint32_t k = 0; k < rows * vectors; ++k)
                at(corner + k / vectors * result_step)[k % vectors] = sums[k];
        }
}
#define product TAYLOR_NAME(product)

/* tile += rows^T weights. */
KERNEL void TAYLOR_NAME(spread)(size_t components, size_t count,
                                const float *rows, // (count, components), step apart
                                size_t step,
                                const float *weights, // (count, BLOCK)
                                float *tile           // (components, BLOCK)
) {
    product(TILE / 2, 2, true, components, BLOCK, count, rows, 1, step, weights, BLOCK, tile, BLOCK);
}
#define spread TAYLOR_NAME(spread)

/* result += weights rows. */
KERNEL void TAYLOR_NAME(gather)(size_t components, size_t count,
                                const float *weights, // (count, BLOCK)
                                const float *rows,    // (BLOCK, components), step apart
                                size_t step,
                                float *result // (count, components), step apart
) {
    if (components % BLOCK == 0)
        product(TILE / 2, 2, true, count, components, BLOCK, weights, BLOCK, 1, rows, step, result, step);
    else
        product(TILE, 1, true, count, components, BLOCK, weights, BLOCK, 1, rows, step, result, step);
}
#define gather TAYLOR_NAME(gather)

/* ---- packing ---- */

typedef float TAYLOR_NAME(four) __attribute__((vector_size(16), may_alias, aligned(4)));
#define four TAYLOR_NAME(four)

/* to = the transpose of source. */
INLINE void TAYLOR_NAME(transpose4)(const float *source, // (4, 4), rows from_step apart
                                    int64_t from_step,
                                    float *to, // (4, 4), rows to_step apart
                                    int64_t to_step) {
    const four r0 = *(const four *)source, r1 = *(const four *)(source + from_step);
    const four r2 = *(const four *)(source + 2 * from_step), r3 = *(const four *)(source + 3 * from_step);
    const four a = __builtin_shufflevector(r0, r1, 0, 4, 1, 5),
               b = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
    const four c = __builtin_shufflevector(r0, r1, 2, 6, 3, 7),
               d = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
    *(four *)to = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    *(four *)(to + to_step) = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    *(four *)(to + 2 * to_step) = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    *(four *)(to + 3 * to_step) = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

/* to = the transpose of source. */
KERNEL void TAYLOR_NAME(transpose)(size_t count, size_t width,
                                   const float *source, // (count, width), rows from_step apart
                                   int64_t from_step,
                                   float *to, // (width, count), rows to_step apart
                                   int64_t to_step) {
    const size_t whole_count = count / 4 * 4, whole_width = width / 4 * 4;
    for (size_t i = 0; i < whole_count; i += 4)
        for (size_t a = 0; a < whole_width; a += 4) TAYLOR_NAME(transpose4)
    (source + (int64_t)i * from_step + (int64_t)a, from_step, to + (int64_t)a * to_step + (int64_t)i,
     to_step);
    for (size_t i = 0; i < count; ++i)
        for (size_t a = i < whole_count ? whole_width : 0; a < width; ++a)
            to[(int64_t)a * to_step + (int64_t)i] = source[(int64_t)i * from_step + (int64_t)a];
}
#define transpose TAYLOR_NAME(transpose)

/* One row of `width` numbers, `component` apart, to a padded row of `step`. */
INLINE void TAYLOR_NAME(pack_row)(const float *source, // (width), component apart
                                  int64_t component, size_t width,
                                  float *to, // (step)
                                  size_t step) {
    if (component == 1)
        for (size_t a = 0; a < width; ++a) to[a] = source[a];
    else
        for (size_t a = 0; a < width; ++a) to[a] = source[(int64_t)a * component];
    for (size_t a = width; a < step; ++a) to[a] = 0;
}
#define pack_row TAYLOR_NAME(pack_row)

INLINE void TAYLOR_NAME(clear)(float *p, // (count)
                               size_t count) {
    for (size_t i = 0; i < count; ++i) p[i] = 0;
}
#define clear TAYLOR_NAME(clear)

/* rows (count, step) of an operand's positions begin .. */
KERNEL void TAYLOR_NAME(pack_rows)(const float *source, // (tokens, width) at these strides
                                   const quartic_taylor_strides *strides, uint32_t begin, size_t count,
                                   size_t width,
                                   float *rows, // (count, step)
                                   size_t step) {
    for (size_t i = 0; i < count; ++i)
        pack_row(source + (int64_t)(begin + i) * strides->position, strides->component, width,
                 rows + i * step, step);
}
#define pack_rows TAYLOR_NAME(pack_rows)

/* The visible keys and values of a unit, one after the other; returns how many. Padded with zero rows, and
 * `ones` with zeros, to a multiple of TAYLOR_ROWS. */
KERNEL size_t TAYLOR_NAME(pack_keys)(const taylor_unit *unit,
                                     float *k, // (tokens, k_step)
                                     size_t k_step,
                                     float *v, // (tokens, v_step)
                                     size_t v_step,
                                     float *ones // (tokens)
) {
    const quartic_taylor_problem *problem = unit->problem;
    size_t count = 0;
    for (uint32_t j = 0; j < unit->key_end; ++j) {
        if (!quartic_taylor_visible(problem, unit->mask, unit->b, unit->other, j)) continue;
        pack_row(unit->k + (int64_t)j * problem->k.position, problem->k.component, problem->d,
                 k + count * k_step, k_step);
        pack_row(unit->v + (int64_t)j * problem->v.position, problem->v.component, problem->dv,
                 v + count * v_step, v_step);
        ones[count++] = 1;
    }
    const size_t padded = quartic_round_up(count, TAYLOR_ROWS);
    clear(k + count * k_step, (padded - count) * k_step);
    clear(v + count * v_step, (padded - count) * v_step);
    clear(ones + count, padded - count);
    return count;
}
#define pack_keys TAYLOR_NAME(pack_keys)

/* a = g / z and delta = a . out (0 where z is clamped) of queries begin .. begin + count - 1. */
KERNEL void TAYLOR_NAME(pack_cotangents)(const taylor_unit *unit, uint32_t begin, size_t count,
                                         float *a, // (count, step)
                                         size_t step,
                                         float *delta // (count)
) {
    const quartic_taylor_problem *problem = unit->problem;
    for (size_t i = 0; i < count; ++i) {
        const int64_t position = (int64_t)(begin + i) * problem->value.position;
        const float z = unit->z[(int64_t)(begin + i) * problem->z.position], inverse = 1 / z;
        const float *g = unit->g + position, *out = unit->out + position; // (dv)
        float *row = a + i * step;                                        // (step)
        float sum = 0;
        for (size_t e = 0; e < problem->dv; ++e) row[e] = g[e] * inverse;
        for (size_t e = problem->dv; e < step; ++e) row[e] = 0;
        for (size_t e = 0; e < problem->dv; ++e) sum += row[e] * out[e];
        delta[i] = z > (float)QUARTIC_TAYLOR_LEAST ? sum : 0;
    }
}
#define pack_cotangents TAYLOR_NAME(pack_cotangents)

/* Position p of an output from column p of a tile, for `count` columns. */
KERNEL void TAYLOR_NAME(unpack_columns)(const float *tile, // (width, BLOCK)
                                        size_t count, size_t width,
                                        float *to, // (count, width), position apart
                                        int64_t position) {
    transpose(width, count, tile, BLOCK, to, position);
}
#define unpack_columns TAYLOR_NAME(unpack_columns)

/* ---- quadratic form ---- */

/* How many packed keys the queries of a block of columns see. */
typedef struct TAYLOR_NAME(sight) {
    size_t of[BLOCK]; /* by column, not falling; beyond the last query as the last */
    size_t least, most;
} TAYLOR_NAME(sight);
#define sight TAYLOR_NAME(sight)

/* Of queries begin .. begin + count - 1, where the sight of those before (zero for none) has ended at
 * *position. */
KERNEL void TAYLOR_NAME(look)(const taylor_unit *unit, uint32_t begin, size_t count, uint32_t *position,
                              sight *seen) {
    size_t keys = seen->most;
    for (size_t i = 0; i < BLOCK; ++i) {
        if (i < count) {
            const uint32_t end = quartic_taylor_block_end(unit->problem, begin + (uint32_t)i);
            for (; *position < end && *position < unit->key_end; ++*position)
                if (quartic_taylor_visible(unit->problem, unit->mask, unit->b, unit->other, *position))
                    ++keys;
        }
        seen->of[i] = keys;
    }
    seen->least = seen->of[0];
    seen->most = keys;
}
#define look TAYLOR_NAME(look)

/* Zeroes the weights of keys first .. where a column does not see them. */
KERNEL void TAYLOR_NAME(hide)(const sight *seen, size_t first, size_t count,
                              float *weights // (count, BLOCK)
) {
    for (size_t j = first < seen->least ? seen->least - first : 0; j < count; ++j)
        for (size_t i = 0; i < BLOCK && seen->of[i] <= first + j; ++i) weights[j * BLOCK + i] = 0;
}
#define hide TAYLOR_NAME(hide)

/* weights = ones + s + s^2/2, s = k q^T, for `count` keys; total += their sums. ones: 0 for padding. */
KERNEL void TAYLOR_NAME(weigh)(size_t count, size_t d,
                               const float *k, // (count, d), k_step apart
                               size_t k_step,
                               const float *ones,      // (count)
                               const float *q_columns, // (d, BLOCK), q_step apart
                               size_t q_step,
                               float *weights, // (count, BLOCK)
                               float *total    // (BLOCK)
) {
    vector totals[2] = {from(total)[0], from(total)[1]};
    for (size_t j = 0; j < count; j += TILE / 2) {
        vector sums[TILE] = {{0}};
        multiply(TILE / 2, 2, d, k + j * k_step, k_step, 1, q_columns, q_step, sums);
        TAYLOR_UNROLL
        for (uint32_t t = 0; t < TILE; ++t) {
            const vector w = ones[j + t / 2] + sums[t] * (1.0f + sums[t] * 0.5f);
            totals[t % 2] += w;
            at(weights + (j + t / 2) * BLOCK)[t % 2] = w;
        }
    }
    at(total)[0] = totals[0];
    at(total)[1] = totals[1];
}

/* out and z of a block of queries from the sums over keys. */
KERNEL void TAYLOR_NAME(finish)(const taylor_unit *unit, uint32_t begin, size_t count,
                                float *numerator, // (dv, BLOCK)
                                float *total      // (BLOCK)
) {
    const quartic_taylor_problem *problem = unit->problem;
    float inverse[BLOCK] __attribute__((aligned(64)));
    for (uint32_t i = 0; i < BLOCK; ++i) {
        total[i] = total[i] > (float)QUARTIC_TAYLOR_LEAST ? total[i] : (float)QUARTIC_TAYLOR_LEAST;
        inverse[i] = 1 / total[i];
    }
    for (size_t e = 0; e < problem->dv; ++e)
        for (uint32_t c = 0; c < 2; ++c) at(numerator + e * BLOCK)[c] *= from(inverse)[c];
    unpack_columns(numerator, count, problem->dv, unit->to_out + (int64_t)begin * problem->value.position,
                   problem->value.position);
    for (size_t i = 0; i < count; ++i) unit->to_z[(int64_t)(begin + i) * problem->z.position] = total[i];
}
#define finish TAYLOR_NAME(finish)

/* columns = the transpose of positions begin .. begin + count - 1, zeros beyond. */
KERNEL void TAYLOR_NAME(pack_columns)(const float *source, // (tokens, width) at these strides
                                      const quartic_taylor_strides *strides, uint32_t begin, size_t count,
                                      size_t width,
                                      float *columns // (width, BLOCK)
) {
    const float *first = source + (int64_t)begin * strides->position; // (count, width)
    if (count < BLOCK) clear(columns, width * BLOCK);
    if (strides->component == 1) {
        transpose(count, width, first, strides->position, columns, BLOCK);
        return;
    }
    for (size_t i = 0; i < count; ++i)
        for (size_t a = 0; a < width; ++a)
            columns[a * BLOCK + i] = first[(int64_t)i * strides->position + (int64_t)a * strides->component];
}
#define pack_columns TAYLOR_NAME(pack_columns)

KERNEL void TAYLOR_NAME(quadratic)(const taylor_unit *unit, float *scratch) {
    const quartic_taylor_problem *problem = unit->problem;
    const size_t d = problem->d, k_step = quartic_round_up(d, TAYLOR_ROWS),
                 v_step = taylor_value_columns(problem);
    const size_t tokens = quartic_round_up(problem->tokens, TAYLOR_COLUMNS);
    float *k = scratch;                                    // (tokens, k_step)
    float *v = k + tokens * k_step;                        // (tokens, v_step)
    float *ones = v + tokens * v_step;                     // (tokens)
    float *q = ones + tokens;                              // (d, BLOCK)
    float *weights = q + k_step * BLOCK;                   // (TAYLOR_KEY_BLOCK, BLOCK)
    float *numerator = weights + TAYLOR_KEY_BLOCK * BLOCK; // (dv, BLOCK)
    const bool blocked = quartic_taylor_blocked(problem);
    size_t keys = quartic_round_up(pack_keys(unit, k, k_step, v, v_step, ones), TAYLOR_ROWS);
    sight seen = {.most = 0};
    uint32_t position = 0;
    for (uint32_t begin = 0; begin < problem->tokens; begin += BLOCK) {
        const size_t count = problem->tokens - begin < BLOCK ? problem->tokens - begin : BLOCK;
        float total[BLOCK] __attribute__((aligned(64))) = {0};
        if (blocked) {
            look(unit, begin, count, &position, &seen);
            keys = quartic_round_up(seen.most, TAYLOR_ROWS);
        }
        pack_columns(unit->q, &problem->q, begin, count, d, q);
        clear(numerator, v_step * BLOCK);
        for (size_t j = 0; j < keys; j += TAYLOR_KEY_BLOCK) {
            const size_t block = keys - j < TAYLOR_KEY_BLOCK ? keys - j : TAYLOR_KEY_BLOCK;
            if (blocked && j + block > seen.least) {
                float ignored[BLOCK] __attribute__((aligned(64))) = {0};
                TAYLOR_NAME(weigh)(block, d, k + j * k_step, k_step, ones + j, q, BLOCK, weights, ignored);
                hide(&seen, j, block, weights);
                for (size_t row = 0; row < block; ++row)
                    for (uint32_t c = 0; c < 2; ++c) at(total)[c] += from(weights + row * BLOCK)[c];
            } else {
                TAYLOR_NAME(weigh)(block, d, k + j * k_step, k_step, ones + j, q, BLOCK, weights, total);
            }
            spread(v_step, block, v + j * v_step, v_step, weights, numerator);
        }
        finish(unit, begin, count, numerator, total);
    }
}

/* From the scores s in `weights`: weights = ones + s + s^2/2, slopes = (a . v - delta)(1 + s). */
KERNEL void TAYLOR_NAME(slopes)(size_t count, size_t dv,
                                const float *v, // (count, dv), v_step apart
                                size_t v_step,
                                const float *ones,      // (count)
                                const float *a_columns, // (dv, BLOCK)
                                const float *delta,     // (BLOCK)
                                float *weights,         // (count, BLOCK)
                                float *slopes           // (count, BLOCK)
) {
    for (size_t j = 0; j < count; j += TILE / 2) {
        vector sums[TILE];
        TAYLOR_UNROLL
        for (uint32_t t = 0; t < TILE; ++t) sums[t] = -from(delta)[t % 2];
        multiply(TILE / 2, 2, dv, v + j * v_step, v_step, 1, a_columns, BLOCK, sums);
        TAYLOR_UNROLL
        for (uint32_t t = 0; t < TILE; ++t) {
            vector *w = &at(weights + (j + t / 2) * BLOCK)[t % 2];
            const vector s = *w;
            at(slopes + (j + t / 2) * BLOCK)[t % 2] = sums[t] * (1.0f + s);
            *w = ones[j + t / 2] + s * (1.0f + s * 0.5f);
        }
    }
}

/* The gradients of all positions of a unit's keys: packed rows of the visible ones in order, zeros elsewhere.
 */
KERNEL void TAYLOR_NAME(unpack_keys)(const taylor_unit *unit,
                                     const float *dk, // (visible keys, k_step)
                                     size_t k_step,
                                     const float *dv, // (visible keys, v_step)
                                     size_t v_step) {
    const quartic_taylor_problem *problem = unit->problem;
    size_t row = 0;
    for (uint32_t j = 0; j < problem->tokens; ++j) {
        float *to_k = unit->dk + (int64_t)j * problem->key.position;   // (d)
        float *to_v = unit->dv + (int64_t)j * problem->value.position; // (dv)
        if (j < unit->key_end && quartic_taylor_visible(problem, unit->mask, unit->b, unit->other, j)) {
            for (size_t a = 0; a < problem->d; ++a) to_k[a] = dk[row * k_step + a];
            for (size_t e = 0; e < problem->dv; ++e) to_v[e] = dv[row * v_step + e];
            ++row;
        } else {
            clear(to_k, problem->d);
            clear(to_v, problem->dv);
        }
    }
}

KERNEL void TAYLOR_NAME(quadratic_grad)(const taylor_unit *unit, float *scratch) {
    const quartic_taylor_problem *problem = unit->problem;
    const size_t d = problem->d, k_step = quartic_round_up(d, TAYLOR_ROWS);
    const size_t dv = problem->dv, v_step = taylor_value_columns(problem);
    const size_t tokens = quartic_round_up(problem->tokens, TAYLOR_COLUMNS);
    float *k = scratch;                                 // (tokens, k_step)
    float *v = k + tokens * k_step;                     // (tokens, v_step)
    float *dk = v + tokens * v_step;                    // (tokens, k_step)
    float *dvalue = dk + tokens * k_step;               // (tokens, v_step)
    float *ones = dvalue + tokens * v_step;             // (tokens)
    float *q = ones + tokens;                           // (BLOCK, k_step)
    float *a = q + BLOCK * k_step;                      // (BLOCK, v_step)
    float *q_columns = a + BLOCK * v_step;              // (d, BLOCK)
    float *a_columns = q_columns + BLOCK * k_step;      // (dv, BLOCK)
    float *weights = a_columns + BLOCK * v_step;        // (TAYLOR_KEY_BLOCK, BLOCK)
    float *slopes = weights + TAYLOR_KEY_BLOCK * BLOCK; // (TAYLOR_KEY_BLOCK, BLOCK)
    float *dq = slopes + TAYLOR_KEY_BLOCK * BLOCK;      // (d, BLOCK)
    const bool blocked = quartic_taylor_blocked(problem);
    size_t keys = quartic_round_up(pack_keys(unit, k, k_step, v, v_step, ones), TAYLOR_ROWS);
    sight seen = {.most = 0};
    uint32_t position = 0;
    clear(dk, keys * k_step);
    clear(dvalue, keys * v_step);
    for (uint32_t begin = 0; begin < problem->tokens; begin += BLOCK) {
        const size_t count = problem->tokens - begin < BLOCK ? problem->tokens - begin : BLOCK;
        if (blocked) {
            look(unit, begin, count, &position, &seen);
            keys = quartic_round_up(seen.most, TAYLOR_ROWS);
        }
        float delta[BLOCK] __attribute__((aligned(64))) = {0};
        if (count < BLOCK) clear(q, BLOCK * (k_step + v_step)); /* q and a, which lie side by side */
        pack_rows(unit->q, &problem->q, begin, count, d, q, k_step);
        pack_cotangents(unit, begin, count, a, v_step, delta);
        transpose(BLOCK, d, q, (int64_t)k_step, q_columns, BLOCK);
        transpose(BLOCK, dv, a, (int64_t)v_step, a_columns, BLOCK);
        clear(dq, k_step * BLOCK);
        for (size_t j = 0; j < keys; j += TAYLOR_KEY_BLOCK) {
            const size_t block = keys - j < TAYLOR_KEY_BLOCK ? keys - j : TAYLOR_KEY_BLOCK;
            product(TILE / 2, 2, false, block, BLOCK, d, k + j * k_step, k_step, 1, q_columns, BLOCK, weights,
                    BLOCK);
            TAYLOR_NAME(slopes)
            (block, dv, v + j * v_step, v_step, ones + j, a_columns, delta, weights, slopes);
            if (blocked && j + block > seen.least) {
                hide(&seen, j, block, weights);
                hide(&seen, j, block, slopes);
            }
            spread(k_step, block, k + j * k_step, k_step, slopes, dq);
            gather(k_step, block, slopes, q, k_step, dk + j * k_step);
            gather(v_step, block, weights, a, v_step, dvalue + j * v_step);
        }
        unpack_columns(dq, count, d, unit->dq + (int64_t)begin * problem->key.position,
                       problem->key.position);
    }
    TAYLOR_NAME(unpack_keys)(unit, dk, k_step, dvalue, v_step);
}

/* ---- linear form ---- */

/* A place in the list of features: f stands for x_a x_b. */
typedef struct TAYLOR_NAME(pair) {
    size_t a, b;
} TAYLOR_NAME(pair);
#define pair TAYLOR_NAME(pair)

/* The features from p on that share x_a, at most `most`; their b ascend. */
INLINE size_t TAYLOR_NAME(run_of)(pair p, size_t d, size_t most) {
    return d + 1 - p.b < most ? d + 1 - p.b : most;
}
INLINE pair TAYLOR_NAME(after_run)(pair p, size_t run, size_t d) {
    return p.b + run <= d ? (pair){p.a, p.b + run} : (pair){p.a + 1, p.a + 1};
}

INLINE size_t TAYLOR_NAME(block_of_features)(const quartic_taylor_problem *problem, size_t first) {
    return problem->features - first < TAYLOR_FEATURE_BLOCK ? problem->features - first
                                                            : TAYLOR_FEATURE_BLOCK;
}

/* x = the extended vectors (1, k) or (1, q) of keys or queries begin .. begin + count - 1, in columns. Hidden
 * keys and columns beyond count are zero, so all their features are. */
KERNEL void TAYLOR_NAME(pack_extended)(const taylor_unit *unit, taylor_side side, uint32_t begin,
                                       size_t count,
                                       float *x // (1 + d, BLOCK)
) {
    const quartic_taylor_problem *problem = unit->problem;
    const bool keys = side == TAYLOR_KEYS;
    pack_columns(keys ? unit->k : unit->q, keys ? &problem->k : &problem->q, begin, count, problem->d,
                 x + BLOCK);
    for (size_t i = 0; i < BLOCK; ++i) {
        const bool seen = i < count && (!keys || (begin + i < unit->key_end &&
                                                  quartic_taylor_visible(problem, unit->mask, unit->b,
                                                                         unit->other, begin + (uint32_t)i)));
        x[i] = seen ? 1 : 0;
        if (!seen && i < count)
            for (size_t a = 1; a <= problem->d; ++a) x[a * BLOCK + i] = 0;
    }
}
#define pack_extended TAYLOR_NAME(pack_extended)

/* (y, last) = what a token adds to the state: (v, 1) of a key, (a, -delta) of a query. */
KERNEL void TAYLOR_NAME(pack_terms)(const taylor_unit *unit, taylor_side side, uint32_t begin, size_t count,
                                    float *y, // (BLOCK, step)
                                    size_t step,
                                    float *last // (BLOCK)
) {
    if (count < BLOCK) clear(y, BLOCK * step);
    if (side == TAYLOR_KEYS) {
        pack_rows(unit->v, &unit->problem->v, begin, count, unit->problem->dv, y, step);
        for (uint32_t i = 0; i < BLOCK; ++i) last[i] = 1;
        return;
    }
    pack_cotangents(unit, begin, count, y, step, last);
    for (uint32_t i = 0; i < BLOCK; ++i) last[i] = i < count ? -last[i] : 0;
}
#define pack_terms TAYLOR_NAME(pack_terms)

/* Rows of a head lie a whole token apart, where no hardware looks ahead: the lines of the next block are
 * asked for while this one is computed. */
INLINE void TAYLOR_NAME(look_ahead)(const taylor_unit *unit,
                                    const float *source, // (tokens, width) at these strides
                                    const quartic_taylor_strides *strides, uint32_t begin, size_t width) {
    enum { LINE = 16 };
    if (strides->component != 1) return;
    for (uint32_t i = begin; i < begin + BLOCK && i < unit->problem->tokens; ++i)
        for (size_t a = 0; a < width; a += LINE)
            __builtin_prefetch(source + (int64_t)i * strides->position + (int64_t)a);
}
#define look_ahead TAYLOR_NAME(look_ahead)

/* What a block of a side is packed from. */
INLINE void TAYLOR_NAME(look_ahead_side)(const taylor_unit *unit, taylor_side side, uint32_t begin) {
    const quartic_taylor_problem *problem = unit->problem;
    const bool keys = side == TAYLOR_KEYS;
    look_ahead(unit, keys ? unit->k : unit->q, keys ? &problem->k : &problem->q, begin, problem->d);
    look_ahead(unit, keys ? unit->v : unit->g, keys ? &problem->v : &problem->value, begin, problem->dv);
    if (!keys) look_ahead(unit, unit->out, &problem->value, begin, problem->dv);
}
#define look_ahead_side TAYLOR_NAME(look_ahead_side)

KERNEL void TAYLOR_NAME(build)(const taylor_unit *unit, taylor_side side, uint32_t begin, uint32_t end,
                               bool add, taylor_state state, float *scratch) {
    const quartic_taylor_problem *problem = unit->problem;
    const size_t d = problem->d, step = taylor_value_columns(problem), rows = taylor_feature_rows(problem);
    float *x = scratch;                                          // (1 + d, BLOCK)
    float *y = x + quartic_round_up(d + 1, TAYLOR_ROWS) * BLOCK; // (BLOCK, step)
    float *last = y + BLOCK * step;                              // (BLOCK)
    float *features = last + BLOCK;                              // (TAYLOR_FEATURE_BLOCK, BLOCK)
    float *ones = features + TAYLOR_FEATURE_BLOCK * BLOCK;       // (rows, TAYLOR_LANES): partial sums
    if (!add) clear(state.values, rows * step);
    if (!add) clear(state.ones, rows);
    clear(ones, rows * TAYLOR_LANES);
    for (; begin < end; begin += BLOCK) {
        const size_t count = end - begin < BLOCK ? end - begin : BLOCK;
        pack_extended(unit, side, begin, count, x);
        pack_terms(unit, side, begin, count, y, step, last);
        look_ahead_side(unit, side, begin + BLOCK);
        pair p = {0, 0};
        for (size_t first = 0; first < problem->features; first += TAYLOR_FEATURE_BLOCK) {
            const size_t f = TAYLOR_NAME(block_of_features)(problem, first);
            for (size_t done = 0; done < f;) {
                const size_t run = TAYLOR_NAME(run_of)(p, d, f - done);
                for (uint32_t c = 0; c < 2; ++c) {
                    const vector xa = from(x + p.a * BLOCK)[c], weight = from(last)[c];
                    float *to = features + done * BLOCK, *to_ones = ones + (first + done) * TAYLOR_LANES;
                    for (size_t r = 0; r < run; ++r) {
                        vector feature = xa * from(x + (p.b + r) * BLOCK)[c];
                        if (p.b + r == p.a && p.a > 0) feature *= 0.5f;
                        at(to + r * BLOCK)[c] = feature;
                        at(to_ones + r * TAYLOR_LANES)[0] += feature * weight;
                    }
                }
                done += run;
                p = TAYLOR_NAME(after_run)(p, run, d);
            }
            const size_t whole = quartic_round_up(f, TAYLOR_ROWS);
            clear(features + f * BLOCK, (whole - f) * BLOCK);
            gather(step, whole, features, y, step, state.values + first * step);
        }
    }
    for (size_t f = 0; f < rows; ++f) {
        float sum = 0;
        for (uint32_t lane = 0; lane < TAYLOR_LANES; ++lane) sum += ones[f * TAYLOR_LANES + lane];
        state.ones[f] += sum;
    }
}

/* (sums, total) = sum_f f(x) state_f for a block of extended vectors x. */
KERNEL void TAYLOR_NAME(apply_block)(const quartic_taylor_problem *problem,
                                     const float *x, // (1 + d, BLOCK)
                                     taylor_state state,
                                     float *features, // (TAYLOR_FEATURE_BLOCK, BLOCK): scratch
                                     float *sums,     // (dv, BLOCK)
                                     float *total     // (BLOCK)
) {
    const size_t step = taylor_value_columns(problem);
    vector totals[2] = {{0}, {0}};
    pair p = {0, 0};
    clear(sums, step * BLOCK);
    for (size_t first = 0; first < problem->features; first += TAYLOR_FEATURE_BLOCK) {
        const size_t f = TAYLOR_NAME(block_of_features)(problem, first);
        for (size_t done = 0; done < f;) {
            const size_t run = TAYLOR_NAME(run_of)(p, problem->d, f - done);
            for (uint32_t c = 0; c < 2; ++c) {
                const vector xa = from(x + p.a * BLOCK)[c];
                for (size_t r = 0; r < run; ++r) {
                    const vector feature = xa * from(x + (p.b + r) * BLOCK)[c];
                    totals[c] += state.ones[first + done + r] * feature;
                    at(features + (done + r) * BLOCK)[c] = feature;
                }
            }
            done += run;
            p = TAYLOR_NAME(after_run)(p, run, problem->d);
        }
        spread(step, f, state.values + first * step, step, features, sums);
    }
    at(total)[0] = totals[0];
    at(total)[1] = totals[1];
}
#define apply_block TAYLOR_NAME(apply_block)

KERNEL void TAYLOR_NAME(apply)(const taylor_unit *unit, uint32_t begin, uint32_t end, taylor_state key_state,
                               float *scratch) {
    const quartic_taylor_problem *problem = unit->problem;
    float *x = scratch; // (1 + d, BLOCK)
    float *features =
        x + quartic_round_up(problem->d + 1, TAYLOR_ROWS) * BLOCK; // (TAYLOR_FEATURE_BLOCK, BLOCK)
    float *sums = features + TAYLOR_FEATURE_BLOCK * BLOCK;         // (dv, BLOCK)
    for (; begin < end; begin += BLOCK) {
        const size_t count = end - begin < BLOCK ? end - begin : BLOCK;
        float total[BLOCK] __attribute__((aligned(64)));
        pack_extended(unit, TAYLOR_QUERIES, begin, count, x);
        look_ahead(unit, unit->q, &problem->q, begin + BLOCK, problem->d);
        apply_block(problem, x, key_state, features, sums, total);
        finish(unit, begin, count, sums, total);
    }
}

/* dx = d/dx sum_f f(x) (state_f . (y, last)). */
KERNEL void TAYLOR_NAME(apply_grad_block)(const quartic_taylor_problem *problem,
                                          const float *x,    // (1 + d, BLOCK)
                                          const float *y,    // (dv, BLOCK)
                                          const float *last, // (BLOCK)
                                          taylor_state state,
                                          float *products, // (TAYLOR_FEATURE_BLOCK, BLOCK): scratch
                                          float *dx        // (1 + d, BLOCK)
) {
    const size_t step = taylor_value_columns(problem);
    pair p = {0, 0};
    clear(dx, (problem->d + 1) * BLOCK);
    for (size_t first = 0; first < problem->features; first += TAYLOR_FEATURE_BLOCK) {
        const size_t f = TAYLOR_NAME(block_of_features)(problem, first);
        product(TILE / 2, 2, false, quartic_round_up(f, TILE / 2), BLOCK, problem->dv,
                state.values + first * step, step, 1, y, BLOCK, products, BLOCK);
        for (size_t done = 0; done < f;) {
            const size_t run = TAYLOR_NAME(run_of)(p, problem->d, f - done);
            const float *own = products + done * BLOCK, *ones = state.ones + first + done;
            for (uint32_t c = 0; c < 2; ++c) {
                const vector xa = from(x + p.a * BLOCK)[c], weight = from(last)[c];
                vector sum = from(dx + p.a * BLOCK)[c];
                size_t r = 0;
                if (p.b == p.a) { /* x_a x_a has two factors to move */
                    const vector g = from(own)[c] + ones[0] * weight;
                    sum += 2 * g * xa;
                    r = 1;
                }
                for (; r < run; ++r) {
                    const vector g = from(own + r * BLOCK)[c] + ones[r] * weight;
                    sum += g * from(x + (p.b + r) * BLOCK)[c];
                    at(dx + (p.b + r) * BLOCK)[c] += g * xa;
                }
                at(dx + p.a * BLOCK)[c] = sum;
            }
            done += run;
            p = TAYLOR_NAME(after_run)(p, run, problem->d);
        }
    }
}

KERNEL void TAYLOR_NAME(apply_grad)(const taylor_unit *unit, taylor_side side, uint32_t begin, uint32_t end,
                                    taylor_state state, float *scratch) {
    const quartic_taylor_problem *problem = unit->problem;
    const size_t d = problem->d, dv = problem->dv, step = taylor_value_columns(problem);
    const size_t extended = quartic_round_up(d + 1, TAYLOR_ROWS);
    float *x = scratch;                                    // (1 + d, BLOCK)
    float *dx = x + extended * BLOCK;                      // (1 + d, BLOCK)
    float *y = dx + extended * BLOCK;                      // (BLOCK, step)
    float *y_columns = y + BLOCK * step;                   // (dv, BLOCK)
    float *last = y_columns + BLOCK * step;                // (BLOCK)
    float *features = last + BLOCK;                        // (TAYLOR_FEATURE_BLOCK, BLOCK)
    float *sums = features + TAYLOR_FEATURE_BLOCK * BLOCK; // (dv, BLOCK)
    for (; begin < end; begin += BLOCK) {
        const size_t count = end - begin < BLOCK ? end - begin : BLOCK;
        pack_extended(unit, side, begin, count, x);
        pack_terms(unit, side, begin, count, y, step, last);
        look_ahead_side(unit, side, begin + BLOCK);
        transpose(BLOCK, dv, y, (int64_t)step, y_columns, BLOCK);
        TAYLOR_NAME(apply_grad_block)(problem, x, y_columns, last, state, features, dx);
        float *to = // (count, d)
            (side == TAYLOR_KEYS ? unit->dk : unit->dq) + (int64_t)begin * problem->key.position;
        if (side == TAYLOR_KEYS) { /* a hidden key is no feature: its row of dk must not see the constant 1 */
            for (size_t a = 1; a <= d; ++a)
                for (uint32_t c = 0; c < 2; ++c) at(dx + a * BLOCK)[c] *= from(x)[c];
            float total[BLOCK] __attribute__((aligned(64)));
            apply_block(problem, x, state, features, sums, total);
            unpack_columns(sums, count, dv, unit->dv + (int64_t)begin * problem->value.position,
                           problem->value.position);
        }
        unpack_columns(dx + BLOCK, count, d, to, problem->key.position);
    }
}

static const taylor_kernels TAYLOR_NAME(kernels) = {
    .quadratic = TAYLOR_NAME(quadratic),
    .quadratic_grad = TAYLOR_NAME(quadratic_grad),
    .build = TAYLOR_NAME(build),
    .apply = TAYLOR_NAME(apply),
    .apply_grad = TAYLOR_NAME(apply_grad),
};

#undef vector
#undef TILE
#undef BLOCK
#undef INLINE
#undef KERNEL
#undef at
#undef from
#undef multiply
#undef product
#undef spread
#undef gather
#undef four
#undef transpose
#undef pack_row
#undef clear
#undef pack_rows
#undef pack_keys
#undef pack_cotangents
#undef unpack_columns
#undef finish
#undef pack_columns
#undef sight
#undef look
#undef hide
#undef pair
#undef pack_extended
#undef pack_terms
#undef apply_block
#undef look_ahead
#undef look_ahead_side
#undef TAYLOR_LANES
#undef TAYLOR_TARGET
#undef TAYLOR_NAME

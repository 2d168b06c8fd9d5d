/* elementwise.c (fast): tuned binary, unary, unary_grad and dropout.
 *
 * After merging axes an elementwise op is rows along the last axis, on which each operand has stride 1, 0
 * (one number for the whole row) or another. An operand that is dense along another axis than the last (a
 * permuted view) is turned in a buffer, some rows at a time. A kernel does one row; it is compiled for
 * several instruction sets and vectorised through shaders/lib/functions.h, whose errors stand there (exp, log
 * and tanh at most 1.3 ulp, sigmoid 2.4 ulp, the normal distribution of gelu 8e-8). The output may be an
 * operand's own memory: element i depends on element i only.
 */
#include "fast/parts.h"
#include "fast/transpose.h"
#include "ops/elementwise.h"
#include "shaders/lib/functions.h"

/* y[i] = f(a[i * a_step], b[i * b_step]) for i < count. */
typedef void (*row_kernel)(const quartic_unary_attrs *attrs,
                           const float *a, // (count), a_step apart
                           int64_t a_step,
                           const float *b, // (count), b_step apart
                           int64_t b_step,
                           float *y, // (count)
                           int64_t count);

/* The axis along which an operand is dense, if that is not the last; otherwise the last. */
static uint32_t elementwise_dense_axis(const quartic_layout *layout) {
    uint32_t last = layout->shape.rank - 1;
    if (layout->strides[last] == 0 || layout->strides[last] == 1) return last;
    for (uint32_t axis = 0; axis < last; ++axis)
        if (layout->strides[axis] == 1) return axis;
    return last;
}

/* Rows and columns of a block whose operands are turned: lines of the operand, and what fits the first-level
 * cache. */
enum { TURN_ROWS = 2 * QUARTIC_LINE, TURN_COLUMNS = 128 };

/* One operand of a block of rows x columns elements. */
typedef struct turned_operand {
    const float *data;   // (rows, columns) at these strides
    int64_t row, column; /* strides */
} turned_operand;

/* The operand itself, or if it is dense along the rows' axis a copy that is dense along the last. */
static turned_operand elementwise_turn(const float *x, // (rows, columns) at the layout's strides
                                       const quartic_layout *layout, int64_t rows, int64_t columns,
                                       float *buffer // (TURN_ROWS, TURN_COLUMNS)
) {
    const uint32_t last = layout->shape.rank - 1;
    const turned_operand whole = {x, layout->strides[last - 1], layout->strides[last]};
    if (whole.row != 1 || whole.column == 0 || whole.column == 1) return whole;
    quartic_transpose(x, whole.column, 2 * QUARTIC_LINE, buffer, TURN_COLUMNS, rows, columns);
    return (turned_operand){buffer, TURN_COLUMNS, 1};
}

/* Operands that are dense along `axis`, by blocks. */
static void elementwise_run_blocks(row_kernel kernel, const quartic_unary_attrs *attrs, uint32_t axis,
                                   quartic_layout y,
                                   const float *a_data, // as `a` says
                                   quartic_layout a,
                                   const float *b_data, // as `b` says
                                   quartic_layout b,
                                   float *result, // as `y` says
                                   uint32_t threads) {
    const uint32_t last = y.shape.rank - 1;
    quartic_swap_axes(&y, axis, last - 1);
    quartic_swap_axes(&a, axis, last - 1);
    quartic_swap_axes(&b, axis, last - 1);
    const int64_t rows = y.shape.dims[last - 1], columns = y.shape.dims[last];
    const uint64_t down = ((uint64_t)rows + TURN_ROWS - 1) / TURN_ROWS;
    const uint64_t along = ((uint64_t)columns + TURN_COLUMNS - 1) / TURN_COLUMNS;
    const uint64_t count = quartic_layout_elements(&y),
                   units = count / (uint64_t)(rows * columns) * down * along;
    const uint32_t parts = quartic_parts(count, threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t part = 0; part < parts; ++part) {
        float buffers[2][TURN_ROWS * TURN_COLUMNS];
        const uint64_t end = quartic_part_begin(units, parts, part + 1);
        for (uint64_t unit = quartic_part_begin(units, parts, part); unit < end; ++unit) {
            quartic_walk walk = {.layouts = {&a, &b, &y}, .count = 3, .rank = last - 1};
            quartic_walk_start(&walk, unit / down / along);
            const int64_t row = (int64_t)(unit % down) * TURN_ROWS;
            const int64_t column = (int64_t)(unit / down % along) * TURN_COLUMNS;
            const int64_t height = rows - row < TURN_ROWS ? rows - row : TURN_ROWS;
            const int64_t width = columns - column < TURN_COLUMNS ? columns - column : TURN_COLUMNS;
            const turned_operand x =
                elementwise_turn(a_data + walk.at[0] + row * a.strides[last - 1] + column * a.strides[last],
                                 &a, height, width, buffers[0]);
            const turned_operand z =
                elementwise_turn(b_data + walk.at[1] + row * b.strides[last - 1] + column * b.strides[last],
                                 &b, height, width, buffers[1]);
            float *out = result + walk.at[2] + row * y.strides[last - 1] + column;
            for (int64_t r = 0; r < height; ++r)
                kernel(attrs, x.data + r * x.row, x.column, z.data + r * z.row, z.column,
                       out + r * y.strides[last - 1], width);
        }
    }
}

/* y = f(a, b), both broadcast to y's shape. */
static void elementwise_run_rows(row_kernel kernel, const quartic_unary_attrs *attrs,
                                 const quartic_operand *a_operand, const quartic_operand *b_operand,
                                 const quartic_operand *out, uint32_t threads) {
    quartic_layout y = *out->layout;
    quartic_layout a = quartic_layout_broadcast(a_operand->layout, &y.shape);
    quartic_layout b = quartic_layout_broadcast(b_operand->layout, &y.shape);
    quartic_layouts_simplify((quartic_layout *const[]){&y, &a, &b}, 3);
    uint32_t last = y.shape.rank - 1, axis = elementwise_dense_axis(&a);
    if (axis == last) axis = elementwise_dense_axis(&b);
    if (axis != last) {
        elementwise_run_blocks(kernel, attrs, axis, y, a_operand->data, a, b_operand->data, b, out->data,
                               threads);
        return;
    }
    int64_t length = y.shape.dims[last];
    uint64_t count = quartic_layout_elements(&y), rows = count / (uint64_t)length;
    uint32_t parts = quartic_parts(count, threads);
    /* With fewer rows than threads every row is cut into pieces. */
    int64_t pieces = rows < parts ? (int64_t)parts : 1;
    uint64_t units = rows * (uint64_t)pieces;
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t part = 0; part < parts; ++part) {
        uint64_t unit = quartic_part_begin(units, parts, part),
                 end = quartic_part_begin(units, parts, part + 1);
        quartic_walk walk = {.layouts = {&a, &b}, .count = 2, .rank = last};
        quartic_walk_start(&walk, unit / (uint64_t)pieces);
        int64_t row = (int64_t)(unit / (uint64_t)pieces), piece = (int64_t)(unit % (uint64_t)pieces);
        for (; unit < end; ++unit) {
            int64_t begin = length * piece / pieces, width = length * (piece + 1) / pieces - begin;
            kernel(attrs, (const float *)a_operand->data + walk.at[0] + begin * a.strides[last],
                   a.strides[last], (const float *)b_operand->data + walk.at[1] + begin * b.strides[last],
                   b.strides[last], (float *)out->data + row * length + begin, width);
            if (++piece < pieces) continue;
            piece = 0;
            ++row;
            quartic_walk_next(&walk);
        }
    }
}

/* The loop of one form of a row: X and Z give the operands x and z of the expression. */
#define LOOP(X, Z, expression)                                                                               \
    for (int64_t i = 0; i < count; ++i) {                                                                    \
        const float x = (X), z = (Z);                                                                        \
        (void)x, (void)z;                                                                                    \
        y[i] = (expression);                                                                                 \
    }
#define SIMD_LOOP(X, Z, expression) _Pragma("omp simd") LOOP(X, Z, expression)
/* Shapes: row_kernel. */
#define KERNEL_HEAD(name)                                                                                    \
    QUARTIC_CLONES static void name(const quartic_unary_attrs *attrs, const float *a, int64_t a_step,        \
                                    const float *b, int64_t b_step, float *y, int64_t count)

/* Two operands: equal steps of 1, one of the two fixed, or any steps. */
#define KERNEL2(name, expression)                                                                            \
    KERNEL_HEAD(name) {                                                                                      \
        (void)attrs;                                                                                         \
        if (a_step == 1 && b_step == 1) {                                                                    \
            SIMD_LOOP(a[i], b[i], expression)                                                                \
        } else if (a_step == 1 && b_step == 0) {                                                             \
            const float fixed = b[0];                                                                        \
            SIMD_LOOP(a[i], fixed, expression)                                                               \
        } else if (a_step == 0 && b_step == 1) {                                                             \
            const float fixed = a[0];                                                                        \
            SIMD_LOOP(fixed, b[i], expression)                                                               \
        } else {                                                                                             \
            LOOP(a[i * a_step], b[i * b_step], expression)                                                   \
        }                                                                                                    \
    }

/* One operand, handed in twice. */
#define KERNEL1(name, expression)                                                                            \
    KERNEL_HEAD(name) {                                                                                      \
        (void)attrs, (void)b, (void)b_step;                                                                  \
        if (a_step == 1) {                                                                                   \
            SIMD_LOOP(a[i], 0, expression)                                                                   \
        } else {                                                                                             \
            LOOP(a[i * a_step], 0, expression)                                                               \
        }                                                                                                    \
    }

/* ---- binary ---- */

KERNEL2(add_row, x + z)
KERNEL2(subtract_row, x - z)
KERNEL2(multiply_row, x *z)
KERNEL2(divide_row, x / z)

static void binary_run(const quartic_op_run *run) {
    static const row_kernel kernels[] = {[QUARTIC_BINARY_add] = add_row,
                                         [QUARTIC_BINARY_subtract] = subtract_row,
                                         [QUARTIC_BINARY_multiply] = multiply_row,
                                         [QUARTIC_BINARY_divide] = divide_row};
    const quartic_binary_attrs *attrs = run->attrs;
    elementwise_run_rows(kernels[attrs->function], NULL, &run->inputs[0], &run->inputs[1], &run->outputs[0],
                         run->threads);
}

const quartic_fast_kernel quartic_fast_binary = {.op = &quartic_op_binary, .run = binary_run};

/* ---- unary ---- */

KERNEL1(negate_row, -x)
KERNEL1(exp_row, approx_exp(x))
KERNEL1(log_row, approx_log(x))
KERNEL1(sqrt_row, sqrtf(x))
KERNEL1(square_row, x *x)
KERNEL1(relu_row, x <= 0.0f ? 0.0f : x) /* a NaN stays one */
KERNEL1(sigmoid_row, approx_sigmoid(x))
KERNEL1(tanh_row, approx_tanh(x))
KERNEL1(silu_row, x *approx_sigmoid(x))
KERNEL1(gelu_row, x *approx_normal_cdf(x, approx_normal_bell(x)))
KERNEL1(scale_row, x * attrs->factor + attrs->offset)

static void unary_run(const quartic_op_run *run) {
    static const row_kernel kernels[] = {
#define ROW(name) [QUARTIC_UNARY_##name] = name##_row,
        QUARTIC_UNARY_LIST(ROW) ROW(scale)
#undef ROW
    };
    const quartic_unary_attrs *attrs = run->attrs;
    elementwise_run_rows(kernels[attrs->function], attrs, &run->inputs[0], &run->inputs[0], &run->outputs[0],
                         run->threads);
}

const quartic_fast_kernel quartic_fast_unary = {.op = &quartic_op_unary, .run = unary_run};

/* ---- unary_grad: x is the gradient g, z is f(x) or x as src/ops/unary.c says ---- */

QUARTIC_INLINE float silu_slope(float s) {
    float y = approx_sigmoid(s);
    return y * (1.0f + s * (1.0f - y));
}

QUARTIC_INLINE float gelu_slope(float s) {
    float bell = approx_normal_bell(s);
    return approx_normal_cdf(s, bell) + s * (bell * 0.39894228f);
}

KERNEL2(log_grad_row, x / z)
KERNEL2(sqrt_grad_row, 0.5f * x / z)
KERNEL2(square_grad_row, 2.0f * x * z)
KERNEL2(relu_grad_row, z <= 0.0f ? 0.0f : x)
KERNEL2(sigmoid_grad_row, x *z *(1.0f - z))
KERNEL2(tanh_grad_row, x *(1.0f - z * z))
KERNEL2(silu_grad_row, x *silu_slope(z))
KERNEL2(gelu_grad_row, x *gelu_slope(z))

static void unary_grad_run(const quartic_op_run *run) {
    static const row_kernel kernels[QUARTIC_UNARY_COUNT] = {
        [QUARTIC_UNARY_exp] = multiply_row,   [QUARTIC_UNARY_log] = log_grad_row,
        [QUARTIC_UNARY_sqrt] = sqrt_grad_row, [QUARTIC_UNARY_square] = square_grad_row,
        [QUARTIC_UNARY_relu] = relu_grad_row, [QUARTIC_UNARY_sigmoid] = sigmoid_grad_row,
        [QUARTIC_UNARY_tanh] = tanh_grad_row, [QUARTIC_UNARY_silu] = silu_grad_row,
        [QUARTIC_UNARY_gelu] = gelu_grad_row};
    const quartic_unary_attrs *attrs = run->attrs;
    elementwise_run_rows(kernels[attrs->function], attrs, &run->inputs[0], &run->inputs[1], &run->outputs[0],
                         run->threads);
}

const quartic_fast_kernel quartic_fast_unary_grad = {.op = &quartic_op_unary_grad, .run = unary_grad_run};

/* ---- dropout ---- */

enum { PHILOX_BLOCKS = 16 };

/* Words of Philox blocks first .. first + 15 of a stream, as quartic_philox makes them: words[k][j] is word k
 * of block first + j. */
QUARTIC_INLINE void philox_blocks(uint64_t seed, uint32_t stream, uint32_t first,
                                  uint32_t words[4][PHILOX_BLOCKS]) {
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (uint32_t j = 0; j < PHILOX_BLOCKS; ++j) {
        words[0][j] = first + j;
        words[1][j] = 0;
        words[2][j] = stream;
        words[3][j] = 0;
    }
    for (int round = 0; round < 10; ++round) {
#pragma omp simd
        for (uint32_t j = 0; j < PHILOX_BLOCKS; ++j) {
            uint64_t product0 = (uint64_t)0xD2511F53u * words[0][j];
            uint64_t product1 = (uint64_t)0xCD9E8D57u * words[2][j];
            words[0][j] = (uint32_t)(product1 >> 32) ^ words[1][j] ^ k0;
            words[1][j] = (uint32_t)product1;
            words[2][j] = (uint32_t)(product0 >> 32) ^ words[3][j] ^ k1;
            words[3][j] = (uint32_t)product0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

QUARTIC_INLINE float dropped(uint32_t word, float probability, float x) {
    return (float)(int32_t)(word >> 8) * 0x1p-24f < probability ? 0.0f : x;
}

/* Elements 4 * first .. 4 * first + count - 1, with count at most 4 * PHILOX_BLOCKS. */
QUARTIC_CLONES static void dropout_blocks(const quartic_dropout_attrs *attrs, uint64_t seed, uint32_t first,
                                          const float *x, // (count)
                                          float *y,       // (count)
                                          int64_t count) {
    uint32_t words[4][PHILOX_BLOCKS];
    philox_blocks(seed, attrs->stream, first, words);
    const float probability = attrs->probability, factor = quartic_dropout_factor(attrs);
    if (count < 4 * PHILOX_BLOCKS) {
        for (int64_t i = 0; i < count; ++i) y[i] = dropped(words[i % 4][i / 4], probability, x[i]) * factor;
        return;
    }
#pragma omp simd
    for (int64_t j = 0; j < PHILOX_BLOCKS; ++j) {
        y[4 * j] = dropped(words[0][j], probability, x[4 * j]) * factor;
        y[4 * j + 1] = dropped(words[1][j], probability, x[4 * j + 1]) * factor;
        y[4 * j + 2] = dropped(words[2][j], probability, x[4 * j + 2]) * factor;
        y[4 * j + 3] = dropped(words[3][j], probability, x[4 * j + 3]) * factor;
    }
}

static void dropout_run(const quartic_op_run *run) {
    enum { UNIT = 4 * PHILOX_BLOCKS };
    const int32_t *seed_words = run->inputs[1].data; // (2)
    uint64_t seed = (uint32_t)seed_words[0] | (uint64_t)(uint32_t)seed_words[1] << 32;
    const float *x = run->inputs[0].data; // (count)
    float *y = run->outputs[0].data;      // (count)
    uint64_t count = quartic_layout_elements(run->outputs[0].layout), units = (count + UNIT - 1) / UNIT;
    uint32_t parts = quartic_parts(count, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t part = 0; part < parts; ++part) {
        uint64_t end = quartic_part_begin(units, parts, part + 1);
        for (uint64_t unit = quartic_part_begin(units, parts, part); unit < end; ++unit) {
            uint64_t begin = unit * UNIT, width = count - begin < UNIT ? count - begin : UNIT;
            dropout_blocks(run->attrs, seed, (uint32_t)(unit * PHILOX_BLOCKS), x + begin, y + begin,
                           (int64_t)width);
        }
    }
}

const quartic_fast_kernel quartic_fast_dropout = {.op = &quartic_op_dropout, .run = dropout_run};

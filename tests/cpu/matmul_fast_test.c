/* matmul_fast_test.c: the tuned matmul against sums in double: every instruction set of this machine, every
 * path, and the same bits for every number of threads where that is promised.
 */
#include "expect.h"

#include <math.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "fast/fast.h"
#include "fast/matmul_kernel.h"
#include "ops/matmul/problem.h"

static const float poison = -7.5e30f;

static float *matmul_fast_random_floats(uint64_t count, uint32_t stream) {
    float *numbers = quartic_alloc(count, sizeof *numbers);
    for (uint64_t i = 0; i < count; ++i) numbers[i] = quartic_random_normal(7, stream, i);
    return numbers;
}

/* |got - want| within rounding of a sum whose terms' magnitudes add up to `magnitude`. */
static void matmul_fast_expect_close(const char *what, float got, double want, double magnitude, int64_t k) {
    double bound = (4.0 + sqrt((double)k)) * 6e-8 * (magnitude + fabs(want));
    if (!(fabs(got - want) <= bound))
        fail_msg("%s: got %.9g, want %.9g, bound %.3g", what, (double)got, want, bound);
}

/* ---- kernels ---- */

/* All row and column counts around the kernels' sizes, with a border that nobody may write. */
static void check_tile(const quartic_matmul_kernels *kernels) {
    enum { MOST_ROWS = 27, K = 19, PITCH = 40 };
    float *a = matmul_fast_random_floats(MOST_ROWS * K, 1), *b = matmul_fast_random_floats(K * PITCH, 2),
          *bias = matmul_fast_random_floats(PITCH, 3);
    float *add = matmul_fast_random_floats((MOST_ROWS + 1) * PITCH, 4),
          *c = quartic_alloc((MOST_ROWS + 1) * PITCH, sizeof *c);
    for (int64_t rows = 1; rows <= MOST_ROWS; ++rows)
        for (int64_t columns = 1; columns <= kernels->width; ++columns)
            for (uint32_t form = 0; form < 4; ++form) {
                bool by_columns = form & 1, ends = form & 2; /* a stored by columns; bias and addend */
                for (int64_t i = 0; i < (MOST_ROWS + 1) * PITCH; ++i) c[i] = poison;
                const quartic_matmul_tile tile = {.rows = rows,
                                                  .columns = columns,
                                                  .k = K,
                                                  .a = a,
                                                  .a_row = by_columns ? 1 : K,
                                                  .a_k = by_columns ? MOST_ROWS : 1,
                                                  .b = b,
                                                  .b_k = PITCH,
                                                  .alpha = 0.75f,
                                                  .bias = ends ? bias : NULL,
                                                  .add = ends ? add : NULL,
                                                  .c = c,
                                                  .result_row = PITCH};
                kernels->tile(&tile);
                for (int64_t i = 0; i <= MOST_ROWS; ++i)
                    for (int64_t j = 0; j < PITCH; ++j) {
                        if (i >= rows || j >= columns) {
                            if (c[i * PITCH + j] != poison)
                                fail_msg("%s wrote (%d, %d) of %d x %d", kernels->name, (int)i, (int)j,
                                         (int)rows, (int)columns);
                            continue;
                        }
                        double sum = 0, magnitude = 0;
                        for (int64_t k = 0; k < K; ++k) {
                            double term = (double)a[i * tile.a_row + k * tile.a_k] * b[k * PITCH + j];
                            sum += term;
                            magnitude += fabs(term);
                        }
                        double more = ends ? (double)bias[j] + add[i * PITCH + j] : 0.0;
                        matmul_fast_expect_close(kernels->name, c[i * PITCH + j], 0.75 * sum + more,
                                                 magnitude + fabs(more), K);
                    }
            }
    quartic_free(a);
    quartic_free(b);
    quartic_free(bias);
    quartic_free(add);
    quartic_free(c);
}

static void check_dot(const quartic_matmul_kernels *kernels) {
    enum { TILE = QUARTIC_MATMUL_DOT_TILE, PITCH = 131 };
    static const int64_t lengths[] = {1, 3, 8, 15, 16, 17, 64, 127, 129};
    float *a = matmul_fast_random_floats(TILE * PITCH, 1), *b = matmul_fast_random_floats(TILE * PITCH, 2);
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; ++l)
        for (int64_t rows = 1; rows <= TILE; ++rows)
            for (int64_t columns = 1; columns <= TILE; ++columns) {
                float out[TILE * TILE];
                for (int i = 0; i < TILE * TILE; ++i) out[i] = poison;
                kernels->dot(rows, columns, lengths[l], a, PITCH, b, PITCH, out);
                for (int64_t i = 0; i < TILE; ++i)
                    for (int64_t j = 0; j < TILE; ++j) {
                        if (i >= rows || j >= columns) {
                            assert_true(out[i * TILE + j] == poison);
                            continue;
                        }
                        double sum = 0, magnitude = 0;
                        for (int64_t k = 0; k < lengths[l]; ++k) {
                            sum += (double)a[i * PITCH + k] * b[j * PITCH + k];
                            magnitude += fabs((double)a[i * PITCH + k] * b[j * PITCH + k]);
                        }
                        matmul_fast_expect_close(kernels->name, out[i * TILE + j], sum, magnitude,
                                                 lengths[l]);
                    }
            }
    quartic_free(a);
    quartic_free(b);
}

static void every_instruction_set_sums_right(void **state) {
    (void)state;
    uint32_t sets = 0;
    for (uint32_t in_double = 0; in_double < 2; ++in_double)
        for (uint32_t s = 0; quartic_matmul_kernels_at(s, in_double) != NULL; ++s, ++sets) {
            const quartic_matmul_kernels *kernels = quartic_matmul_kernels_at(s, in_double);
            assert_true(kernels->width <= 40 && kernels->height <= 26);
            check_tile(kernels);
            check_dot(kernels);
        }
    assert_true(sets >= 2);
}

/* ---- the row ---- */

typedef struct product {
    const char *label;
    quartic_shape a, b;
    uint32_t transpose_a, transpose_b, summed;
    uint32_t with;    /* 1 bias, 2 addend, 4 strided, 8 in place; A_BY_CHANNELS, B_BY_CHANNELS */
    bool any_threads; /* the bits must not depend on their number */
} product;

/* The last batch axis of the operand is its dense one, with a gap behind it if it is strided, too. */
enum { A_BY_CHANNELS = 16, B_BY_CHANNELS = 32, BY_CHANNELS = A_BY_CHANNELS | B_BY_CHANNELS };

/* (.., channels, m, k) as a view of (.., m, k, channels + gap). */
static void put_channels_last(quartic_layout *layout, uint32_t gap) {
    const uint32_t rank = layout->shape.rank;
    int64_t stride = layout->shape.dims[rank - 3] + gap;
    layout->strides[rank - 3] = 1;
    for (uint32_t axis = rank; axis-- > 0;) {
        if (axis == rank - 3) continue;
        layout->strides[axis] = stride;
        stride *= layout->shape.dims[axis];
    }
}

static void check_product(const product *c) {
    const quartic_matmul_attrs attrs = {c->transpose_a, c->transpose_b, -0.5f, c->summed};
    quartic_layout inputs[4] = {quartic_layout_contiguous(QUARTIC_FLOAT32, &c->a),
                                quartic_layout_contiguous(QUARTIC_FLOAT32, &c->b)},
                   output;
    for (uint32_t i = 0; i < 2; ++i)
        if (c->with & (i == 0 ? A_BY_CHANNELS : B_BY_CHANNELS))
            put_channels_last(&inputs[i], c->with & 4 ? 3 : 0);
        else
            for (uint32_t axis = 0; axis < inputs[i].shape.rank && (c->with & 4); ++axis)
                inputs[i].strides[axis] *= 3;
    quartic_op_call call = {&attrs, 2, 0, inputs, NULL};
    uint32_t count;
    assert_int_equal(quartic_op_matmul.infer(&call, &output, &count), QUARTIC_OK);
    const quartic_shape bias = {1, {output.shape.dims[output.shape.rank - 1]}};
    if (c->with & 1) inputs[2] = quartic_layout_contiguous(QUARTIC_FLOAT32, &bias);
    if (c->with & 2) inputs[3] = output;
    call.input_count = 4;
    uint64_t results = quartic_layout_elements(&output);
    quartic_op_run run = {.attrs = &attrs, .input_count = 4, .output_count = 1};
    float *data[4] = {NULL};
    for (uint32_t i = 0; i < 4; ++i) {
        if (!quartic_is_present(&inputs[i])) continue;
        int64_t begin, end;
        quartic_layout_extent(&inputs[i], &begin, &end);
        data[i] = matmul_fast_random_floats((uint64_t)end, i);
        run.inputs[i] = (quartic_operand){data[i], &inputs[i], false, NULL};
    }
    float *want = quartic_alloc(results, sizeof *want), *first = quartic_alloc(results, sizeof *first);
    float *got = quartic_alloc(results, sizeof *got);
    run.outputs[0] = (quartic_operand){want, &output, false, NULL};
    quartic_op_matmul.cpu(&run);
    double length = quartic_op_matmul.reduction(&call), largest = 0;
    for (uint64_t i = 0; i < results; ++i) largest = fmax(largest, fabs(want[i]));
    assert_true(largest > (results < 16 ? 0.0 : 0.1));
    for (uint32_t threads = 1; threads <= 3; ++threads) {
        const quartic_fast_kernel *row = quartic_fast_find(&quartic_op_matmul, &call);
        assert_non_null(row);
        size_t bytes = row->scratch(&call, threads);
        unsigned char *scratch = quartic_alloc(bytes + 64, 1);
        memset(scratch, 0xa5, bytes + 64); /* NaN-like garbage; the last bytes are a border */
        for (uint64_t i = 0; i < results; ++i) got[i] = c->with & 8 ? data[3][i] : poison;
        run.threads = threads;
        run.scratch = scratch;
        run.outputs[0].data = got;
        if (c->with & 8) run.inputs[3].data = got;
        row->run(&run);
        for (size_t i = 0; i < 64; ++i) assert_int_equal(scratch[bytes + i], 0xa5);
        quartic_free(scratch);
        double bound = quartic_op_matmul.tolerance * 1.2e-7 * sqrt(length) * fmax(largest, 1.0);
        for (uint64_t i = 0; i < results; ++i)
            if (!(fabs((double)got[i] - want[i]) <= bound))
                fail_msg("%s, %u threads, element %llu: got %.9g, want %.9g", c->label, threads,
                         (unsigned long long)i, (double)got[i], (double)want[i]);
        if (threads == 1)
            memcpy(first, got, results * sizeof *got);
        else if (c->any_threads && memcmp(first, got, results * sizeof *got) != 0)
            fail_msg("%s: the bits differ between 1 and %u threads", c->label, threads);
    }
    for (uint32_t i = 0; i < 4; ++i) quartic_free(data[i]);
    quartic_free(want);
    quartic_free(first);
    quartic_free(got);
}

static void every_path_matches_the_reference(void **state) {
    (void)state;
    /* Most have more than a million operations, so that sums are in float. */
    static const product products[] = {
        {"edges to many channels", {2, {1500, 32}}, {2, {130, 32}}, 0, 1, 0, 1, true},
        {"edges to few channels", {2, {5000, 32}}, {2, {8, 32}}, 0, 1, 0, 3, true},
        {"edges back", {2, {1500, 130}}, {2, {130, 32}}, 0, 0, 0, 0, true},
        {"weights of edges", {2, {4100, 65}}, {2, {4100, 33}}, 1, 0, 0, 3, true},
        {"weights of two batches", {3, {2, 3000, 40}}, {3, {2, 3000, 24}}, 1, 0, 1, 2, true},
        {"weights of batches that do not merge",
         {4, {3, 2, 300, 40}},
         {4, {3, 1, 300, 24}},
         1,
         0,
         3,
         0,
         true},
        {"heads that talk", {2, {8, 8}}, {3, {2, 8, 9001}}, 0, 0, 0, 0, true},
        {"weights of heads", {3, {2, 8, 9001}}, {3, {2, 7, 9001}}, 0, 1, 1, 1, true},
        {"edges out of heads", {3, {2, 8, 4001}}, {2, {31, 8}}, 1, 1, 0, 10, true},
        {"streams mixed", {3, {600, 4, 5}}, {3, {600, 4, 65}}, 1, 0, 0, 2, true},
        {"weights of streams", {3, {400, 4, 515}}, {3, {400, 5, 515}}, 0, 1, 0, 0, true},
        {"tiny products", {3, {700, 3, 4}}, {3, {700, 4, 5}}, 0, 0, 0, 3, true},
        {"row times matrix", {2, {1, 900}}, {2, {900, 701}}, 0, 0, 0, 1, true},
        {"row times rows", {2, {1, 900}}, {2, {701, 900}}, 0, 1, 0, 1, true},
        {"matrix times column", {2, {3001, 300}}, {2, {300, 1}}, 0, 0, 0, 0, true},
        {"few dense rows", {2, {5, 70001}}, {2, {3, 70001}}, 0, 1, 0, 3, true},
        {"wide rows of b", {2, {61, 300}}, {2, {300, 517}}, 0, 0, 0, 0, true},
        {"strided operands", {2, {131, 127}}, {2, {127, 129}}, 0, 0, 0, 7, true},
        {"strided transposed operands", {3, {2, 127, 131}}, {3, {2, 129, 127}}, 1, 1, 0, 4, true},
        {"large", {2, {161, 150}}, {2, {150, 203}}, 0, 0, 0, 0, true},
        {"large with bias", {2, {161, 150}}, {2, {203, 150}}, 0, 1, 0, 1, true},
        {"large with addend", {2, {150, 161}}, {2, {150, 203}}, 1, 0, 0, 2, true},
        {"large in place with bias", {2, {150, 161}}, {2, {203, 150}}, 1, 1, 0, 11, true},
        {"large batches contracted", {4, {3, 2, 101, 99}}, {4, {3, 1, 101, 97}}, 1, 0, 3, 3, true},
        {"large batches contracted, no bias", {4, {3, 2, 101, 99}}, {4, {3, 1, 101, 97}}, 1, 0, 3, 0, true},
        {"more columns than a pack", {2, {40, 300}}, {2, {300, 1030}}, 0, 0, 0, 3, true},
        {"more columns than a pack, all turned", {2, {300, 207}}, {2, {1030, 300}}, 1, 1, 0, 3, true},
        {"rows turned and strided", {2, {520, 131}}, {2, {520, 611}}, 1, 0, 0, 5, true},
        {"weights of long batches", {3, {2, 1300, 70}}, {3, {2, 1300, 90}}, 1, 0, 1, 3, true},
    };
    for (size_t i = 0; i < sizeof products / sizeof products[0]; ++i) check_product(&products[i]);
}

/* Every mixture of extents around the sizes of lines, panels and vectors, in every orientation. */
static void matrices_side_by_side_match_the_reference(void **state) {
    (void)state;
    static const uint32_t channels[] = {1, 3, 4, 15, 16, 17, 32, 130}, extents[] = {1, 2, 3, 12, 17, 33, 64};
    enum { CHANNELS = sizeof channels / sizeof channels[0], EXTENTS = sizeof extents / sizeof extents[0] };
    char label[120];
    uint32_t form = 0;
    for (uint32_t c = 0; c < CHANNELS; ++c)
        for (uint32_t e = 0; e < EXTENTS * EXTENTS; ++e, ++form) {
            const uint32_t m = extents[e % EXTENTS], n = extents[e / EXTENTS];
            const uint32_t k = extents[form * 5 % EXTENTS];
            const uint32_t ta = form & 1, tb = form >> 1 & 1;
            const uint32_t operands = form % 3 == 0   ? BY_CHANNELS
                                      : form % 3 == 1 ? A_BY_CHANNELS
                                                      : B_BY_CHANNELS;
            product p = {.label = label, .transpose_a = ta, .transpose_b = tb, .any_threads = true};
            p.a = ta ? QUARTIC_SHAPE(channels[c], k, m) : QUARTIC_SHAPE(channels[c], m, k);
            p.b = tb ? QUARTIC_SHAPE(channels[c], n, k) : QUARTIC_SHAPE(channels[c], k, n);
            p.with = operands | (form * 7 >> 2 & 7);
            snprintf(label, sizeof label, "%u channels of %u x %u x %u, form %u", channels[c], m, k, n, form);
            check_product(&p);
        }
    static const product products[] = {
        {"triangles, through", {4, {1, 32, 129, 129}}, {4, {1, 32, 129, 129}}, 0, 0, 0, BY_CHANNELS, true},
        {"triangles, outgoing", {4, {2, 17, 33, 33}}, {4, {2, 17, 33, 33}}, 0, 1, 0, BY_CHANNELS, true},
        {"triangles, incoming", {4, {3, 15, 65, 65}}, {4, {3, 15, 65, 65}}, 1, 0, 0, BY_CHANNELS | 1, true},
        {"gradients", {4, {2, 18, 64, 64}}, {4, {2, 18, 64, 64}}, 1, 1, 0, BY_CHANNELS | 2, true},
        {"in place", {4, {2, 16, 50, 70}}, {4, {2, 16, 70, 61}}, 0, 0, 0, BY_CHANNELS | 11, true},
        {"more rows and columns than a block",
         {3, {4, 1030, 5}},
         {3, {4, 5, 517}},
         0,
         0,
         0,
         BY_CHANNELS | 2,
         true},
        {"more k than a step", {3, {5, 7, 1500}}, {3, {5, 1500, 9}}, 0, 0, 0, BY_CHANNELS | 3, true},
        {"steps of blocks", {3, {4, 520, 100}}, {3, {4, 515, 100}}, 0, 1, 0, BY_CHANNELS | 3, true},
        {"one matrix for all channels", {3, {1, 40, 50}}, {3, {33, 50, 60}}, 0, 0, 0, B_BY_CHANNELS, true},
        {"one matrix for all batches",
         {4, {3, 20, 40, 50}},
         {4, {1, 20, 50, 33}},
         0,
         0,
         0,
         BY_CHANNELS,
         true},
        {"batches contracted by channels",
         {4, {3, 20, 40, 50}},
         {4, {3, 20, 50, 33}},
         0,
         0,
         1,
         BY_CHANNELS | 3,
         true},
        {"batches of one operand contracted",
         {4, {3, 20, 40, 50}},
         {4, {1, 20, 33, 50}},
         0,
         1,
         1,
         BY_CHANNELS,
         true},
    };
    for (size_t i = 0; i < sizeof products / sizeof products[0]; ++i) check_product(&products[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_instruction_set_sums_right),
                                       cmocka_unit_test(every_path_matches_the_reference),
                                       cmocka_unit_test(matrices_side_by_side_match_the_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

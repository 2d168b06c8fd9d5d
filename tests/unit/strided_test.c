/* strided_test.c: divisions as multiplications are exact, and quads are only where four elements are one aligned
 * access. */
#include "expect.h"

#include "ops/strided.h"

/* As lib/strided.glsl does. */
static uint32_t strided_divide(uint32_t n, const uint32_t *divide, uint32_t axis) {
    const uint32_t shift = divide[QUARTIC_MAX_RANK - 1] >> 5 * (axis - 1) & 31;
    return (uint32_t)((uint64_t)(2 * n) * divide[axis - 1] >> 32) >> shift;
}

static void expect_exact(uint32_t extent) {
    const quartic_shape shape = {.rank = 3, .dims = {2, extent, 7}};
    uint32_t divide[QUARTIC_MAX_RANK];
    quartic_strided_divide(&shape, divide);
    /* The quotient changes at the multiples of the extent: the first ones, some between, and the last ones. */
    const uint32_t most = 0x7fffffff, multiples = most / extent;
    for (uint32_t k = 0; k <= 400; ++k) {
        const uint32_t m = k < 100   ? k
                           : k < 300 ? (uint32_t)((uint64_t)multiples * (k - 100) / 200)
                                     : multiples - (k - 300);
        for (int64_t d = -1; d <= 1; ++d) {
            const int64_t n = (int64_t)(uint32_t)(m * extent) + d;
            if (m > multiples || n < 0 || n > most) continue;
            assert_int_equal(strided_divide((uint32_t)n, divide, 1), (uint32_t)n / extent);
            assert_int_equal(strided_divide((uint32_t)n, divide, 2), (uint32_t)n / 7);
        }
    }
    assert_int_equal(strided_divide(most, divide, 1), most / extent);
}

static void divisions_are_exact(void **state) {
    (void)state;
    for (uint32_t extent = 1; extent < 3000; ++extent) expect_exact(extent);
    for (uint32_t bit = 2; bit < 31; ++bit)
        for (int32_t d = -3; d <= 3; ++d) expect_exact((uint32_t)((1 << bit) + d));
    expect_exact(0x7fffffff);
    expect_exact(1000003);
}

static void all_axes_have_their_own(void **state) {
    (void)state;
    const quartic_shape shape = {.rank = 6, .dims = {2, 3, 5, 64, 9, 31}};
    uint32_t divide[QUARTIC_MAX_RANK];
    quartic_strided_divide(&shape, divide);
    for (uint32_t axis = 1; axis < 6; ++axis)
        for (uint32_t n = 0; n < 5000; ++n)
            assert_int_equal(strided_divide(n, divide, axis), n / shape.dims[axis]);
}

static quartic_strided_quad quads_of(uint32_t columns, int64_t row, int64_t column, int64_t offset) {
    quartic_layout layout = {.dtype = QUARTIC_FLOAT32, .offset = offset};
    layout.shape = (quartic_shape){.rank = 2, .dims = {3, columns}};
    layout.strides[0] = row, layout.strides[1] = column;
    return quartic_strided_quads(&layout);
}

static void quads_are_aligned(void **state) {
    (void)state;
    assert_int_equal(quads_of(8, 8, 1, 0), QUARTIC_QUAD_ONE);
    assert_int_equal(quads_of(8, 12, 1, 4), QUARTIC_QUAD_ONE);
    assert_int_equal(quads_of(8, 0, 1, 0), QUARTIC_QUAD_ONE); /* one row for all */
    assert_int_equal(quads_of(8, 3, 0, 1), QUARTIC_QUAD_SAME);
    assert_int_equal(quads_of(8, 8, 1, 2), QUARTIC_QUAD_NONE);
    assert_int_equal(quads_of(8, 9, 1, 0), QUARTIC_QUAD_NONE);
    assert_int_equal(quads_of(8, 8, 2, 0), QUARTIC_QUAD_NONE);
    assert_int_equal(quads_of(8, 8, -1, 0), QUARTIC_QUAD_NONE);
    assert_int_equal(quads_of(6, 8, 1, 0), QUARTIC_QUAD_NONE); /* a quad would cross rows */
    assert_int_equal(quads_of(6, 8, 0, 0), QUARTIC_QUAD_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(divisions_are_exact),
        cmocka_unit_test(all_axes_have_their_own),
        cmocka_unit_test(quads_are_aligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

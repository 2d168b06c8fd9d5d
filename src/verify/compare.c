/* compare.c: comparison of results with one bound. See compare.h. */
#include "verify/compare.h"

#include <math.h>
#include <stdio.h>

#include "tensor/layout.h"

/* Sums of a comparison in progress. */
typedef struct comparison_sums {
    double error_squares, want_squares;
    uint64_t zeros;
} comparison_sums;

static void compare_element(quartic_comparison *out, comparison_sums *sums, uint64_t index, double got,
                            double want) {
    double error = isfinite(got) && isfinite(want) ? fabs(got - want) : INFINITY;
    if (error > out->error) {
        out->worst = index;
        out->got = got;
        out->want = want;
        out->error = error;
    }
    if (fabs(want) > out->largest) out->largest = fabs(want);
    if (want == 0.0) ++sums->zeros;
    sums->error_squares += error * error;
    sums->want_squares += want * want;
}

static void finish_comparison(quartic_comparison *out, const comparison_sums *sums) {
    if (out->elements == 0)
        out->error = 0.0;
    else
        out->zeros = (double)sums->zeros / (double)out->elements;
    out->nmse = sums->error_squares == 0.0 ? 0.0 : sums->error_squares / sums->want_squares;
}

void quartic_compare(const float *got, const float *want, uint64_t count, double bound,
                     quartic_comparison *out) {
    *out = (quartic_comparison){.elements = count, .bound = bound, .error = -1.0};
    comparison_sums sums = {0};
    for (uint64_t i = 0; i < count; ++i) compare_element(out, &sums, i, (double)got[i], (double)want[i]);
    finish_comparison(out, &sums);
}

void quartic_compare_int(const int32_t *got, const int32_t *want, uint64_t count, quartic_comparison *out) {
    *out = (quartic_comparison){.elements = count, .error = -1.0};
    comparison_sums sums = {0};
    for (uint64_t i = 0; i < count; ++i) compare_element(out, &sums, i, (double)got[i], (double)want[i]);
    finish_comparison(out, &sums);
}

double quartic_largest(const float *numbers, uint64_t count) {
    double largest = 0.0;
    for (uint64_t i = 0; i < count; ++i) {
        double size = isfinite(numbers[i]) ? fabs((double)numbers[i]) : INFINITY;
        if (size > largest) largest = size;
    }
    return largest;
}

double quartic_error_scale(double largest_want, double largest_operand) {
    /* A result that is smaller than the operands by this factor is nothing but rounding. */
    static const double vanishing = 1e-12;
    return largest_want > vanishing * largest_operand ? largest_want : largest_operand;
}

double quartic_output_bound(double largest_want) {
    return 2e-5 * fmax(1.0, largest_want);
}

double quartic_gradient_bound(double largest_want) {
    return 1e-4 * largest_want + 1e-6;
}

const char *quartic_comparison_text(const quartic_comparison *comparison, const quartic_shape *shape,
                                    char *buffer) {
    quartic_shape index = {.rank = shape->rank};
    uint64_t rest = comparison->worst;
    for (uint32_t a = shape->rank; a-- > 0;) {
        index.dims[a] = (uint32_t)(rest % shape->dims[a]);
        rest /= shape->dims[a];
    }
    char text[QUARTIC_SHAPE_TEXT];
    snprintf(buffer, QUARTIC_COMPARISON_TEXT,
             "element %s: got %.9g, want %.9g, error %.3g, bound %.3g, normalised mean square error %.1g",
             quartic_shape_text(&index, text), comparison->got, comparison->want, comparison->error,
             comparison->bound, comparison->nmse);
    return buffer;
}

/* place_test.c: blocks of a workspace lie where first fit puts them, and placing many takes about n log n. */
#include "expect.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "base/work.h"
#include "plan/place.h"

enum { MOST = 20000 };
static quartic_block blocks[MOST];

/* The lowest offset that overlaps no earlier block living at the same time, by trying the ends of all of
 * them. */
static uint64_t first_fit(const quartic_block *placed, uint32_t count, const quartic_block *block) {
    uint64_t best = UINT64_MAX;
    for (uint32_t k = 0; k <= count; ++k) {
        const uint64_t unit = QUARTIC_PLACE_ALIGNMENT;
        const uint64_t at = k == count ? 0 : (placed[k].offset + placed[k].bytes + unit - 1) / unit * unit;
        bool free = at < best;
        for (uint32_t m = 0; m < count && free; ++m)
            free = placed[m].last < block->first || placed[m].first > block->last ||
                   at + block->bytes <= placed[m].offset || placed[m].offset + placed[m].bytes <= at;
        if (free) best = at;
    }
    return best;
}

static void blocks_lie_where_first_fit_puts_them(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; ++seed) {
        const uint32_t count = 1 + (uint32_t)seed * 4, steps = 1 + quartic_random_bits(seed, 9, 0) % 90;
        uint64_t most = 0;
        quartic_placer *placer;
        assert_int_equal(quartic_placer_create(steps, &placer), QUARTIC_OK);
        for (uint32_t k = 0; k < count; ++k) {
            const uint32_t a = quartic_random_bits(seed, 0, k) % steps,
                           b = quartic_random_bits(seed, 1, k) % steps;
            blocks[k] = (quartic_block){.bytes = 1 + quartic_random_bits(seed, 2, k) % 3000,
                                        .first = a < b ? a : b,
                                        .last = a < b ? b : a};
            const uint64_t want = first_fit(blocks, k, &blocks[k]);
            assert_int_equal(quartic_placer_add(placer, &blocks[k]), QUARTIC_OK);
            assert_int_equal(blocks[k].offset, want);
            if (want + blocks[k].bytes > most) most = want + blocks[k].bytes;
        }
        assert_true(quartic_placer_bytes(placer) >= most && quartic_placer_bytes(placer) < most + 256);
        quartic_placer_destroy(placer);
    }
}

/* Blocks as training leaves them: each layer keeps a few results from its forward to its backward step, and
 * has short-lived ones in both. */
static uint64_t place_work_of(uint32_t layers) {
    enum { EACH = 8 };
    const uint64_t before = quartic_work_done();
    uint32_t count = 0;
    quartic_placer *placer;
    assert_int_equal(quartic_placer_create(2 * EACH * layers, &placer), QUARTIC_OK);
    for (uint32_t size = EACH; size-- > 0;)
        for (uint32_t layer = 0; layer < layers; ++layer)
            for (uint32_t pass = 0; pass < 2; ++pass) {
                const uint32_t step = (pass == 0 ? layer : 2 * layers - 1 - layer) * EACH + size;
                const uint32_t last = pass == 0 && size % 3 == 0 ? (2 * layers - 1 - layer) * EACH : step + 1;
                blocks[count] = (quartic_block){.bytes = 1000 + 700 * size, .first = step, .last = last};
                if (last < 2 * EACH * layers)
                    assert_int_equal(quartic_placer_add(placer, &blocks[count++]), QUARTIC_OK);
            }
    quartic_placer_destroy(placer);
    return quartic_work_done() - before;
}

static void placing_grows_about_linearly(void **state) {
    (void)state;
    const uint64_t few = place_work_of(32), many = place_work_of(512);
    assert_true(few > 1000);
    assert_true(many < 16 * 2 * few); /* 16 times the blocks; the square would be 256 */
}

static void more_than_can_be_addressed_is_refused(void **state) {
    (void)state;
    quartic_placer *placer;
    assert_int_equal(quartic_placer_create(1, &placer), QUARTIC_OK);
    quartic_block block = {.bytes = (uint64_t)1 << 62};
    assert_int_equal(quartic_placer_add(placer, &block), QUARTIC_OK);
    assert_int_equal(quartic_placer_add(placer, &block), QUARTIC_OUT_OF_MEMORY);
    block.bytes = UINT64_MAX;
    assert_int_equal(quartic_placer_add(placer, &block), QUARTIC_OUT_OF_MEMORY);
    quartic_placer_destroy(placer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_lie_where_first_fit_puts_them),
        cmocka_unit_test(placing_grows_about_linearly),
        cmocka_unit_test(more_than_can_be_addressed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

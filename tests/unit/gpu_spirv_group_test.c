/* gpu_spirv_group_test.c: what a workgroup takes is read rightly from the compiled shaders. */
#include "expect.h"

#include "gpu/spirv.h"
#include "base/alloc.h"

static quartic_spirv_group group_of(const char *name, const uint32_t *spec, uint32_t spec_count) {
    uint32_t s = 0;
    while (s < quartic_spirv_count && strcmp(quartic_spirv_table[s].name, name) != 0) ++s;
    assert_true(s < quartic_spirv_count);
    quartic_spirv_group group;
    assert_ok(quartic_spirv_group_of(&quartic_spirv_table[s], spec, spec_count, &group));
    return group;
}

/* As their sources declare it. */
static void known_shaders_take_what_they_declare(void **state) {
    (void)state;
    quartic_spirv_group group = group_of("fill", NULL, 0); /* no shared memory */
    assert_int_equal(group.invocations, 256);
    assert_int_equal(group.shared_bytes, 0);
    group = group_of("copy", NULL, 0); /* int tile[32][33] */
    assert_int_equal(group.shared_bytes, 4 * 32 * 33);
    /* row_linear: vec4 (16, 17), vec4 (16, BN / 4 + 1) */
    for (uint32_t bn = 32; bn <= 64; bn *= 2) {
        const uint32_t spec[] = {0, bn, 2 * bn, 1, 0, 0, 1};
        group = group_of("row_linear", spec, 7);
        assert_int_equal(group.invocations, 2 * bn);
        assert_int_equal(group.shared_bytes, 16 * (16 * 17 + 16 * (bn / 4 + 1)));
    }
    /* The constants that are not given keep their standard values: BN = 64. */
    const uint32_t form = 0;
    group = group_of("row_linear", &form, 1);
    assert_int_equal(group.shared_bytes, 8704);
}

static void every_shader_can_be_read(void **state) {
    (void)state;
    const int64_t live = quartic_alloc_live();
    for (uint32_t s = 0; s < quartic_spirv_count; ++s) {
        const quartic_spirv_group group = group_of(quartic_spirv_table[s].name, NULL, 0);
        assert_true(group.invocations >= 1 && group.invocations <= 1024);
        assert_true(group.shared_bytes <= 65536);
    }
    assert_int_equal(quartic_alloc_live(), live);
}

/* A module of a few words: what it declares, and an operation that is not known. */
static void other_modules_are_told(void **state) {
    (void)state;
    enum { HEADER = 5 };
    uint32_t words[] = {0x07230203,
                        0x10600,
                        0,
                        16,
                        0,
                        4 << 16 | 21,
                        1,
                        32,
                        0, /* uint */
                        4 << 16 | 50,
                        1,
                        2,
                        7, /* a specialisation constant, without an id */
                        6 << 16 | 52,
                        1,
                        3,
                        132,
                        2,
                        2, /* times itself */
                        4 << 16 | 23,
                        4,
                        1,
                        3, /* uvec3 */
                        4 << 16 | 28,
                        5,
                        4,
                        3, /* 49 of them */
                        4 << 16 | 32,
                        6,
                        4,
                        5, /* in shared memory */
                        4 << 16 | 59,
                        6,
                        7,
                        4};
    const quartic_spirv module = {"made_up", words, sizeof words, "made_up"};
    quartic_spirv_group group;
    assert_ok(quartic_spirv_group_of(&module, NULL, 0, &group));
    assert_int_equal(group.shared_bytes, 49 * 16);
    assert_int_equal(group.invocations, 0); /* says nothing */
    words[HEADER + 4 + 4 + 3] = 9999;
    assert_int_equal(quartic_spirv_group_of(&module, NULL, 0, &group), QUARTIC_INTERNAL);
    assert_message("made_up has the instruction 9999");
    words[HEADER + 4 + 4 + 3] = 132;
    words[HEADER] = 0; /* an instruction of no length */
    assert_int_equal(quartic_spirv_group_of(&module, NULL, 0, &group), QUARTIC_INTERNAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_shaders_take_what_they_declare),
        cmocka_unit_test(every_shader_can_be_read),
        cmocka_unit_test(other_modules_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

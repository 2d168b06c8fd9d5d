/* gpu_float_controls_test.c: the execution modes for floats follow what a device offers, the modules that get them
 * are valid, and no shader needs them to tell a NaN. */
#include "expect.h"

#include <stdlib.h>
#include <string.h>

#include "gpu/caps.h"
#include "gpu/float_controls.h"
#include "gpu/spirv.h"

static VkPhysicalDeviceVulkan12Properties everything(void) {
    return (VkPhysicalDeviceVulkan12Properties){
        .shaderSignedZeroInfNanPreserveFloat32 = VK_TRUE,
        .shaderRoundingModeRTEFloat32 = VK_TRUE,
        .shaderDenormFlushToZeroFloat32 = VK_TRUE,
        .roundingModeIndependence = VK_SHADER_FLOAT_CONTROLS_INDEPENDENCE_ALL,
        .denormBehaviorIndependence = VK_SHADER_FLOAT_CONTROLS_INDEPENDENCE_32_BIT_ONLY};
}

static void the_choice_follows_the_device(void **state) {
    (void)state;
    const uint32_t nan = QUARTIC_GPU_KEEP_NAN, even = QUARTIC_GPU_ROUND_TO_EVEN,
                   flush = QUARTIC_GPU_FLUSH_SUBNORMALS;
    VkPhysicalDeviceVulkan12Properties p = everything();
    assert_int_equal(quartic_gpu_float_controls(&p), nan | even | flush);
    p.shaderSignedZeroInfNanPreserveFloat32 = VK_FALSE;
    assert_int_equal(quartic_gpu_float_controls(&p), even | flush);
    p = everything(), p.shaderRoundingModeRTEFloat32 = VK_FALSE;
    assert_int_equal(quartic_gpu_float_controls(&p), nan | flush);
    p = everything(), p.shaderDenormFlushToZeroFloat32 = VK_FALSE;
    assert_int_equal(quartic_gpu_float_controls(&p), nan | even);
    p = everything(), p.roundingModeIndependence = VK_SHADER_FLOAT_CONTROLS_INDEPENDENCE_NONE;
    assert_int_equal(quartic_gpu_float_controls(&p), nan | flush);
    p = everything(), p.denormBehaviorIndependence = VK_SHADER_FLOAT_CONTROLS_INDEPENDENCE_NONE;
    assert_int_equal(quartic_gpu_float_controls(&p), nan | even);
    p = (VkPhysicalDeviceVulkan12Properties){0};
    assert_int_equal(quartic_gpu_float_controls(&p), 0);

    quartic_gpu_facts *facts = calloc(1, sizeof *facts);
    facts->properties_12 = everything();
    assert_int_equal(quartic_gpu_caps_from(facts, NULL).float_controls, nan | even | flush);
    free(facts);
}

/* Whether the module holds an instruction of that opcode whose operand `place` is `operand`. */
static bool holds(const uint32_t *words, size_t count, uint32_t opcode, uint32_t place, uint32_t operand) {
    for (size_t at = 5; at < count; at += words[at] >> 16)
        if ((words[at] & 0xffff) == opcode && words[at + place] == operand) return true;
    return false;
}

static void expect_modes(const quartic_spirv *shader, uint32_t controls) {
    static const struct {
        uint32_t bit, mode, capability;
    } modes[] = {{QUARTIC_GPU_KEEP_NAN, 4461, 4466},
                 {QUARTIC_GPU_ROUND_TO_EVEN, 4462, 4467},
                 {QUARTIC_GPU_FLUSH_SUBNORMALS, 4460, 4465}};
    const size_t before = shader->bytes / 4;
    uint32_t *words = malloc(shader->bytes + 4 * QUARTIC_GPU_CONTROL_WORDS);
    const size_t count = quartic_gpu_set_float_controls(shader->words, before, controls, words);
    size_t more = 0;
    for (size_t m = 0; m < 3; ++m) {
        const bool wanted = (controls & modes[m].bit) != 0;
        assert_int_equal(holds(words, count, 17, 1, modes[m].capability), wanted); /* OpCapability */
        assert_int_equal(holds(words, count, 16, 2, modes[m].mode), wanted);       /* OpExecutionMode */
        more += wanted ? 6 : 0;
    }
    assert_int_equal(count, before + more);
    FILE *file = fopen("controlled.spv", "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(words, 4, count, file), count);
    assert_int_equal(fclose(file), 0);
    free(words);
    if (system("'" QUARTIC_TEST_SPIRV_VAL "' --target-env vulkan1.3 controlled.spv") != 0)
        fail_msg("%s with modes %u is not valid", shader->name, controls);
    remove("controlled.spv");
}

static void modules_with_modes_are_valid(void **state) {
    (void)state;
    assert_true(quartic_spirv_count > 50);
    for (uint32_t controls = 0; controls < 8; ++controls) expect_modes(&quartic_spirv_table[0], controls);
    for (uint32_t s = 1; s < quartic_spirv_count; ++s) expect_modes(&quartic_spirv_table[s], 7);
}

/* A driver that assumes that there are no NaNs drops these: OpIsNan, OpIsInf, x != x and x == x. */
static void no_shader_asks_for_a_nan(void **state) {
    (void)state;
    for (uint32_t s = 0; s < quartic_spirv_count; ++s) {
        const uint32_t *words = quartic_spirv_table[s].words;
        for (size_t at = 5; at < quartic_spirv_table[s].bytes / 4; at += words[at] >> 16) {
            const uint32_t opcode = words[at] & 0xffff;
            if (opcode == 156 || opcode == 157 ||
                (opcode >= 180 && opcode <= 183 && words[at + 3] == words[at + 4]))
                fail_msg("%s tells a NaN by the instruction %u", quartic_spirv_table[s].name, opcode);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_choice_follows_the_device),
        cmocka_unit_test(modules_with_modes_are_valid),
        cmocka_unit_test(no_shader_asks_for_a_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

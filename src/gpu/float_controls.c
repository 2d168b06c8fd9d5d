/* float_controls.c: choosing execution modes and writing them into a module. See float_controls.h.
 *
 * A module is a header of 5 words, then instructions: length << 16 | opcode, operands. All capabilities come
 * first; execution modes come right behind the entry points.
 */
#include "gpu/float_controls.h"

#include <string.h>

enum { HEADER = 5, OP_ENTRY_POINT = 15, OP_EXECUTION_MODE = 16, OP_CAPABILITY = 17, WIDTH = 32 };

static const struct {
    uint32_t bit, mode, capability;
} modes[] = {
    {QUARTIC_GPU_KEEP_NAN, 4461, 4466},
    {QUARTIC_GPU_ROUND_TO_EVEN, 4462, 4467},
    {QUARTIC_GPU_FLUSH_SUBNORMALS, 4460, 4465},
};
enum { MODES = sizeof modes / sizeof modes[0] };

uint32_t quartic_gpu_float_controls(const VkPhysicalDeviceVulkan12Properties *properties) {
    uint32_t controls = 0;
    if (properties->shaderSignedZeroInfNanPreserveFloat32) controls |= QUARTIC_GPU_KEEP_NAN;
    if (properties->shaderRoundingModeRTEFloat32 &&
        properties->roundingModeIndependence != VK_SHADER_FLOAT_CONTROLS_INDEPENDENCE_NONE)
        controls |= QUARTIC_GPU_ROUND_TO_EVEN;
    if (properties->shaderDenormFlushToZeroFloat32 &&
        properties->denormBehaviorIndependence != VK_SHADER_FLOAT_CONTROLS_INDEPENDENCE_NONE)
        controls |= QUARTIC_GPU_FLUSH_SUBNORMALS;
    return controls;
}

static size_t float_controls_copy(uint32_t *out, size_t used, const uint32_t *words, size_t count) {
    memcpy(out + used, words, count * sizeof *words);
    return used + count;
}

size_t quartic_gpu_set_float_controls(const uint32_t *words, size_t count, uint32_t controls, uint32_t *out) {
    size_t entry = 0, behind = 0; /* the entry point, of which there is one, and what follows it */
    for (size_t at = HEADER; at < count && words[at] >> 16 != 0; at += words[at] >> 16)
        if ((words[at] & 0xffff) == OP_ENTRY_POINT) entry = at, behind = at + (words[at] >> 16);
    if (entry == 0) return float_controls_copy(out, 0, words, count);
    size_t used = float_controls_copy(out, 0, words, HEADER);
    for (size_t m = 0; m < MODES; ++m) {
        if ((controls & modes[m].bit) == 0) continue;
        const uint32_t capability[] = {2u << 16 | OP_CAPABILITY, modes[m].capability};
        used = float_controls_copy(out, used, capability, 2);
    }
    used = float_controls_copy(out, used, words + HEADER, behind - HEADER);
    for (size_t m = 0; m < MODES; ++m) {
        if ((controls & modes[m].bit) == 0) continue;
        const uint32_t mode[] = {4u << 16 | OP_EXECUTION_MODE, words[entry + 2], modes[m].mode, WIDTH};
        used = float_controls_copy(out, used, mode, 4);
    }
    return float_controls_copy(out, used, words + behind, count - behind);
}

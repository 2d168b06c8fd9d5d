/* float_controls.h: how shaders compute where Vulkan leaves it open, as execution modes of their SPIR-V. Pure.
 *
 * Without them a driver may assume that no NaN and no infinity occurs, round as it likes, and keep subnormal
 * numbers or flush them. Set where the device offers it, for float32:
 *   SignedZeroInfNanPreserve  NaNs and infinities are what IEEE 754 says;
 *   RoundingModeRTE           to the nearest, ties to even;
 *   DenormFlushToZero         subnormal numbers are zeros: no kernel needs them, most devices are faster
 *                             without, and all that offer it then agree.
 * A device whose modes must be the same for all widths gets the first only. No kernel relies on any of them.
 */
#ifndef QUARTIC_GPU_FLOAT_CONTROLS_H
#define QUARTIC_GPU_FLOAT_CONTROLS_H

#include <stddef.h>
#include <stdint.h>

#include "gpu/vk.h"

/* Bits of quartic_gpu_caps.float_controls. */
enum { QUARTIC_GPU_KEEP_NAN = 1, QUARTIC_GPU_ROUND_TO_EVEN = 2, QUARTIC_GPU_FLUSH_SUBNORMALS = 4 };

uint32_t quartic_gpu_float_controls(const VkPhysicalDeviceVulkan12Properties *properties);

/* The most words that the modes add to a module. */
enum { QUARTIC_GPU_CONTROL_WORDS = 3 * (2 + 4) };

/* Copies a module of SPIR-V 1.4 or later (where the modes need no extension) with those modes for its entry
 * point into out, which has room for count + QUARTIC_GPU_CONTROL_WORDS words. Returns the number of words; a
 * module without an entry point is copied as it is. */
size_t quartic_gpu_set_float_controls(const uint32_t *words, size_t count, uint32_t controls, uint32_t *out);

#endif

#version 460
// matmul_split.comp: matmul.comp for a contraction that is split: the last group of a tile adds up the parts.
// Needs the feature vulkanMemoryModel (lib/last_group.glsl). Constants as there.
#pragma use_vulkan_memory_model
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_memory_scope_semantics : require
#include "lib/common.glsl"
#include "matmul_split.args.h"
#include "lib/matmul.glsl"
#include "lib/matmul_parts.glsl"
#include "lib/matmul_tiles.glsl"

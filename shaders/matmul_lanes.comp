#version 460
// matmul_lanes.comp: TM x 8 TN results per group of eight lanes, without shared memory.
// For Vulkan devices that run on a CPU: there a load costs as much as many multiplications of the whole
// subgroup, so no lane loads what another one has. A lane loads every eighth row of a and every eighth column
// of b; the rows go round by shuffles.
// Needs subgroups of at least eight invocations with shuffles.
// Constants: 2 BK, 3 TM (a multiple of 8), 4 TN, 7 how results are written.
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "lib/common.glsl"
#include "matmul.args.h"
#include "lib/matmul.glsl"
#include "lib/matmul_lanes.glsl"

// last_group.glsl: sums that are divided among the groups of one dispatch and finished by the last of them.
//
// Each group puts its part into memory and counts itself. The one that finds that it is the last adds up the parts of
// all, in a fixed order, so the result does not depend on which group that is. No group ever waits for another one.
//
// What one group wrote is seen by another only if the memory model says so: the parts are written and read with
// availability and visibility for the whole queue family, through GroupFloats and GroupVec4s, and the counter orders
// them: it releases the parts of its group and acquires those of the others. So a shader with this file needs the
// feature vulkanMemoryModel; plans ask quartic_gpu_limits.has_memory_model. The qualifier stands at the member:
// glslang forgets that of a block behind a reference.
//
// Include after an args.h with counters, of which each has the value 0 before the dispatch (QUARTIC_COUNTERS).

layout(buffer_reference, std430, buffer_reference_align = 4) buffer GroupFloats {
    queuefamilycoherent float at[];
};
layout(buffer_reference, std430, buffer_reference_align = 16) buffer GroupVec4s {
    queuefamilycoherent vec4 at[];
};

shared int groups_before;

// Whether this is the last of so many groups that come here with the same counter. For all invocations of a group, after
// they have written their part.
bool is_last_group(uint counter, uint groups) {
    // Two, of which the memory model needs the second: on Mesa's software rasteriser (22.3) some invocations of the group
    // still write when the first one is past the first barrier after a loop that has barriers.
    controlBarrier(gl_ScopeWorkgroup, gl_ScopeWorkgroup, gl_StorageSemanticsShared,
                   gl_SemanticsAcquireRelease);
    controlBarrier(gl_ScopeWorkgroup, gl_ScopeQueueFamily, gl_StorageSemanticsBuffer,
                   gl_SemanticsAcquireRelease);
    if (gl_LocalInvocationIndex == 0u)
        groups_before = atomicAdd(args.counters.at[counter], 1, gl_ScopeQueueFamily,
                                  gl_StorageSemanticsBuffer, gl_SemanticsAcquireRelease);
    controlBarrier(gl_ScopeWorkgroup, gl_ScopeQueueFamily,
                   gl_StorageSemanticsBuffer | gl_StorageSemanticsShared, gl_SemanticsAcquireRelease);
    return groups_before + 1 == int(groups);
}

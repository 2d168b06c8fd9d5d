#version 450
// adder.comp: an application's own shader with a descriptor set, for gpu_guest_test.c: numbers[i] += addend.
layout(local_size_x = 64) in;
layout(set = 0, binding = 0) buffer Numbers { float numbers[]; };
layout(push_constant) uniform Args { float addend; uint count; };

void main() {
    if (gl_GlobalInvocationID.x < count) numbers[gl_GlobalInvocationID.x] += addend;
}

/* matmul_kernel_end.h: takes back the macros that matmul_kernel_body.h was included with. */
#undef NAME
#undef KERNELS_NAME
#undef TARGET
#undef VECTOR
#undef LANES
#undef HEIGHT
#undef SPLAT
#undef LOAD
#undef STORE
#undef LOAD_PART
#undef STORE_PART
#undef FMA
#undef SUM

/* access.h: what the folders above `run` see of devices, tensors and programs beyond the public headers.
 *
 * A tensor's bytes are those on the device: reference64 holds real numbers as double.
 */
#ifndef QUARTIC_RUN_ACCESS_H
#define QUARTIC_RUN_ACCESS_H

#include <stdbool.h>

#include "ops/dispatch.h"
#include "quartic/program.h"
#include "quartic/tensor.h"

/* Bytes of a number of that dtype on a device. */
uint32_t quartic_device_element_bytes(const quartic_device *device, quartic_dtype dtype);

/* Measured choices of a device (ops/tuning.h); CPU devices have none. The device keeps the table and the limits'
 * pointers. Programs that are made from then on are made with the table as it is. */
quartic_tuning_table *quartic_device_tuning(quartic_device *device);
/* The limits that its plans see. Errors: UNSUPPORTED for a CPU device. */
quartic_status quartic_device_plan_limits(const quartic_device *device, quartic_gpu_limits *out_limits);
/* Writes the table beside the pipeline cache. Errors: IO. */
quartic_status quartic_device_save_tuning(const quartic_device *device);

/* A tensor whose memory has that many bytes, which may be more than its elements take. The caller destroys
 * it with quartic_tensor_destroy; after an error *out_tensor is NULL. */
quartic_status quartic_tensor_create_bytes(quartic_device *device, quartic_dtype dtype,
                                           const quartic_shape *shape, uint64_t device_bytes,
                                           quartic_tensor **out_tensor);
quartic_device *quartic_tensor_device(const quartic_tensor *tensor);
uint64_t quartic_tensor_device_bytes(const quartic_tensor *tensor);

/* Copy all bytes of a tensor's memory, as they are on the device: quartic_tensor_device_bytes of them. */
quartic_status quartic_tensor_write_memory(quartic_tensor *tensor, const void *data);
quartic_status quartic_tensor_read_memory(const quartic_tensor *tensor, void *out_data);

/* quartic_tensor_write and quartic_program_run without waiting: both take effect in the order of the calls, and
 * a read waits for them. Nothing may be held back for longer than until quartic_device_flush. */
quartic_status quartic_tensor_upload(quartic_tensor *tensor, const void *data, size_t bytes);
quartic_status quartic_program_submit(quartic_program *program);
quartic_status quartic_device_flush(quartic_device *device);
/* Forgets what was held back, after an error in the middle of a sequence of such calls. */
void quartic_device_discard(quartic_device *device);
/* The training step that such calls belong to from now on, for messages of a lost device; 0: to none. */
void quartic_device_set_training_step(quartic_device *device, uint64_t number);
/* Whether calls may return before the device is done. */
bool quartic_device_is_queued(const quartic_device *device);
/* How many times a Vulkan device was given work so far; 0 on the CPU. */
uint64_t quartic_device_submits(const quartic_device *device);

/* A way to read a tensor of at most four numbers as it is at a place in that order. The tensor must outlive it.
 * start may be called again after wait; wait waits only for what was submitted before start. */
typedef struct quartic_fetch quartic_fetch;
quartic_status quartic_fetch_create(quartic_tensor *tensor, quartic_fetch **out_fetch);
quartic_status quartic_fetch_start(quartic_fetch *fetch);
quartic_status quartic_fetch_wait(quartic_fetch *fetch, float *out_numbers);
void quartic_fetch_destroy(quartic_fetch *fetch); /* NULL is fine */

/* The allocations of a program's workspace, which the program owns, or the caller if it gave one. */
uint32_t quartic_program_arena_count(const quartic_program *program);
const quartic_tensor *quartic_program_arena(const quartic_program *program, uint32_t arena);
/* Sets out_used[k] to 1 for each byte k of the arena that the plan gives to an intermediate or to scratch. */
void quartic_program_mark_arena(const quartic_program *program, uint32_t arena, uint8_t *out_used);

/* On "reference64" only: the seed of the small changes to every number that a kernel reads or writes; 0:
 * there are none. See quartic_operand. */
void quartic_program_set_jitter(quartic_program *program, uint64_t seed);

#endif

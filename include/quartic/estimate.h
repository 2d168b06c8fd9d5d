/* estimate.h: what programs would take on a device that is not here, from its stated limits alone.
 *
 * Everything is counted from the plan and the dispatches that would be recorded; nothing is run, and no
 * device is opened. Counts are exact for these limits. Times are estimates: a dispatch takes the longer of
 * its traffic at the device's bandwidth and its operations at the share of the device's peak that its
 * workgroups can use; dispatches between two barriers share the device; launches and barriers come on top.
 * docs/device-limits.md has the formula, and the source of every figure of the table.
 *
 * Stability: all of it is unstable. quartic.h says what that means.
 */
#ifndef QUARTIC_ESTIMATE_H
#define QUARTIC_ESTIMATE_H

#include "quartic/device.h"
#include "quartic/graph.h"
#include "quartic/model.h"
#include "quartic/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The kinds of devices that submits are cut for: see docs/device-limits.md. */
typedef enum quartic_limits_kind { QUARTIC_LIMITS_DISCRETE, QUARTIC_LIMITS_INTEGRATED } quartic_limits_kind;

/* Limits of a device, as its driver or maker states them. */
typedef struct quartic_device_limits {
    size_t struct_size;
    char name[64];
    quartic_limits_kind kind;
    uint32_t compute_units; /* multiprocessors, compute units, cores: what one workgroup runs on */
    uint32_t subgroup_size;
    uint32_t max_invocations;  /* of a workgroup */
    uint32_t max_shared_bytes; /* of a workgroup */
    uint32_t registers;        /* of 32 bits, of an invocation; 0: unknown. Plans save registers below 255 */
    uint32_t float16, cooperative_matrix, subgroup_shuffle; /* 1: there is; no op uses the first two yet */
    uint64_t memory_bytes;                                  /* of the device */
    uint64_t max_buffer_bytes;                              /* of one buffer and one allocation */
    double flops_per_second;                                /* float32 peak, a multiply-add counted as two */
    double bytes_per_second;                                /* of the memory */
    double launch_seconds;                                  /* that one dispatch costs beside its work */
    double barrier_seconds;    /* that waiting for all earlier dispatches costs */
    uint64_t workspace_budget; /* as in quartic_program_config; 0: the standard */
    uint32_t memory_model; /* 1: groups of a dispatch may hand numbers to one another (vulkanMemoryModel) */
    uint32_t reserved;     /* 0 */
} quartic_device_limits;

/* Modest limits of no particular device, to be filled in. */
#define QUARTIC_DEVICE_LIMITS_INIT                                                                           \
    {                                                                                                        \
        sizeof(quartic_device_limits), "", QUARTIC_LIMITS_INTEGRATED, 8, 32, 256, 32768, 0, 0, 0, 0,         \
            UINT64_C(1) << 32, UINT64_C(1) << 30, 1e12, 5e10, 2e-6, 4e-6, 0, 1, 0                            \
    }

/* The names of the table's devices: those of index 0, 1, .. until NULL. */
QUARTIC_API const char *quartic_device_limits_name(uint32_t index);
/* The limits of that name in the table, into a struct that began as QUARTIC_DEVICE_LIMITS_INIT. Errors:
 * INVALID_ARGUMENT, listing the names. */
QUARTIC_API quartic_status quartic_device_limits_find(quartic_device_limits *inout_limits, const char *name);
/* The same from a JSON object (docs/device-limits.md). Errors: FORMAT for what is no JSON object,
 * INVALID_ARGUMENT for a key that is missing, unknown or out of range. */
QUARTIC_API quartic_status quartic_device_limits_read_json(quartic_device_limits *inout_limits,
                                                           const char *text);

/* What the driver of an open Vulkan device states of it, into a struct that began as
 * QUARTIC_DEVICE_LIMITS_INIT; the rates and the seconds of launches and barriers, which no driver states, stay
 * as they are. Errors: UNSUPPORTED for a CPU device. */
QUARTIC_API quartic_status quartic_device_get_limits(const quartic_device *device,
                                                     quartic_device_limits *inout_limits);

typedef struct quartic_estimate quartic_estimate;

/* One graph of a run and how often it runs in it. */
#define QUARTIC_ESTIMATE_MOST_RUNS 1048576
typedef struct quartic_estimate_part {
    const quartic_graph *graph;
    uint32_t runs;
} quartic_estimate_part;

/* What running these graphs one after the other takes; tensors of one name are one tensor. The caller
 * destroys the estimate; the graphs may be destroyed before it. Errors: a graph's own first error;
 * INVALID_ARGUMENT for more runs than QUARTIC_ESTIMATE_MOST_RUNS, or more than 2^32 - 1 dispatches in all;
 * UNSUPPORTED naming an op that the limits rule out, or where the library was built without Vulkan;
 * OUT_OF_MEMORY. */
QUARTIC_API quartic_status quartic_estimate_create(const quartic_estimate_part *parts, uint32_t part_count,
                                                   const quartic_device_limits *limits,
                                                   quartic_estimate **out_estimate);
/* A forward pass to the logits, as quartic_model_forward runs it. */
QUARTIC_API quartic_status quartic_model_estimate(const quartic_model *model, uint32_t batch, uint32_t length,
                                                  uint32_t masked, const quartic_device_limits *limits,
                                                  quartic_estimate **out_estimate);
/* A whole training step: every micro-batch with loss and gradients, the norm, and AdamW. */
QUARTIC_API quartic_status quartic_trainer_estimate(const quartic_model *model,
                                                    const quartic_trainer_config *config,
                                                    const quartic_device_limits *limits,
                                                    quartic_estimate **out_estimate);
/* NULL is fine. */
QUARTIC_API void quartic_estimate_destroy(quartic_estimate *estimate);

typedef struct quartic_estimate_info {
    uint32_t dispatches;
    uint32_t barriers;      /* between dispatches; each recording begins with one more */
    uint32_t longest_chain; /* most dispatches that must each wait for the one before */
    uint32_t submits;       /* calls that hand all parts together to the driver: 1 */
    uint32_t batches; /* that this call has, each short; a program that takes long has several recordings */
    uint32_t few_groups; /* dispatches with fewer workgroups than the device has units */
    double flops, bytes; /* estimated operations and traffic */
    /* The parts of the estimate. They overlap, so the estimate is below the sum of its parts where traffic
     * hides operations, and above where workgroups leave units idle. */
    double launch_seconds, barrier_seconds, bandwidth_seconds, arithmetic_seconds;
    double estimated_seconds;
    double
        chain_seconds; /* work of the heaviest chain: with every dependency a wait of its own, the work could
                             not take less */
    double longest_seconds;               /* of one dispatch, as it is cut into submits */
    uint64_t memory_bytes;                /* of all arenas */
    uint32_t arena_count, dispatch_count; /* to be listed: one run of each part */
} quartic_estimate_info;

/* All zero for NULL, which is an error. */
QUARTIC_API quartic_estimate_info quartic_estimate_get_info(const quartic_estimate *estimate);

/* Memory that is one allocation: a named tensor, "workspace", or "workspace.2" of the second part. A workspace
 * that is larger than max_buffer_bytes is in several: "workspace/1", "workspace/2", .. */
typedef struct quartic_estimate_arena {
    const char *name; /* owned by the estimate */
    uint64_t bytes;
} quartic_estimate_arena;

typedef struct quartic_estimate_dispatch {
    const char *op, *label, *shader; /* label: the scope in which it was made; owned by the estimate */
    uint32_t part;                   /* index of its graph */
    uint32_t groups[3];
    uint32_t barrier; /* 1: waits for all dispatches before it */
    double flops, bytes, seconds;
} quartic_estimate_dispatch;

/* Errors: INVALID_ARGUMENT for an index beyond the last. */
QUARTIC_API quartic_status quartic_estimate_get_arena(const quartic_estimate *estimate, uint32_t index,
                                                      quartic_estimate_arena *out_arena);
QUARTIC_API quartic_status quartic_estimate_get_dispatch(const quartic_estimate *estimate, uint32_t index,
                                                         quartic_estimate_dispatch *out_dispatch);

#ifdef __cplusplus
}
#endif
#endif

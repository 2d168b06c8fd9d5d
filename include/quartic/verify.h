/* verify.h: does a device compute what it should? The commands `quartic validate` and `quartic verify` use
 * this.
 *
 * Each of these functions makes checks and reports every one of them through a callback:
 *
 *   quartic_validate         every op against the reference: forward, in the middle of a graph, on strided
 *                            operands, and its gradients. For a new driver, device or shader.
 *   quartic_check_gradients  every gradient rule against finite differences in double. Needs no GPU.
 *   quartic_verify           recorded cases (safetensors files) of models, modules and training.
 *   quartic_compare_devices  two devices on a graph of the caller: the first step at which they differ.
 *
 * A check that fails is not an error of the call; the status says whether the checks could be made. callback,
 * context and out_totals may be NULL. A callback may call the library, but not for the device that is being
 * checked. On Vulkan devices these functions submit.
 *
 * Stability: quartic_validate and quartic_check_gradients are stable; quartic_verify and
 * quartic_compare_devices are unstable. quartic.h says what that means. Which ops and cases exist, their
 * bounds, and the texts of a check are never stable.
 */
#ifndef QUARTIC_VERIFY_H
#define QUARTIC_VERIFY_H

#include "quartic/device.h"
#include "quartic/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- checks, and all ops: stable ---- */

typedef enum quartic_verdict { QUARTIC_PASSED, QUARTIC_FAILED, QUARTIC_NOT_SUPPORTED } quartic_verdict;

/* One check. Texts are valid during the callback only. */
typedef struct quartic_check {
    quartic_verdict verdict;
    const char *subject; /* the op or the file */
    uint32_t index;      /* the op's case; 0 for files */
    const char *label;   /* what the case is about */
    const char *check;   /* "forward", "gradient of operand 1", .. */
    double error;        /* of the worst element */
    double bound;        /* what was allowed there */
    const char *text;    /* the worst element and, if the check failed, how to repeat it */
} quartic_check;

typedef void (*quartic_check_callback)(void *context, const quartic_check *check);

typedef struct quartic_check_totals {
    uint32_t passed, failed, unsupported;
    double worst; /* largest error / bound of a passed check */
} quartic_check_totals;

#define QUARTIC_ALL_CASES 0xffffffffu

/* Which ops and cases to check, and where to report them. */
typedef struct quartic_validate_config {
    size_t struct_size;
    const char *op;                  /* name of one op, or NULL: all */
    uint32_t case_index;             /* one case, or QUARTIC_ALL_CASES */
    uint64_t seed;                   /* of the operands */
    quartic_check_callback callback; /* NULL: totals only */
    void *context;
} quartic_validate_config;

#define QUARTIC_VALIDATE_CONFIG_INIT                                                                         \
    { sizeof(quartic_validate_config), 0, QUARTIC_ALL_CASES, 1, 0, 0 }

/* Compares the device with the reference, op by op, and views with their definition; config may be NULL.
 * Bounds are each op's own: its tolerance times the root of its longest sum, times how far a result moves
 * when every number that is read or written is moved by one float32 epsilon. That is about epsilon times the
 * root of the sum of its terms' squares, also where the terms cancel, so no seed gives a false alarm; where
 * the result is within that share of its own largest element, which is never more, nothing is moved. Errors:
 * INVALID_ARGUMENT (no op of that name, no such case), OUT_OF_MEMORY, DEVICE_LOST. */
QUARTIC_API quartic_status quartic_validate(quartic_device *device, const quartic_validate_config *config,
                                            quartic_check_totals *out_totals);

/* Compares each op's gradients with central finite differences along a random direction, in double; config
 * may be NULL. Errors: INVALID_ARGUMENT (no op of that name, no such case, or it has no gradient),
 * OUT_OF_MEMORY. */
QUARTIC_API quartic_status quartic_check_gradients(const quartic_validate_config *config,
                                                   quartic_check_totals *out_totals);

/* ---- recordings, and graphs of the caller: unstable ---- */

/* Replays recorded cases on the device, one check a file; its text has the worst errors. Bounds: outputs,
 * losses and trained parameters 2e-5 * max(1, max |want|); gradients 1e-4 * max |want| + 1e-6. A file that
 * cannot be read is a failed check; one of a model or module that this library lacks is not supported. Files
 * of one module in one folder that record the sum of their weight gradients are recognised and summed.
 * Errors: INVALID_ARGUMENT (no file, or NULL for one), OUT_OF_MEMORY. */
QUARTIC_API quartic_status quartic_verify(quartic_device *device, const char *const *paths, uint32_t count,
                                          quartic_check_callback callback, void *context,
                                          quartic_check_totals *out_totals);

/* Host data for an input, parameter or state of a graph, by name; all of it stays the caller's. */
typedef struct quartic_feed {
    const char *name;
    const void *data;
    size_t bytes;
} quartic_feed;

/* Finds where two devices differ on a graph. Every step runs by itself on both devices, on operands from
 * `trusted` (so errors do not add up) and in graph order: subject is the op, index the node, label its scope,
 * the bound the op's own, as in quartic_validate. Then the whole graph runs on both, with a check per named
 * output: the tolerance is the sum of the steps', int32 must be equal. If only those fail, the fault lies
 * between the steps: order, memory or barriers. What is not fed is zero. Errors: as quartic_program_create;
 * INVALID_ARGUMENT for a feed that is NULL, given twice, of a wrong size, or of no input, parameter or state.
 */
QUARTIC_API quartic_status quartic_compare_devices(quartic_device *device, quartic_device *trusted,
                                                   const quartic_graph *graph, const quartic_feed *feeds,
                                                   uint32_t feed_count, quartic_check_callback callback,
                                                   void *context, quartic_check_totals *out_totals);

#ifdef __cplusplus
}
#endif
#endif

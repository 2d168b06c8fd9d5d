/* bench_estimate.c: what each op of a model should take on the device that is being measured. See bench.h. */
#include <stdio.h>
#include <string.h>

#include "quartic/estimate.h"
#include "quartic/train.h"
#include "tool/bench.h"

/* Adds a dispatch to its op's entry. */
static void bench_add_estimate(const quartic_estimate_dispatch *dispatch, bench_estimate *ops,
                               uint32_t capacity, uint32_t *inout_count) {
    uint32_t k = 0;
    while (k < *inout_count && strcmp(ops[k].op, dispatch->op) != 0) ++k;
    if (k == capacity) return;
    if (k == *inout_count) {
        ops[(*inout_count)++].seconds = 0;
        snprintf(ops[k].op, sizeof ops[k].op, "%s", dispatch->op);
    }
    ops[k].seconds += dispatch->seconds;
}

quartic_status bench_estimate_ops(const bench *bench, bool with_gradients, bench_estimate *out_ops,
                                  uint32_t capacity, uint32_t *out_count) {
    quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
    quartic_estimate *estimate = NULL;
    quartic_device_info info;
    *out_count = 0;
    quartic_status status = quartic_device_get_info(bench->device, &info);
    if (status != QUARTIC_OK || info.kind != QUARTIC_DEVICE_VULKAN) return status;
    status = quartic_device_get_limits(bench->device, &limits);
    limits.flops_per_second = bench->peak_flops;
    limits.bytes_per_second = bench->peak_bytes;
    quartic_trainer_config config = QUARTIC_TRAINER_CONFIG_INIT;
    config.batch = bench->batch;
    config.length = bench->length;
    config.masked = bench->masked;
    if (status == QUARTIC_OK)
        status = with_gradients ? quartic_trainer_estimate(bench->model, &config, &limits, &estimate)
                                : quartic_model_estimate(bench->model, bench->batch, bench->length,
                                                         bench->masked, &limits, &estimate);
    if (status != QUARTIC_OK) return status;
    const uint32_t dispatches = quartic_estimate_get_info(estimate).dispatch_count;
    for (uint32_t d = 0; d < dispatches && status == QUARTIC_OK; ++d) {
        quartic_estimate_dispatch dispatch;
        status = quartic_estimate_get_dispatch(estimate, d, &dispatch);
        /* Part 0 is the micro-batch, the others the norm and AdamW, which the table does not hold. */
        if (status == QUARTIC_OK && dispatch.part == 0)
            bench_add_estimate(&dispatch, out_ops, capacity, out_count);
    }
    quartic_estimate_destroy(estimate);
    return status;
}

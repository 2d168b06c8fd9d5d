/* device_limits.h (internal): stated limits as the plans of the ops see them. */
#ifndef QUARTIC_RUN_DEVICE_LIMITS_H
#define QUARTIC_RUN_DEVICE_LIMITS_H

#include "base/options.h"
#include "ops/dispatch.h"
#include "quartic/estimate.h"

extern const quartic_options_type quartic_device_limits_type;

/* INVALID_ARGUMENT, naming the member, for one that is out of the range that JSON allows. */
quartic_status quartic_device_limits_check(const quartic_device_limits *limits);

/* The limits that op->gpu would see on such a device. */
quartic_gpu_limits quartic_device_limits_gpu(const quartic_device_limits *limits);

/* Shares of the stated peaks that good kernels reach; nothing here was measured. */
#define QUARTIC_REACHED_FLOPS 0.5
#define QUARTIC_REACHED_BYTES 0.8

/* Seconds that a dispatch of so many workgroups takes without its launch, if it has the device to itself. */
double quartic_device_limits_work(const quartic_device_limits *limits, double flops, double bytes,
                                  double groups);

#endif

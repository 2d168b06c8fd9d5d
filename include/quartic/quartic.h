/* quartic.h: libquartic in one include. Rings, each usable without the next:
 *
 *   status.h  how calls report errors          model.h    transformers: weights, forward, gradients
 *   device.h  where programs run               train.h    loss, AdamW, checkpoints
 *   tensor.h  shapes and memory                io.h       safetensors files
 *   graph.h   computations from ops            verify.h   checking devices against the reference
 *   program.h compiled graphs                  vulkan.h   (not included here) your own VkDevice
 *   version.h which release this is            host.h     where messages go, and memory
 *   estimate.h what a device that is not here would take
 *
 * Conventions, stated once: functions are quartic_<noun>_<verb>; handles are opaque, made by create and freed
 * by destroy (NULL is fine), and parents outlive children; results come last as out_*; structs of options
 * begin with struct_size and start from QUARTIC_<X>_INIT, and those of earlier headers are taken, with
 * defaults for what they lack; all calls block unless said otherwise; shapes are row-major, last axis
 * fastest; a failed call changes nothing and leaves a sentence in quartic_error_message() that names the
 * function and, for NULL, the argument. An object belongs to one thread at a time; objects on different
 * devices are independent.
 */
#ifndef QUARTIC_QUARTIC_H
#define QUARTIC_QUARTIC_H

#include "quartic/data.h"
#include "quartic/device.h"
#include "quartic/estimate.h"
#include "quartic/graph.h"
#include "quartic/host.h"
#include "quartic/io.h"
#include "quartic/model.h"
#include "quartic/program.h"
#include "quartic/random.h"
#include "quartic/status.h"
#include "quartic/tensor.h"
#include "quartic/train.h"
#include "quartic/verify.h"
#include "quartic/version.h"

#endif

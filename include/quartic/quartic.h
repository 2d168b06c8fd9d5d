/* quartic.h: libquartic in one include. Each header can be used without those after it:
 *
 *   status.h   how calls report errors           model.h   transformers: weights, forward pass, gradients
 *   host.h     where messages go, and memory     train.h   loss, AdamW, checkpoints
 *   version.h  which release this is             data.h    files of graphs
 *   device.h   where programs run                io.h      safetensors files
 *   tensor.h   shapes and memory                 random.h  counter-based random numbers
 *   graph.h    computations made of ops          verify.h  checking devices against the reference
 *   program.h  compiled graphs                   vulkan.h  (not included here) your own VkDevice
 *   estimate.h what a device that is not here would take
 *
 * Rules for all functions, unless a function's comment says otherwise:
 * - Names are quartic_<noun>_<verb>. Handles are opaque: _create or _open makes one, the caller frees it with
 *   _destroy or _close, which take NULL too. Parents outlive their children.
 * - A function that can fail returns a quartic_status; results come last, as out_*. A failed call changes
 *   nothing, and a handle that it should have made is NULL. Then quartic_error_message() returns a message
 *   that begins with the function's name.
 * - A pointer must not be NULL unless the comment says that it may; else the call is INVALID_ARGUMENT and the
 *   message names the argument.
 * - Pointers that a function returns belong to the library; the comment says how long they are valid. What
 *   the caller passes is copied or only read during the call.
 * - Structs of options begin with struct_size and start from QUARTIC_<X>_INIT. A struct of earlier headers is
 *   accepted; what it lacks has its default.
 * - Calls return when their work is done. Shapes are row-major, the last axis is the fastest.
 * - An object belongs to one thread at a time. Objects on different devices are independent.
 *
 * Stability: each header says at its top, and in the line above a group of declarations, which are stable and
 * which are unstable. A stable one keeps its meaning until 1.0, and later within a major version; structs and
 * lists may get new members at their end. An unstable one may change or vanish in any release before 1.0,
 * which CHANGELOG.md then says.
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

/* device_name.h (internal): which of the devices that there are a name means. Pure.
 *
 * In this order: "auto" is the first usable device, "vulkan" the first usable Vulkan device (both in
 * capitals, too); a name of digits alone, spaces around them aside, is the index of a Vulkan device and
 * nothing else; a name in full, capitals and all; a part of a name, capitals or not. A full name or part that
 * several devices have is refused with the list.
 */
#ifndef QUARTIC_RUN_DEVICE_NAME_H
#define QUARTIC_RUN_DEVICE_NAME_H

#include "quartic/device.h"

/* infos: as of quartic_device_list, best first. no_vulkan: why there is no Vulkan device, for the message;
 * NULL if there are some. *out_at: place in the list. Errors: INVALID_ARGUMENT (no name at all, several
 * devices), UNAVAILABLE with the list of what there is. */
quartic_status quartic_device_match(const char *name, const quartic_device_info *infos, uint32_t count,
                                    const char *no_vulkan, uint32_t *out_at);

#endif

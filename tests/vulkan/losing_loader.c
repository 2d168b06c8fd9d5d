/* losing_loader.c: a Vulkan loader for tests (real_loader.h) that passes everything on until the device is
 * lost: from the QUARTIC_TEST_LOST_AT-th vkQueueSubmit2 of the process on, each says so.
 */
#include "real_loader.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static PFN_vkQueueSubmit2 real_submit;
static _Atomic long submits;

static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue queue, uint32_t count, const VkSubmitInfo2 *infos,
                                             VkFence fence) {
    const char *lost_at = getenv("QUARTIC_TEST_LOST_AT");
    if (lost_at != NULL && atomic_fetch_add(&submits, 1) + 1 >= strtol(lost_at, NULL, 10))
        return VK_ERROR_DEVICE_LOST;
    return real_submit(queue, count, infos, fence);
}

PFN_vkVoidFunction loader_function(VkInstance instance, const char *name, PFN_vkVoidFunction found) {
    if (instance != NULL || found == NULL || strcmp(name, "vkQueueSubmit2") != 0) return found;
    real_submit = (PFN_vkQueueSubmit2)found;
    return (PFN_vkVoidFunction)submit;
}

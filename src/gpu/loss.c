/* loss.c: what a device was doing when it was lost, and what is left to do then.
 *
 * Each batch of a submit notes which steps of which program it holds, and which training step they belong to. The
 * notes of unfinished batches are kept in a ring, so the first one that has not finished is what the device was
 * running. The sentence made of it is kept with the device: every later call repeats it.
 *
 * A device that is lost is done with its work: its objects can be destroyed. One that only finishes nothing
 * more may still use them, and Vulkan forbids to destroy what is in use; so they are left to the end of the
 * process.
 */
#include "gpu/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

enum { STEP_TEXT = 160, WORK_TEXT = 440, RUNNING_TEXT = 552, FAULT_TEXT = 320, FAULT_INFOS = 4 };

/* One step as "rms_norm (in "blocks.0")". */
static void describe_step(char text[STEP_TEXT], const char *op, const char *scope) {
    if (scope == NULL || scope[0] == 0)
        snprintf(text, STEP_TEXT, "%.60s", op);
    else
        snprintf(text, STEP_TEXT, "%.60s (in \"%.70s\")", op, scope);
}

/* The work without its training step. */
static void describe_ops(const quartic_gpu_work *work, char text[WORK_TEXT]) {
    char first[STEP_TEXT], last[STEP_TEXT];
    if (work->count == 0) {
        snprintf(text, WORK_TEXT, "a copy between the host and the device");
        return;
    }
    describe_step(first, work->first_op, work->first_scope);
    describe_step(last, work->last_op, work->last_scope);
    if (work->first == work->last)
        snprintf(text, WORK_TEXT, "op %u of a program's %u, %s", work->first + 1, work->count, first);
    else
        snprintf(text, WORK_TEXT, "ops %u to %u of a program's %u, %s to %s", work->first + 1, work->last + 1,
                 work->count, first, last);
    const size_t used = strlen(text);
    if (work->more != 0)
        snprintf(text + used, WORK_TEXT - used, " and %u more program%s behind, up to %.60s", work->more,
                 work->more == 1 ? "" : "s", work->more_op);
}

static void describe_work(const quartic_gpu_work *work, char text[WORK_TEXT]) {
    describe_ops(work, text);
    const size_t used = strlen(text);
    if (work->training_step != 0)
        snprintf(text + used, WORK_TEXT - used, ", of training step %llu",
                 (unsigned long long)work->training_step);
}

void quartic_gpu_describe_submit(const quartic_gpu_work *work, char text[QUARTIC_GPU_WHAT]) {
    char what[WORK_TEXT];
    describe_work(work, what);
    snprintf(text, QUARTIC_GPU_WHAT, "submitting %s", what);
}

void quartic_gpu_add_work(quartic_gpu_work *all, const quartic_gpu_work *next) {
    if (all->count == 0) {
        *all = *next;
    } else if (next->count != 0) {
        all->more += (next->continues ? 0 : 1) + next->more;
        if (all->more == 0)
            all->last = next->last, all->last_op = next->last_op, all->last_scope = next->last_scope;
        else
            all->more_op = next->more == 0 ? next->last_op : next->more_op;
    }
}

/* ---- notes of what was submitted ---- */

static quartic_gpu_work *note_of(const quartic_gpu_device *device, uint64_t value) {
    return &device->running[value % device->running_capacity];
}

quartic_status quartic_gpu_reserve_notes(quartic_gpu_device *device, uint32_t count) {
    const uint64_t need = device->submitted - device->finished + count;
    if (need <= device->running_capacity) return QUARTIC_OK;
    if (need > UINT32_MAX / 2)
        return quartic_fail(QUARTIC_OUT_OF_MEMORY, "more work is unfinished than can be kept track of");
    const uint32_t capacity = 2 * (uint32_t)need;
    quartic_gpu_work *larger = quartic_alloc(capacity, sizeof *larger);
    if (larger == NULL) return QUARTIC_OUT_OF_MEMORY;
    for (uint64_t value = device->finished + 1; value <= device->submitted; ++value)
        larger[value % capacity] = *note_of(device, value);
    quartic_free(device->running);
    device->running = larger;
    device->running_capacity = capacity;
    return QUARTIC_OK;
}

void quartic_gpu_note_submit(quartic_gpu_device *device, const quartic_gpu_work *works, uint32_t count) {
    for (uint32_t k = 0; k < count; ++k) *note_of(device, device->submitted - count + 1 + k) = works[k];
}

/* The batches that have not finished, as far as a lost device still tells: "" or " while it was running ..". */
static void describe_running(quartic_gpu_device *device, char text[RUNNING_TEXT]) {
    text[0] = 0;
    uint64_t reached = 0;
    const VkResult result = device->vk.vkGetSemaphoreCounterValue(device->handle, device->timeline, &reached);
    if (result == VK_SUCCESS && reached > device->finished && reached <= device->submitted)
        device->finished = reached;
    if (device->finished >= device->submitted) return;
    char what[WORK_TEXT];
    describe_work(note_of(device, device->finished + 1), what);
    const uint64_t behind = device->submitted - device->finished - 1;
    if (behind == 0)
        snprintf(text, RUNNING_TEXT, " while it was running %s", what);
    else
        snprintf(text, RUNNING_TEXT, " while it was running %s, with %llu more waiting behind", what,
                 (unsigned long long)behind);
}

#ifdef VK_EXT_device_fault /* headers since 1.3.230 */
static const char *fault_address_name(VkDeviceFaultAddressTypeEXT type) {
    switch (type) {
    case VK_DEVICE_FAULT_ADDRESS_TYPE_READ_INVALID_EXT:
        return "invalid read at";
    case VK_DEVICE_FAULT_ADDRESS_TYPE_WRITE_INVALID_EXT:
        return "invalid write at";
    case VK_DEVICE_FAULT_ADDRESS_TYPE_EXECUTE_INVALID_EXT:
        return "invalid execution at";
    case VK_DEVICE_FAULT_ADDRESS_TYPE_INSTRUCTION_POINTER_UNKNOWN_EXT:
    case VK_DEVICE_FAULT_ADDRESS_TYPE_INSTRUCTION_POINTER_INVALID_EXT:
    case VK_DEVICE_FAULT_ADDRESS_TYPE_INSTRUCTION_POINTER_FAULT_EXT:
        return "instruction at";
    default:
        return "address";
    }
}

/* Appends to a text of FAULT_TEXT bytes. */
#define ADD_FAULT(...) snprintf(text + strlen(text), FAULT_TEXT - strlen(text), __VA_ARGS__)

/* What VK_EXT_device_fault tells, "" without it. */
static void describe_fault(const quartic_gpu_device *device, char text[FAULT_TEXT]) {
    text[0] = 0;
    if (!device->caps.device_fault || device->vk.vkGetDeviceFaultInfoEXT == NULL) return;
    VkDeviceFaultCountsEXT counts = {.sType = VK_STRUCTURE_TYPE_DEVICE_FAULT_COUNTS_EXT};
    if (device->vk.vkGetDeviceFaultInfoEXT(device->handle, &counts, NULL) < 0) return;
    VkDeviceFaultAddressInfoEXT addresses[FAULT_INFOS] = {{0}};
    VkDeviceFaultVendorInfoEXT vendors[FAULT_INFOS] = {{{0}, 0, 0}};
    VkDeviceFaultInfoEXT info = {.sType = VK_STRUCTURE_TYPE_DEVICE_FAULT_INFO_EXT,
                                 .pAddressInfos = addresses,
                                 .pVendorInfos = vendors};
    if (counts.addressInfoCount > FAULT_INFOS) counts.addressInfoCount = FAULT_INFOS;
    if (counts.vendorInfoCount > FAULT_INFOS) counts.vendorInfoCount = FAULT_INFOS;
    counts.vendorBinarySize = 0;
    if (device->vk.vkGetDeviceFaultInfoEXT(device->handle, &counts, &info) < 0) return;
    ADD_FAULT("%.120s", info.description);
    for (uint32_t k = 0; k < counts.addressInfoCount; ++k)
        ADD_FAULT("%s%s 0x%llx", text[0] == 0 ? "" : ", ", fault_address_name(addresses[k].addressType),
                  (unsigned long long)addresses[k].reportedAddress);
    for (uint32_t k = 0; k < counts.vendorInfoCount; ++k)
        ADD_FAULT("%s%.80s (code %llu, data 0x%llx)", text[0] == 0 ? "" : ", ", vendors[k].description,
                  (unsigned long long)vendors[k].vendorFaultCode,
                  (unsigned long long)vendors[k].vendorFaultData);
}

#else
static void describe_fault(const quartic_gpu_device *device, char text[FAULT_TEXT]) {
    (void)device;
    text[0] = 0;
}
#endif

quartic_status quartic_gpu_lose(quartic_gpu_device *device, const char *what, const char *how) {
    if (!device->lost) {
        char running[RUNNING_TEXT], fault[FAULT_TEXT];
        describe_running(device, running);
        describe_fault(device, fault);
        snprintf(device->loss, sizeof device->loss, "%s%s%s%s", how, running,
                 fault[0] == 0 ? "" : "; the driver reports: ", fault);
        device->lost = true;
    }
    return quartic_fail(QUARTIC_DEVICE_LOST,
                        "%s failed: %s; destroy the device, open it again and go on from what was last saved",
                        what, device->loss);
}

quartic_status quartic_gpu_expect_alive(const quartic_gpu_device *device) {
    if (!device->lost) return QUARTIC_OK;
    return quartic_fail(QUARTIC_DEVICE_LOST,
                        "the device %.100s was lost in an earlier call: %s; destroy it, open it again and go "
                        "on from what was last saved",
                        device->caps.name, device->loss);
}

/* ---- a device that finishes nothing more ---- */

/* Functions that destroy or free, with the arguments (device, handle, allocator). */
#define DESTROYING_LIST(X)                                                                                   \
    X(DestroyPipeline, VkPipeline)                                                                           \
    X(DestroyPipelineCache, VkPipelineCache)                                                                 \
    X(DestroyPipelineLayout, VkPipelineLayout)                                                               \
    X(DestroyCommandPool, VkCommandPool)                                                                     \
    X(DestroySemaphore, VkSemaphore)                                                                         \
    X(DestroyQueryPool, VkQueryPool)                                                                         \
    X(DestroyBuffer, VkBuffer)                                                                               \
    X(FreeMemory, VkDeviceMemory)

#define KEEP(name, type)                                                                                     \
    static VKAPI_ATTR void VKAPI_CALL keep_##name(VkDevice device, type handle,                              \
                                                  const VkAllocationCallbacks *allocator) {                  \
        (void)device, (void)handle, (void)allocator;                                                         \
    }
DESTROYING_LIST(KEEP)
#undef KEEP

static VKAPI_ATTR void VKAPI_CALL keep_device(VkDevice device, const VkAllocationCallbacks *allocator) {
    (void)device, (void)allocator;
}

static VKAPI_ATTR void VKAPI_CALL keep_instance(VkInstance instance, const VkAllocationCallbacks *allocator) {
    (void)instance, (void)allocator;
}

quartic_status quartic_gpu_abandon(quartic_gpu_device *device, const char *what) {
    char how[128];
    snprintf(how, sizeof how, "the device stopped responding: it finished nothing for %d seconds",
             QUARTIC_GPU_PATIENCE_SECONDS);
    device->abandoned = true;
#define KEEP(name, type) device->vk.vk##name = keep_##name;
    DESTROYING_LIST(KEEP)
#undef KEEP
    device->vk.vkDestroyDevice = keep_device;
    device->instance.vk.DestroyInstance = keep_instance;
    return quartic_gpu_lose(device, what, how);
}

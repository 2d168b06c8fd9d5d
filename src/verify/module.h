/* module.h: recorded cases of single modules, rebuilt with the functions of src/nn that the models use. */
#ifndef QUARTIC_VERIFY_MODULE_H
#define QUARTIC_VERIFY_MODULE_H

#include "quartic/device.h"
#include "verify/recording.h"

enum { QUARTIC_MODULE_RESULTS = 64 };

typedef struct quartic_module_results {
    struct {
        char name[192]; /* output.<name>, grad.input.<name>, grad.param.<name> */
        uint64_t count;
        float *numbers;
        bool integer; /* int32 on the device; converted after the run */
    } items[QUARTIC_MODULE_RESULTS];
    uint32_t count;
} quartic_module_results;

/* Whether the library has the module that the recording names. */
bool quartic_module_known(const char *model);

/* Runs the module and its gradients. The caller frees *out_results, also after an error. Errors: UNSUPPORTED
 * for options or tensors that the library does not have, and those of the recording and the device. */
quartic_status quartic_module_replay(quartic_device *device, const quartic_recording *recording,
                                     quartic_module_results *out_results);
void quartic_module_results_free(quartic_module_results *results);

#endif

/* module.h: recorded cases of single modules, rebuilt from the same pieces as the models. */
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

/* Runs the module and its gradients. The results are to be freed in any case. */
quartic_status quartic_module_replay(quartic_device *device, const quartic_recording *recording,
                                     quartic_module_results *out_results);
void quartic_module_results_free(quartic_module_results *results);

#endif

/* model_golden_test.c: recorded models and training steps on a Vulkan device. Of the extra cases every third
 * is run, since a software device takes its time; `quartic verify` runs all.
 */
#include "model_golden_tests.h"
#include "model_train_tests.h"
#include "vulkan/vulkan_test.h"

int main(void) {
    const test_device vulkan = vulkan_test_kind();
    return model_golden_tests(&vulkan, 3) + model_train_tests(&vulkan);
}

// consumer.cpp: every public header compiles as C++17, and a config set member by member works.
#include <quartic/quartic.h>
#include <quartic/vulkan.h>

#include <cstdio>

int main() {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = 5;
    config.dim = 8;
    config.depth = 1;
    config.dim_edges = 4;
    quartic_device *device = nullptr;
    quartic_model *model = nullptr;
    if (quartic_device_create("cpu", &device) != QUARTIC_OK) return 1;
    if (quartic_model_create(device, &config, &model) != QUARTIC_OK) {
        std::fprintf(stderr, "%s\n", quartic_error_message());
        return 1;
    }
    const int32_t tokens[3] = {0, 4, 2};
    float logits[3 * 5];
    quartic_status status = quartic_model_forward(model, 1, 3, tokens, nullptr, logits);
    if (status != QUARTIC_OK) std::fprintf(stderr, "%s\n", quartic_error_message());
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    return status == QUARTIC_OK ? 0 : 1;
}

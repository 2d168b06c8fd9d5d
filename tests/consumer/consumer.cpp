// consumer.cpp: every public header compiles as C++17, and a config set member by member works.
#include <quartic/quartic.h>
#include <quartic/vulkan.h>

#include <cstddef>
#include <cstdio>

/* Every INIT macro, and the version that the preprocessor sees. */
static_assert(QUARTIC_VERSION >= QUARTIC_VERSION_NUMBER(0, 1, 0), "headers and this test are of one release");
static const quartic_program_config program_config = QUARTIC_PROGRAM_CONFIG_INIT;
static const quartic_trainer_config trainer_config = QUARTIC_TRAINER_CONFIG_INIT;
static const quartic_validate_config validate_config = QUARTIC_VALIDATE_CONFIG_INIT;
static const quartic_vulkan_config vulkan_config = QUARTIC_VULKAN_CONFIG_INIT;
static const quartic_allocator allocator = QUARTIC_ALLOCATOR_INIT;
static const quartic_model_readout readout = QUARTIC_MODEL_READOUT_INIT;
static const quartic_model_batch batch = QUARTIC_MODEL_BATCH_INIT;
static const quartic_model_inputs inputs = QUARTIC_MODEL_INPUTS_INIT;
static const quartic_matmul_options matmul = QUARTIC_MATMUL_OPTIONS_INIT;
static const quartic_norm_linear_options norm_linear = QUARTIC_NORM_LINEAR_OPTIONS_INIT;
static const quartic_taylor_options taylor = QUARTIC_TAYLOR_OPTIONS_INIT;
static const quartic_triangle_options triangle = QUARTIC_TRIANGLE_OPTIONS_INIT;
static const quartic_triple_options triple = QUARTIC_TRIPLE_OPTIONS_INIT;
static const quartic_relational_options relational = QUARTIC_RELATIONAL_OPTIONS_INIT;
static const quartic_edge_softmax_options edge_softmax = QUARTIC_EDGE_SOFTMAX_OPTIONS_INIT;
static const quartic_pair_mask_options pair_mask = QUARTIC_PAIR_MASK_OPTIONS_INIT;
static const quartic_coordinate_descent_options descent = QUARTIC_COORDINATE_DESCENT_OPTIONS_INIT;
static const std::size_t sizes[] = {
    program_config.struct_size, trainer_config.struct_size, validate_config.struct_size,
    vulkan_config.struct_size,  allocator.struct_size,      readout.struct_size,
    batch.struct_size,          inputs.struct_size,         matmul.struct_size,
    norm_linear.struct_size,    taylor.struct_size,         triangle.struct_size,
    relational.struct_size,     edge_softmax.struct_size,   pair_mask.struct_size,
    descent.struct_size,        triple.struct_size};

int main() {
    for (std::size_t size : sizes)
        if (size < sizeof(std::size_t)) return 1;
    if (quartic_version() != QUARTIC_VERSION) return 1;
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

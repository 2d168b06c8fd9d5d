/* edge_forms.c: edge attention as a layer's configuration asks for it. See edge_forms.h.
 *
 * Heads: axial and taylor have linear_heads of width linear_dim_head, all other forms edge_heads of width
 * edge_dim_head. Weights lie under the current prefix, with each module's names (see docs/models.md).
 */
#include "nn/edge_forms.h"

#include "nn/attention.h"
#include "nn/edge_attention.h"
#include "nn/edge_triangle.h"
#include "nn/edge_triple.h"

bool quartic_nn_has_edge_form(const quartic_model_config *config, quartic_edge_attention form) {
    for (uint32_t layer = 0; layer < config->depth; ++layer)
        if (quartic_nn_edge_form(config, layer) == form) return true;
    return false;
}

quartic_status quartic_nn_check_edge_forms(const quartic_model_config *config) {
    if (config->compatibility == QUARTIC_COMPATIBILITY_REFERENCE && config->edges_diagonal_attn &&
        quartic_nn_has_edge_form(config, QUARTIC_EDGE_ATTENTION_AXIAL))
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "compatibility \"reference\" with edges_diagonal_attn true: the published diagonal "
            "attention overwrites every row with the diagonal, fails for more than one sequence "
            "and ignores mask and causality, so it is not reproduced; set edges_diagonal_attn to "
            "false, or compatibility to \"default\"");
    const uint32_t passes = config->triangle_directions_count;
    for (uint32_t k = 0; k < passes; ++k) {
        const uint8_t pass = config->triangle_directions_list[k];
        bool again = false;
        for (uint32_t before = 0; before < k; ++before)
            again = again || config->triangle_directions_list[before] == pass;
        if (again || (pass == QUARTIC_TRIANGLE_PASSES_ALL && passes > 1))
            return quartic_fail(
                QUARTIC_INVALID_ARGUMENT,
                "\"triangle_directions\" lists %s; give each of \"through\", \"outgoing\" and "
                "\"incoming\" at most once, or the word \"all\"",
                again ? "a direction twice" : "\"all\" among others");
    }
    return QUARTIC_OK;
}

static quartic_value edge_form_routed(quartic_nn *nn, const quartic_model_config *config, quartic_value e,
                                      quartic_value mask, quartic_value logits) {
    const quartic_routed_edge_options options = {.heads = config->edge_heads,
                                                 .dim_head = config->edge_dim_head,
                                                 .routed = config->num_routed,
                                                 .ratio = config->routed_k_ratio,
                                                 .causal = config->causal,
                                                 .descent = {.iterations = config->routed_iterations,
                                                             .eps = config->routed_eps,
                                                             .eps_init = config->routed_eps_init,
                                                             .eps_decay = config->routed_eps_decay},
                                                 .mask = mask};
    return quartic_nn_routed_edge_attention(nn, e, logits, &options, NULL, NULL);
}

static quartic_value edge_form_triangle_multiply(quartic_nn *nn, const quartic_model_config *config,
                                                 quartic_value e,
                                                 const quartic_triangle_module_options *options) {
    quartic_triangle_direction directions[QUARTIC_TRIANGLE_DIRECTIONS];
    uint32_t count = 0;
    for (uint32_t k = 0; k < config->triangle_directions_count || k == 0; ++k) {
        const uint32_t pass = config->triangle_directions_count == 0 ? (uint32_t)config->triangle_directions
                                                                     : config->triangle_directions_list[k];
        for (uint32_t d = 0; d < QUARTIC_TRIANGLE_DIRECTIONS;
             ++d) /* pass 0 is "all", pass d + 1 is direction d */
            if (pass == QUARTIC_TRIANGLE_PASSES_ALL || pass == d + 1)
                directions[count++] = (quartic_triangle_direction)d;
    }
    return quartic_nn_triangle_multiply(nn, e, directions, count, options);
}

quartic_value quartic_nn_edge_attention(quartic_nn *nn, const quartic_model_config *config,
                                        quartic_edge_attention form, quartic_value e, quartic_value mask,
                                        quartic_value logits) {
    const quartic_triangle_module_options triangle = {.heads = config->edge_heads,
                                                      .dim_head = config->edge_dim_head,
                                                      .causal = config->causal,
                                                      .alphafold = config->triangle_orientation ==
                                                                   QUARTIC_TRIANGLE_ORIENTATION_ALPHAFOLD,
                                                      .mask = mask};
    switch (form) {
    case QUARTIC_EDGE_ATTENTION_AXIAL: {
        const quartic_axial_options axial = {.heads = config->linear_heads,
                                             .dim_head = config->linear_dim_head,
                                             .causal = config->causal,
                                             .diagonal = config->edges_diagonal_attn,
                                             .mask = mask};
        /* Axial attention has residuals of its own. The published package adds e once more, which doubles
         * every edge in every layer. */
        const quartic_value attended = quartic_nn_axial_attention(nn, e, &axial);
        return config->compatibility == QUARTIC_COMPATIBILITY_REFERENCE ? quartic_add(nn->graph, e, attended)
                                                                        : attended;
    }
    case QUARTIC_EDGE_ATTENTION_TAYLOR:
        return quartic_nn_taylor_edge_attention(nn, e, e, config->linear_heads, config->linear_dim_head,
                                                config->causal, mask);
    case QUARTIC_EDGE_ATTENTION_FULL: {
        const quartic_full_edge_options full = {.heads = config->edge_heads,
                                                .dim_head = config->edge_dim_head,
                                                .causal = config->causal,
                                                .mask = mask};
        return quartic_nn_full_edge_attention(nn, e, &full);
    }
    case QUARTIC_EDGE_ATTENTION_ROUTED:
        return edge_form_routed(nn, config, e, mask, logits);
    case QUARTIC_EDGE_ATTENTION_TRIANGLE:
        return quartic_nn_triangle_attention(nn, e, &triangle);
    case QUARTIC_EDGE_ATTENTION_TRIANGLE_START_END:
        return quartic_nn_triangle_start_end(nn, e, &triangle);
    case QUARTIC_EDGE_ATTENTION_TRIANGLE_MULTIPLY:
        return edge_form_triangle_multiply(nn, config, e, &triangle);
    case QUARTIC_EDGE_ATTENTION_TRIPLE: {
        const quartic_triple_module_options triple = {.heads = config->edge_heads,
                                                      .dim_head = config->edge_dim_head,
                                                      .causal = config->causal,
                                                      .mask = mask};
        return quartic_nn_triple_attention(nn, e, &triple);
    }
    case QUARTIC_EDGE_ATTENTION_DEFAULT: /* the derived values have replaced it */
    case QUARTIC_EDGE_ATTENTION_NONE:
        break;
    }
    return e;
}

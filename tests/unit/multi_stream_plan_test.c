/* multi_stream_plan_test.c: what the multi-stream ops and configurations refuse, and that their GPU plans
 * cover every place once within what every device offers. No device. */
#include "expect.h"

#include "ops/diversity.h"
#include "ops/stream_feedforward.h"
#include "quartic/model.h"
#include "shaders/diversity.args.h"
#include "shaders/diversity_grad.args.h"
#include "shaders/stream_exchange.args.h"
#include "shaders/stream_feedforward_weights.args.h"

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

static quartic_gpu_limits limits = {.max_shared_bytes = 16384,
                                    .max_invocations = 256,
                                    .subgroup_size = 32,
                                    .compute_units = 60,
                                    .max_iterations = 65535};

static void multi_stream_plan_assert_says(const char *part) {
    if (strstr(quartic_error_message(), part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", quartic_error_message(), part);
}

/* One use of an op: operands by shape, outputs by infer. */
typedef struct planned {
    quartic_layout inputs[QUARTIC_OP_MAX_INPUTS], outputs[QUARTIC_OP_MAX_OUTPUTS];
    quartic_op_call call;
    quartic_dispatch_list list;
} planned;

static quartic_status multi_stream_plan_infer(planned *p, const quartic_op *op, const void *attrs,
                                              const quartic_shape *shapes, uint32_t count) {
    *p = (planned){.call = {attrs, count, 0, p->inputs, p->outputs}};
    for (uint32_t k = 0; k < count; ++k)
        p->inputs[k] = quartic_layout_contiguous(QUARTIC_FLOAT32, &shapes[k]);
    return op->infer(&p->call, p->outputs, &p->call.output_count);
}

static void multi_stream_plan_plan(planned *p, const quartic_op *op, const void *attrs,
                                   const quartic_shape *shapes, uint32_t count) {
    if (multi_stream_plan_infer(p, op, attrs, shapes, count) != QUARTIC_OK ||
        op->gpu(&p->call, &limits, &p->list) != QUARTIC_OK)
        fail_msg("%s", quartic_error_message());
    assert_true(p->list.count > 0);
}

/* ---- plans ---- */

static const uint32_t head_counts[] = {1, 2, 5, 8, 16, 17, 64, 100, 128, 130, 511, 512};
static const uint32_t position_counts[] = {1, 2, 63, 64, 65, 1000, 65536};

static void exchanges_cover_all_columns(void **state) {
    (void)state;
    const stream_exchange_attrs attrs = {0};
    for (size_t h = 0; h < LENGTH(head_counts); ++h)
        for (size_t n = 0; n < LENGTH(position_counts); ++n) {
            const uint32_t heads = head_counts[h], positions = position_counts[n], batch = 3;
            const quartic_shape shapes[] = {QUARTIC_SHAPE(batch, heads, positions),
                                            QUARTIC_SHAPE(heads, heads)};
            planned p;
            multi_stream_plan_plan(&p, &quartic_op_stream_exchange, &attrs, shapes, 2);
            const quartic_dispatch *dispatch = &p.list.items[0];
            quartic_stream_exchange_args args;
            memcpy(&args, dispatch->args, sizeof args);
            const uint32_t columns = dispatch->spec[1], steps = dispatch->spec[2];
            assert_int_equal(dispatch->spec[0], heads);
            assert_int_equal(256 % columns, 0);
            assert_true(256 / columns * steps >= heads && steps <= 4);
            assert_true(3 * heads * columns * 4 <= limits.max_shared_bytes); /* the adjoint has three tiles */
            assert_true(args.tiles * columns >= positions && (args.tiles - 1) * columns < positions);
            assert_int_equal(args.groups, batch * args.tiles);
        }
}

static void weights_are_summed_over_all_tiles_once(void **state) {
    (void)state;
    const stream_feedforward_attrs attrs = {.eps = 1e-5f, .wants = QUARTIC_STREAM_WANT_WEIGHTS};
    for (size_t h = 0; h < LENGTH(head_counts); ++h)
        for (size_t n = 0; n < LENGTH(position_counts); ++n)
            for (uint32_t mult = 1; mult < 4; ++mult) {
                const uint32_t heads = head_counts[h], positions = position_counts[n], hidden = mult * heads;
                const quartic_shape x = QUARTIC_SHAPE(2, heads, positions);
                const quartic_shape shapes[] = {x, QUARTIC_SHAPE(heads), QUARTIC_SHAPE(hidden, heads),
                                                QUARTIC_SHAPE(heads, hidden), x};
                planned p;
                multi_stream_plan_plan(&p, &quartic_op_stream_feedforward_grad, &attrs, shapes, 5);
                assert_int_equal(p.list.count, 2);
                quartic_stream_feedforward_weights_args args;
                memcpy(&args, p.list.items[0].args, sizeof args);
                const uint32_t *spec = p.list.items[0].spec, columns = spec[1], units = spec[2],
                               pairs = spec[3];
                const uint32_t splits = args.groups / args.unit_groups;
                assert_true(pairs * 256 >= units * heads && pairs <= 8);
                assert_true(4 * ((columns + 1) * 2 * (heads + units) + columns) <= limits.max_shared_bytes);
                assert_true(args.unit_groups * units >= hidden && (args.unit_groups - 1) * units < hidden);
                assert_true(args.tiles * columns >= positions && (args.tiles - 1) * columns < positions);
                assert_int_equal(args.all_tiles, 2 * args.tiles);
                assert_true(splits * args.tiles_of_one >= args.all_tiles);
                assert_true((splits - 1) * args.tiles_of_one < args.all_tiles);
                assert_true(p.list.scratch_bytes >= 8ull * splits * heads * hidden);
            }
}

static void choices_are_counted_once(void **state) {
    (void)state;
    static const struct {
        uint32_t streams, heads;
    } sizes[] = {{1, 1}, {1, 16}, {2, 8}, {3, 3}, {4, 8}, {8, 4}, {8, 5}, {5, 16}, {2, 1024}};
    for (size_t k = 0; k < LENGTH(sizes); ++k)
        for (size_t n = 0; n < 4; ++n) {
            const uint32_t streams = sizes[k].streams, heads = sizes[k].heads, keys = position_counts[n];
            const diversity_attrs attrs = {streams};
            const quartic_shape shapes[] = {QUARTIC_SHAPE(2, streams * heads, 3, keys), QUARTIC_SHAPE(2, 3)};
            const double choices = diversity_choices(heads, streams);
            planned p;
            multi_stream_plan_plan(&p, &quartic_op_diversity, &attrs, shapes, 1);
            quartic_diversity_args args;
            memcpy(&args, p.list.items[0].args, sizeof args);
            assert_true(args.outer * heads == choices);
            assert_true(args.splits * args.outer_of_one >= args.outer);
            assert_true((args.splits - 1) * args.outer_of_one < args.outer);
            assert_int_equal(p.list.items[0].groups[0], 6 * args.splits);
            multi_stream_plan_plan(&p, &quartic_op_diversity_grad, &attrs, shapes, 2);
            uint32_t next = 0;
            for (uint32_t d = 0; d < p.list.count; ++d) {
                quartic_diversity_grad_args part;
                memcpy(&part, p.list.items[d].args, sizeof part);
                assert_int_equal(part.begin, next);
                assert_true(part.end > part.begin);
                assert_true((part.end - part.begin) * (double)heads <= limits.max_iterations);
                next = part.end;
            }
            /* The head itself is fixed, and so is one other stream's, which is the inner loop. */
            assert_true(next * (double)heads * (streams > 1 ? heads : 1) == choices);
        }
}

static void loops_that_would_be_cut_short_are_refused(void **state) {
    (void)state;
    const diversity_attrs attrs = {20};
    const quartic_shape p_shape = QUARTIC_SHAPE(1, 40, 5, 5), g_shape = QUARTIC_SHAPE(1, 5);
    planned p;
    assert_int_equal(multi_stream_plan_infer(&p, &quartic_op_diversity_grad, &attrs,
                                             (quartic_shape[]){p_shape, g_shape}, 2),
                     QUARTIC_OK);
    assert_int_equal(quartic_op_diversity_grad.gpu(&p.call, &limits, &p.list), QUARTIC_UNSUPPORTED);
    multi_stream_plan_assert_says("this device leaves loops after 65535");
    limits.max_iterations = 0;
    p.list = (quartic_dispatch_list){0};
    assert_int_equal(quartic_op_diversity_grad.gpu(&p.call, &limits, &p.list), QUARTIC_OK);
    limits.max_iterations = 65535;
    const stream_feedforward_attrs feedforward = {.eps = 1e-5f};
    const uint32_t hidden = 1u << 22;
    const quartic_shape shapes[] = {QUARTIC_SHAPE(1, 8, 4), QUARTIC_SHAPE(8), QUARTIC_SHAPE(hidden, 8),
                                    QUARTIC_SHAPE(8, hidden)};
    assert_int_equal(multi_stream_plan_infer(&p, &quartic_op_stream_feedforward, &feedforward, shapes, 4),
                     QUARTIC_OK);
    assert_int_equal(quartic_op_stream_feedforward.gpu(&p.call, &limits, &p.list), QUARTIC_UNSUPPORTED);
    multi_stream_plan_assert_says("8 heads with 4194304 hidden units");
}

/* ---- what is refused ---- */

static void operands_are_refused_with_messages(void **state) {
    (void)state;
    const stream_exchange_attrs exchange = {0};
    const stream_feedforward_attrs feedforward = {.eps = 1e-5f}, negative = {.eps = -1.0f};
    const diversity_attrs three = {3}, eight = {8}, none = {0};
    const quartic_shape x = QUARTIC_SHAPE(2, 4, 5, 5);
    planned p;
    assert_int_equal(multi_stream_plan_infer(&p, &quartic_op_stream_exchange, &exchange,
                                             (quartic_shape[]){x, QUARTIC_SHAPE(4, 5)}, 2),
                     QUARTIC_SHAPE_MISMATCH);
    multi_stream_plan_assert_says("(4, 4)");
    assert_int_equal(multi_stream_plan_infer(&p, &quartic_op_stream_exchange, &exchange,
                                             (quartic_shape[]){QUARTIC_SHAPE(4), QUARTIC_SHAPE(4, 4)}, 2),
                     QUARTIC_SHAPE_MISMATCH);
    multi_stream_plan_assert_says("(batch, heads, ..)");
    assert_int_equal(
        multi_stream_plan_infer(&p, &quartic_op_stream_exchange, &exchange,
                                (quartic_shape[]){QUARTIC_SHAPE(1, 513, 2), QUARTIC_SHAPE(513, 513)}, 2),
        QUARTIC_UNSUPPORTED);
    multi_stream_plan_assert_says("at most 512 heads, and shape (1, 513, 2) has 513");
    assert_int_equal(multi_stream_plan_infer(
                         &p, &quartic_op_stream_feedforward, &feedforward,
                         (quartic_shape[]){x, QUARTIC_SHAPE(4), QUARTIC_SHAPE(8, 3), QUARTIC_SHAPE(4, 8)}, 4),
                     QUARTIC_SHAPE_MISMATCH);
    multi_stream_plan_assert_says("(hidden units, 4), not (8, 3)");
    assert_int_equal(multi_stream_plan_infer(
                         &p, &quartic_op_stream_feedforward, &feedforward,
                         (quartic_shape[]){x, QUARTIC_SHAPE(4), QUARTIC_SHAPE(8, 4), QUARTIC_SHAPE(4, 7)}, 4),
                     QUARTIC_SHAPE_MISMATCH);
    multi_stream_plan_assert_says("(4, 8)");
    assert_int_equal(multi_stream_plan_infer(
                         &p, &quartic_op_stream_feedforward, &negative,
                         (quartic_shape[]){x, QUARTIC_SHAPE(4), QUARTIC_SHAPE(8, 4), QUARTIC_SHAPE(4, 8)}, 4),
                     QUARTIC_INVALID_ARGUMENT);
    multi_stream_plan_assert_says("eps -1");
    assert_int_equal(multi_stream_plan_infer(&p, &quartic_op_diversity, &three, &x, 1),
                     QUARTIC_SHAPE_MISMATCH);
    multi_stream_plan_assert_says("3 streams got shape (2, 4, 5, 5), whose 4 heads (axis 1) do not divide");
    assert_int_equal(multi_stream_plan_infer(&p, &quartic_op_diversity, &none, &x, 1),
                     QUARTIC_SHAPE_MISMATCH);
    const quartic_shape many = QUARTIC_SHAPE(1, 64, 256, 256);
    assert_int_equal(multi_stream_plan_infer(&p, &quartic_op_diversity, &eight, &many, 1),
                     QUARTIC_UNSUPPORTED);
    multi_stream_plan_assert_says("8 streams of 8 heads averages over 8^8 = 1.68e+07 choices");
    multi_stream_plan_assert_says("2.2e+13 operations");
}

static quartic_model_config small(void) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.model = QUARTIC_MODEL_MULTI_STREAM;
    config.num_tokens = 13, config.dim = 16, config.depth = 2;
    return config;
}

static void configurations_are_refused_with_messages(void **state) {
    (void)state;
    quartic_model_config config = small();
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_OK);
    config.compatibility = QUARTIC_COMPATIBILITY_REFERENCE, config.num_streams = 3;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT);
    multi_stream_plan_assert_says("num_streams 3: in the published package always 2 streams exchange");
    config.ablate_cross_stream_talking_heads = 1;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_OK);
    config.ablate_cross_stream_talking_heads = 0, config.num_streams = 4;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_OK);
    config = small();
    config.num_streams = 9, config.heads = 64;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT);
    multi_stream_plan_assert_says("9 streams of 64 heads exchange among 576 heads, and at most 512 may");
    config.pre_talking_heads = config.post_talking_heads = 0;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_OK);
    config = small();
    config.num_streams = 7;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_OK);
    config.diversity_loss = 0.5f;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT);
    multi_stream_plan_assert_says(
        "diversity_loss 0.5 with 7 streams of 8 heads: it compares all 8^7 = 2.1e+06 choices");
    config = small();
    config.model = QUARTIC_MODEL_QUARTIC, config.diversity_loss = 1.0f;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT);
    multi_stream_plan_assert_says("\"quartic\", which has no streams to compare");
    config = small();
    config.readout = QUARTIC_READOUT_EDGE;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT);
    multi_stream_plan_assert_says("\"multi-stream\" takes tokens");
}

static void json_takes_either_spelling(void **state) {
    (void)state;
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    assert_int_equal(quartic_model_config_read_json(&config, "{\"model\": \"multi_stream\"}"), QUARTIC_OK);
    assert_int_equal(config.model, QUARTIC_MODEL_MULTI_STREAM);
    config.model = QUARTIC_MODEL_QUARTIC;
    assert_int_equal(
        quartic_model_config_read_json(&config, "{\"model\": \"multi-stream\", \"num_streams\": 65}"),
        QUARTIC_INVALID_ARGUMENT);
    multi_stream_plan_assert_says("from 1 to 64");
    assert_int_equal(quartic_model_config_read_json(&config, "{\"model\": \"multi-stream\"}"), QUARTIC_OK);
    assert_int_equal(config.model, QUARTIC_MODEL_MULTI_STREAM);
    assert_int_equal(quartic_model_config_read_json(&config, "{\"model\": \"multistream\"}"),
                     QUARTIC_INVALID_ARGUMENT);
    multi_stream_plan_assert_says("did you mean \"multi-stream\"?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchanges_cover_all_columns),
        cmocka_unit_test(weights_are_summed_over_all_tiles_once),
        cmocka_unit_test(choices_are_counted_once),
        cmocka_unit_test(loops_that_would_be_cut_short_are_refused),
        cmocka_unit_test(operands_are_refused_with_messages),
        cmocka_unit_test(configurations_are_refused_with_messages),
        cmocka_unit_test(json_takes_either_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

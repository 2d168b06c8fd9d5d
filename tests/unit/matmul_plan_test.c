/* matmul_plan_test.c: what matmul refuses, its canonical form, and the dispatches that it plans.
 *
 * Plans are checked by carrying them out here: every group does what the shaders' matmul_place_of and
 * matmul_step_at say, in plain C, on small integers, and the result must equal the reference exactly. So a
 * plan that leaves out or doubles a tile, a step or a part, or that gives too little scratch, fails.
 */
#include "expect.h"

#include "base/alloc.h"
#include "ops/matmul/plan.h"
#include "shaders/matmul.args.h"
#include "shaders/matmul_reduce.args.h"
#include "shaders/matmul_split.args.h"

static const quartic_gpu_limits discrete = {
    .max_shared_bytes = 49152, .max_invocations = 1024, .subgroup_size = 32, .compute_units = 80};
static const quartic_gpu_limits least = {
    .max_shared_bytes = 16384, .max_invocations = 128, .subgroup_size = 64};
static const quartic_gpu_limits software = {.max_shared_bytes = 32768,
                                            .max_invocations = 1024,
                                            .subgroup_size = 8,
                                            .compute_units = 2,
                                            .has_subgroup_shuffle = 1,
                                            .is_software = 1};

/* ---- a product with operands ---- */

typedef struct product {
    quartic_matmul_attrs attrs;
    quartic_layout inputs[4], output;
    quartic_op_call call;
    float *data[4], *result, *want;
} product;

static float *small_integers(uint64_t count, uint32_t salt) {
    float *numbers = quartic_alloc(count, sizeof *numbers);
    for (uint64_t i = 0; i < count; ++i)
        numbers[i] = (float)((i * 2654435761u + salt * 40503u) >> 7 & 3) - 1.0f;
    return numbers;
}

/* with: 1 bias, 2 addend. strided: a and b lie in storages twice as wide, one element in. */
static void make(product *p, quartic_shape a, quartic_shape b, quartic_matmul_attrs attrs, uint32_t with,
                 bool strided) {
    *p = (product){.attrs = attrs};
    p->inputs[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &a);
    p->inputs[1] = quartic_layout_contiguous(QUARTIC_FLOAT32, &b);
    for (uint32_t i = 0; i < 2 && strided; ++i) {
        for (uint32_t axis = 0; axis < p->inputs[i].shape.rank; ++axis) p->inputs[i].strides[axis] *= 2;
        p->inputs[i].offset = 1;
    }
    p->call = (quartic_op_call){&p->attrs, 2, 0, p->inputs, &p->output};
    assert_int_equal(quartic_op_matmul.infer(&p->call, &p->output, &p->call.output_count), QUARTIC_OK);
    const quartic_shape bias = {1, {p->output.shape.dims[p->output.shape.rank - 1]}};
    if (with & 1) p->inputs[2] = quartic_layout_contiguous(QUARTIC_FLOAT32, &bias);
    if (with & 2) p->inputs[3] = p->output;
    p->call.input_count = 4;
    assert_int_equal(quartic_op_matmul.infer(&p->call, &p->output, &p->call.output_count), QUARTIC_OK);
    quartic_op_run run = {.attrs = &p->attrs, .input_count = 4, .output_count = 1, .threads = 1};
    for (uint32_t i = 0; i < 4; ++i) {
        if (!quartic_is_present(&p->inputs[i])) continue;
        int64_t begin, end;
        quartic_layout_extent(&p->inputs[i], &begin, &end);
        p->data[i] = small_integers((uint64_t)end, i + 1);
        run.inputs[i] = (quartic_operand){p->data[i] + p->inputs[i].offset, &p->inputs[i], false, NULL};
    }
    uint64_t count = quartic_layout_elements(&p->output);
    p->result = quartic_alloc(count, sizeof(float));
    p->want = quartic_alloc(count, sizeof(float));
    for (uint64_t i = 0; i < count; ++i) p->result[i] = 12345.0f;
    run.outputs[0] = (quartic_operand){p->want, &p->output, false, NULL};
    quartic_op_matmul.cpu(&run);
}

static void drop(product *p) {
    for (uint32_t i = 0; i < 4; ++i) quartic_free(p->data[i]);
    quartic_free(p->result);
    quartic_free(p->want);
}

static void matmul_plan_expect_equal(const product *p) {
    uint64_t count = quartic_layout_elements(&p->output);
    bool some = false;
    for (uint64_t i = 0; i < count; ++i) {
        if (p->result[i] != p->want[i])
            fail_msg("element %llu is %g, not %g", (unsigned long long)i, (double)p->result[i],
                     (double)p->want[i]);
        some |= p->want[i] != 0.0f;
    }
    assert_true(some);
}

/* ---- what the shaders do ---- */

static void axes_at(const quartic_matmul_args *args, uint64_t index, uint32_t first, uint32_t count,
                    int64_t *a, int64_t *b) {
    for (uint32_t axis = first + count; axis-- > first;) {
        int64_t within = (int64_t)(index % args->extents[axis]);
        index /= args->extents[axis];
        *a += within * args->a_strides[axis];
        *b += within * args->b_strides[axis];
    }
}

/* The arguments of a product, whichever of the two structs the dispatch has. */
static quartic_matmul_args product_args(const quartic_dispatch *dispatch) {
    quartic_matmul_args args;
    quartic_matmul_split_args split;
    if (strstr(dispatch->shader, "_split") == NULL) {
        memcpy(&args, dispatch->args, sizeof args);
        return args;
    }
    memcpy(&split, dispatch->args, sizeof split);
    args = (quartic_matmul_args){.m = split.m,
                                 .n = split.n,
                                 .k = split.k,
                                 .alpha = 1.0f,
                                 .a_row = split.a_row,
                                 .a_k = split.a_k,
                                 .b_k = split.b_k,
                                 .b_col = split.b_col,
                                 .axis_counts = split.axis_counts,
                                 .split_steps = split.split_steps};
    for (uint32_t axis = 0; axis < 2; ++axis) {
        args.extents[axis] = split.extents[axis];
        args.a_strides[axis] = split.a_strides[axis];
        args.b_strides[axis] = split.b_strides[axis];
    }
    return args;
}

/* Group by group; addend and bias only where the constants say so, and not into parts. Returns the number of parts. */
static uint64_t run_product(const product *p, const quartic_dispatch *dispatch, float *scratch,
                            uint64_t scratch_floats) {
    const quartic_matmul_args args = product_args(dispatch);
    const uint32_t write = scratch != NULL ? 0 : dispatch->spec[7];
    bool small = strcmp(dispatch->shader, "matmul_small") == 0;
    uint32_t tile_m = dispatch->spec[0], tile_n = dispatch->spec[1], step_k = dispatch->spec[2];
    uint32_t batch_axes = args.axis_counts & 255, summed_axes = args.axis_counts >> 8;
    uint64_t batches = 1, steps = (args.k + step_k - 1) / step_k, inner = steps;
    for (uint32_t axis = 0; axis < batch_axes; ++axis) batches *= args.extents[axis];
    for (uint32_t axis = batch_axes; axis < batch_axes + summed_axes; ++axis) steps *= args.extents[axis];
    uint64_t parts = (steps + args.split_steps - 1) / args.split_steps;
    uint64_t tiles_n = (args.n + tile_n - 1) / tile_n, tiles_m = (args.m + tile_m - 1) / tile_m;
    uint64_t launched = (uint64_t)dispatch->groups[0] * dispatch->groups[1];
    uint64_t needed = tiles_m * tiles_n * batches * parts;
    if (small) needed = (needed + dispatch->spec[8] - 1) / dispatch->spec[8];
    assert_true(launched >= needed);
    assert_true(launched - needed < dispatch->groups[0]);
    float *result = scratch != NULL ? scratch : p->result;
    uint64_t results = quartic_layout_elements(&p->output);
    assert_int_equal(batches * args.m * args.n, results);
    if (scratch != NULL)
        assert_true(parts * results <= scratch_floats);
    else
        assert_int_equal(parts, 1);
    const float *a = p->data[0] + p->inputs[0].offset, *b = p->data[1] + p->inputs[1].offset;
    for (uint64_t group = 0; group < tiles_m * tiles_n * batches * parts; ++group) {
        uint64_t col = group % tiles_n * tile_n, row = group / tiles_n % tiles_m * tile_m;
        uint64_t part = group / tiles_n / tiles_m % parts, batch = group / tiles_n / tiles_m / parts;
        int64_t a_batch = 0, b_batch = 0;
        axes_at(&args, batch, 0, batch_axes, &a_batch, &b_batch);
        uint64_t end_step = (part + 1) * args.split_steps < steps ? (part + 1) * args.split_steps : steps;
        for (uint64_t i = row; i < row + tile_m && i < args.m; ++i)
            for (uint64_t j = col; j < col + tile_n && j < args.n; ++j) {
                float sum = 0.0f;
                for (uint64_t step = part * args.split_steps; step < end_step; ++step) {
                    int64_t a_at = a_batch + (int64_t)i * args.a_row,
                            b_at = b_batch + (int64_t)j * args.b_col;
                    axes_at(&args, step / inner, batch_axes, summed_axes, &a_at, &b_at);
                    for (uint64_t k = step % inner * step_k; k < (step % inner + 1) * step_k && k < args.k;
                         ++k)
                        sum += a[a_at + (int64_t)k * args.a_k] * b[b_at + (int64_t)k * args.b_k];
                }
                uint64_t at = ((part * batches + batch) * args.m + i) * args.n + j;
                sum *= args.alpha;
                if (write & 4) sum += p->data[2][j];
                if (write & 1) sum += p->data[3][at];
                result[at] = sum;
            }
    }
    return parts;
}

static void run_reduction(const product *p, const quartic_dispatch *dispatch, const float *scratch) {
    quartic_matmul_reduce_args args;
    memcpy(&args, dispatch->args, sizeof args);
    assert_string_equal(dispatch->shader, "matmul_reduce");
    assert_true(64ull * dispatch->groups[0] * dispatch->groups[1] >= args.count);
    assert_int_equal(args.count, quartic_layout_elements(&p->output));
    for (uint64_t i = 0; i < args.count; ++i) {
        float sum = 0.0f;
        for (uint64_t part = 0; part < args.splits; ++part) sum += scratch[part * args.count + i];
        sum *= args.alpha;
        if (dispatch->spec[0]) sum += p->data[2][i % args.n];
        if (dispatch->spec[1]) sum += p->data[3][i];
        p->result[i] = sum;
    }
}

/* The last group of each tile adds up its parts: as many counters as tiles. */
static void run_finish(const product *p, const quartic_dispatch_list *list, uint64_t parts,
                       const float *scratch) {
    const quartic_dispatch *dispatch = &list->items[0];
    quartic_matmul_split_args args;
    memcpy(&args, dispatch->args, sizeof args);
    const uint64_t results = quartic_layout_elements(&p->output);
    const uint64_t groups = (uint64_t)dispatch->groups[0] * dispatch->groups[1] - dispatch->idle;
    assert_int_equal(list->counter_bytes, groups / parts * sizeof(uint32_t));
    assert_true((args.axis_counts & 255) + (args.axis_counts >> 8) <= 2);
    for (uint64_t i = 0; i < results; ++i) {
        float sum = 0.0f;
        for (uint64_t part = 0; part < parts; ++part) sum += scratch[part * results + i];
        sum *= args.alpha;
        if (dispatch->spec[7] & 4) sum += p->data[2][i % args.n];
        if (dispatch->spec[7] & 1) sum += p->data[3][i];
        p->result[i] = sum;
    }
}

/* Plans for the limits, checks the plan against them, carries it out; the shader it chose. */
static const char *carry_out(product *p, const quartic_gpu_limits *limits) {
    quartic_dispatch_list *list = quartic_alloc(1, sizeof *list);
    assert_int_equal(quartic_op_matmul.gpu(&p->call, limits, list), QUARTIC_OK);
    const quartic_dispatch *first = &list->items[0];
    const char *shader = first->shader;
    uint32_t threads = first->spec[8], tile_m = first->spec[0], tile_n = first->spec[1],
             step_k = first->spec[2];
    assert_true(threads >= 1 && threads <= 256);
    if (strcmp(shader, "matmul_small") != 0) assert_true(threads <= limits->max_invocations);
    assert_true(first->flops > 0 && first->bytes > 0);
    const bool finishes = strstr(shader, "_split") != NULL;
    if (strcmp(shader, "matmul") == 0 || strcmp(shader, "matmul_split") == 0) {
        assert_int_equal(tile_m / first->spec[3] * (tile_n / first->spec[4]), threads);
        assert_int_equal(tile_m % 4 + tile_n % 4 + step_k % 4 + first->spec[3] % 4 + first->spec[4] % 4, 0);
        assert_true(2 * step_k * (tile_m + 4 + tile_n + 4) * 4 <= limits->max_shared_bytes);
    } else if (strcmp(shader, "matmul_dot") == 0) {
        assert_true(tile_m * tile_n * threads * 4 <= limits->max_shared_bytes);
    } else if (strncmp(shader, "matmul_lanes", 12) == 0) {
        assert_true(limits->has_subgroup_shuffle);
        assert_int_equal(tile_m, first->spec[3]);
        assert_int_equal(tile_n, 8 * first->spec[4]);
    }
    assert_true(list->count >= 1 && list->count <= 2);
    assert_true(!finishes || (limits->has_memory_model && list->count == 1));
    if (finishes) {
        float *scratch = quartic_alloc(list->scratch_bytes, 1);
        const uint64_t parts = run_product(p, first, scratch, list->scratch_bytes / sizeof(float));
        assert_true(parts > 1);
        run_finish(p, list, parts, scratch);
        quartic_free(scratch);
    } else if (list->count == 1) {
        assert_int_equal(list->scratch_bytes + list->counter_bytes, 0);
        run_product(p, first, NULL, 0);
    } else {
        float *scratch = quartic_alloc(list->scratch_bytes, 1);
        run_product(p, first, scratch, list->scratch_bytes / sizeof(float));
        run_reduction(p, &list->items[1], scratch);
        quartic_free(scratch);
    }
    matmul_plan_expect_equal(p);
    quartic_free(list);
    return shader;
}

/* ---- tests ---- */

static void plans_compute_the_product(void **state) {
    (void)state;
    static const struct {
        quartic_shape a, b;
        uint32_t transpose_a, transpose_b, summed, with;
    } cases[] = {
        {{2, {1, 1}}, {2, {1, 1}}, 0, 0, 0, 0},
        {{2, {129, 33}}, {2, {33, 127}}, 0, 0, 0, 3},
        {{2, {300, 140}}, {2, {260, 140}}, 0, 1, 0, 1},
        {{4, {2, 11, 11, 32}}, {2, {8, 32}}, 0, 1, 0, 1},
        {{2, {8, 8}}, {3, {2, 8, 900}}, 0, 0, 0, 2},
        {{3, {400, 4, 5}}, {3, {400, 4, 33}}, 1, 0, 0, 0},
        {{3, {600, 3, 4}}, {3, {600, 4, 5}}, 0, 0, 0, 3},
        {{2, {1, 700}}, {2, {67, 700}}, 0, 1, 0, 1},
        {{2, {9, 5000}}, {2, {7, 5000}}, 0, 1, 0, 3},
        {{2, {5000, 24}}, {2, {5000, 32}}, 1, 0, 0, 3},
        {{2, {4000, 9}}, {2, {4000, 1}}, 1, 0, 0, 0},
        {{4, {5, 4, 40, 20}}, {4, {5, 4, 40, 24}}, 1, 0, 3, 2},
        {{4, {5, 4, 40, 20}}, {4, {5, 1, 40, 24}}, 1, 0, 2, 0},
        {{5, {3, 2, 6, 9, 70}}, {5, {3, 1, 6, 8, 70}}, 0, 1, 4, 1},
        {{6, {2, 2, 1, 2, 3, 4}}, {6, {1, 2, 3, 1, 4, 5}}, 0, 0, 0, 0},
    };
    uint32_t seen = 0;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; ++c)
        for (uint32_t strided = 0; strided < 2; ++strided) {
            product p;
            make(&p, cases[c].a, cases[c].b,
                 (quartic_matmul_attrs){cases[c].transpose_a, cases[c].transpose_b, 2.0f, cases[c].summed},
                 cases[c].with, strided);
            quartic_gpu_limits finishing[] = {discrete, software};
            finishing[0].has_memory_model = finishing[1].has_memory_model = 1;
            const quartic_gpu_limits *limits[] = {&discrete, &least, &software, &finishing[0], &finishing[1]};
            for (uint32_t l = 0; l < 5; ++l) {
                const char *shader = carry_out(&p, limits[l]);
                static const char *const shaders[] = {"matmul",       "matmul_lanes", "matmul_dot",
                                                      "matmul_small", "matmul_split", "matmul_lanes_split"};
                for (uint32_t s = 0; s < 6; ++s)
                    if (strcmp(shader, shaders[s]) == 0) seen |= 1u << s;
                for (uint64_t i = 0; i < quartic_layout_elements(&p.output); ++i) p.result[i] = 12345.0f;
            }
            drop(&p);
        }
    assert_int_equal(seen, 63); /* all shaders had a turn */
}

static quartic_matmul_problem matmul_plan_describe(quartic_shape a, quartic_shape b,
                                                   quartic_matmul_attrs attrs) {
    const quartic_layout inputs[] = {quartic_layout_contiguous(QUARTIC_FLOAT32, &a),
                                     quartic_layout_contiguous(QUARTIC_FLOAT32, &b)};
    const quartic_op_call call = {.attrs = &attrs, .input_count = 2, .inputs = inputs};
    return quartic_matmul_describe(&call);
}

static void axes_fold(void **state) {
    (void)state;
    /* A weight shared by all rows: one product. */
    quartic_matmul_problem p = matmul_plan_describe(QUARTIC_SHAPE(2, 9, 9, 32), QUARTIC_SHAPE(24, 32),
                                                    (quartic_matmul_attrs){.transpose_b = 1, .alpha = 1});
    assert_int_equal(p.m, 162);
    assert_int_equal(p.batch_axes, 0);
    assert_int_equal(p.a_row, 32);
    assert_true(quartic_matmul_flops(&p) == 2.0 * 162 * 24 * 32);
    /* Its gradient: one contraction over all rows. */
    p = matmul_plan_describe(QUARTIC_SHAPE(2, 9, 9, 24), QUARTIC_SHAPE(2, 9, 9, 32),
                             (quartic_matmul_attrs){.transpose_a = 1, .alpha = 1, .summed = 3});
    assert_int_equal(p.k, 162);
    assert_int_equal(p.summed_axes, 0);
    assert_int_equal(p.batches, 1);
    /* Heads that talk: the batch stays, as rows of one batch are not followed by those of the next. */
    p = matmul_plan_describe(QUARTIC_SHAPE(8, 8), QUARTIC_SHAPE(2, 8, 81),
                             (quartic_matmul_attrs){.alpha = 1});
    assert_int_equal(p.m, 8);
    assert_int_equal(p.n, 81);
    assert_int_equal(p.batch_axes, 1);
    assert_int_equal(p.axes[0].a_stride, 0);
    assert_int_equal(p.axes[0].b_stride, 8 * 81);
    /* Two batch axes that both operands walk as one. */
    p = matmul_plan_describe(QUARTIC_SHAPE(2, 3, 5, 7), QUARTIC_SHAPE(2, 3, 7, 4),
                             (quartic_matmul_attrs){.alpha = 1});
    assert_int_equal(p.batch_axes, 1);
    assert_int_equal(p.axes[0].extent, 6);
    /* Single rows of a batch become rows. */
    p = matmul_plan_describe(QUARTIC_SHAPE(6, 1, 7), QUARTIC_SHAPE(7, 4), (quartic_matmul_attrs){.alpha = 1});
    assert_int_equal(p.m, 6);
    assert_int_equal(p.batches, 1);
    /* A sum of outer products becomes a contraction. */
    p = matmul_plan_describe(QUARTIC_SHAPE(6, 7, 1), QUARTIC_SHAPE(6, 1, 4),
                             (quartic_matmul_attrs){.alpha = 1, .summed = 1});
    assert_int_equal(p.k, 6);
    assert_int_equal(p.a_k, 7);
    assert_int_equal(p.b_k, 4);
    assert_int_equal(p.sums, 1);
}

static void long_contractions_are_split(void **state) {
    (void)state;
    const quartic_matmul_attrs attrs = {.transpose_a = 1, .alpha = 1};
    quartic_matmul_problem weights =
        matmul_plan_describe(QUARTIC_SHAPE(16384, 256), QUARTIC_SHAPE(16384, 32), attrs);
    quartic_matmul_plan plan = quartic_matmul_choose(&weights, &discrete);
    assert_true(plan.splits > 8);
    assert_true(plan.groups >= 80);
    assert_true((uint64_t)plan.split_steps * plan.splits >= plan.steps);
    assert_true((uint64_t)plan.split_steps * (plan.splits - 1) < plan.steps); /* no part is empty */
    /* Many results need none. */
    quartic_matmul_problem square =
        matmul_plan_describe(QUARTIC_SHAPE(2048, 2048), QUARTIC_SHAPE(2048, 2048), attrs);
    plan = quartic_matmul_choose(&square, &discrete);
    assert_int_equal(plan.splits, 1);
    assert_int_equal(plan.tile_m * plan.tile_n, 128 * 128);
    /* Small tiles for narrow products. */
    quartic_matmul_problem narrow = matmul_plan_describe(QUARTIC_SHAPE(65536, 32), QUARTIC_SHAPE(32, 8),
                                                         (quartic_matmul_attrs){.alpha = 1});
    plan = quartic_matmul_choose(&narrow, &discrete);
    assert_int_equal(plan.tile_n, 8);
    assert_int_equal(plan.groups, 256);
}

/* A device that leaves loops early gets more parts, or a refusal: never a plan that it would cut short. */
static void short_loops_get_more_parts(void **state) {
    (void)state;
    const quartic_matmul_attrs transposed = {.transpose_a = 1, .alpha = 1},
                               rows = {.transpose_b = 1, .alpha = 1};
    const struct {
        quartic_shape a, b;
        quartic_matmul_attrs attrs;
    } cases[] = {{QUARTIC_SHAPE(3000, 24), QUARTIC_SHAPE(3000, 32), transposed},
                 {QUARTIC_SHAPE(9, 30000), QUARTIC_SHAPE(7, 30000), rows},
                 {QUARTIC_SHAPE(3000, 40), QUARTIC_SHAPE(3000, 50), transposed}};
    const quartic_gpu_limits *all[] = {&discrete, &least, &software};
    uint32_t grown = 0;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; ++c)
        for (uint32_t l = 0; l < 3; ++l) {
            quartic_gpu_limits limits = *all[l];
            limits.compute_units = 1;
            quartic_matmul_problem problem = matmul_plan_describe(cases[c].a, cases[c].b, cases[c].attrs);
            uint32_t before = quartic_matmul_choose(&problem, &limits).splits;
            limits.max_iterations = 500;
            quartic_matmul_plan plan = quartic_matmul_choose(&problem, &limits);
            grown += plan.splits > before;
            uint64_t rounds = plan.kind == QUARTIC_MATMUL_DOT ? plan.step_k / plan.threads : plan.step_k;
            assert_true(plan.split_steps * rounds < 500);
            product p;
            make(&p, cases[c].a, cases[c].b, cases[c].attrs, 3, false);
            carry_out(&p, &limits);
            drop(&p);
        }
    assert_true(grown >= 6); /* the tiles and the lanes; the dot products were short enough */
    quartic_gpu_limits limits = software;
    limits.max_iterations = 10;
    product p;
    make(&p, cases[0].a, cases[0].b, transposed, 0, false);
    quartic_dispatch_list *list = quartic_alloc(1, sizeof *list);
    assert_int_equal(quartic_op_matmul.gpu(&p.call, &limits, list), QUARTIC_UNSUPPORTED);
    assert_non_null(strstr(quartic_error_message(), "3000"));
    quartic_free(list);
    drop(&p);
}

/* A large product takes the largest tile, and a smaller one where an invocation has few registers. */
static void few_registers_take_smaller_tiles(void **state) {
    (void)state;
    const quartic_matmul_attrs attrs = {.alpha = 1};
    quartic_matmul_problem problem =
        matmul_plan_describe(QUARTIC_SHAPE(4096, 512), QUARTIC_SHAPE(512, 4096), attrs);
    quartic_gpu_limits limits = discrete;
    quartic_matmul_plan plan = quartic_matmul_choose(&problem, &limits);
    assert_int_equal(plan.thread_m * plan.thread_n, 64);
    limits.registers = 128;
    plan = quartic_matmul_choose(&problem, &limits);
    assert_int_equal(plan.thread_m * plan.thread_n, 32);
    product p;
    make(&p, QUARTIC_SHAPE(130, 70), QUARTIC_SHAPE(70, 190), attrs, 0, false);
    carry_out(&p, &limits);
    drop(&p);
}

static void matmul_plan_expect_refusal(quartic_shape a, quartic_shape b, quartic_shape bias,
                                       quartic_shape addend, quartic_matmul_attrs attrs, const char *words,
                                       const char *more_words) {
    quartic_layout inputs[4] = {quartic_layout_contiguous(QUARTIC_FLOAT32, &a),
                                quartic_layout_contiguous(QUARTIC_FLOAT32, &b)};
    if (bias.rank != 0) inputs[2] = quartic_layout_contiguous(QUARTIC_FLOAT32, &bias);
    if (addend.rank != 0) inputs[3] = quartic_layout_contiguous(QUARTIC_FLOAT32, &addend);
    const quartic_op_call call = {&attrs, 4, 0, inputs, NULL};
    quartic_layout out;
    uint32_t count;
    assert_int_equal(quartic_op_matmul.infer(&call, &out, &count), QUARTIC_SHAPE_MISMATCH);
    const char *message = quartic_error_message();
    if (strstr(message, words) == NULL || strstr(message, more_words) == NULL)
        fail_msg("\"%s\" lacks \"%s\" or \"%s\"", message, words, more_words);
}

static void refusals_name_both_shapes(void **state) {
    (void)state;
    const quartic_shape none = {0};
    const quartic_matmul_attrs plain = {.alpha = 1}, transposed = {.transpose_b = 1, .alpha = 1};
    matmul_plan_expect_refusal(QUARTIC_SHAPE(2, 3), QUARTIC_SHAPE(4, 5), none, none, plain, "(2, 3)",
                               "(4, 5)");
    matmul_plan_expect_refusal(QUARTIC_SHAPE(2, 3), QUARTIC_SHAPE(4, 5), none, none, transposed,
                               "(4, 5) transposed", "3 and 5");
    matmul_plan_expect_refusal(QUARTIC_SHAPE(2, 4, 3), QUARTIC_SHAPE(3, 3, 5), none, none, plain, "(2, 4, 3)",
                               "(3, 3, 5)");
    matmul_plan_expect_refusal(QUARTIC_SHAPE(3), QUARTIC_SHAPE(3, 5), none, none, plain, "(3)", "two axes");
    matmul_plan_expect_refusal(QUARTIC_SHAPE(0, 3), QUARTIC_SHAPE(3, 5), none, none, plain, "(0, 3)", "zero");
    matmul_plan_expect_refusal(QUARTIC_SHAPE(2, 3), QUARTIC_SHAPE(3, 5), QUARTIC_SHAPE(4), none, plain,
                               "bias", "(5)");
    matmul_plan_expect_refusal(QUARTIC_SHAPE(2, 3), QUARTIC_SHAPE(3, 5), none, QUARTIC_SHAPE(1, 5), plain,
                               "addend", "(2, 5)");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(few_registers_take_smaller_tiles),
                                       cmocka_unit_test(plans_compute_the_product),
                                       cmocka_unit_test(axes_fold),
                                       cmocka_unit_test(long_contractions_are_split),
                                       cmocka_unit_test(short_loops_get_more_parts),
                                       cmocka_unit_test(refusals_name_both_shapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

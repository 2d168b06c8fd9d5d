/* relational_scores.c: scores of relational attention that depend on the edge in both factors, and their
 * adjoint.
 *
 *     s_hij = base_hij + e_ij . (sender_hj + receiver_hi + G_h e_ij)
 *
 * e (b, i, j, De), sender (b, h, De, j), receiver? (b, h, i, De), G? (h, De, De), base (b, h, i, j). With
 *     sender_j = Q'^T k_j,   receiver_i = K'^T q_i,   G = Q'^T K',   base_ij = q_i . k_j
 * this is (q_i + Q' e_ij) . (k_j + K' e_ij), without a query or key for each edge (relational_attention.c).
 * An edge and head cost 2 De^2 + 4 De operations.
 *
 * Adjoint, with g = ds:
 *     de_ij        = sum_h g_hij (sender_hj + receiver_hi + (G_h + G_h^T) e_ij)
 *     dG_h         = sum_bij g_hij e_ij e_ij^T
 *     dsender_hj   = sum_i g_hij e_ij          a matrix product of the graph
 *     dreceiver_hi = sum_j g_hij e_ij          a matrix product of the graph
 */
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/relational_scores.h"

/* ---- shapes ---- */

static quartic_status relational_check_operands(const char *op, const quartic_op_call *call) {
    QUARTIC_TRY(quartic_op_expect_inputs(op, call, QUARTIC_RELATIONAL_INPUTS, QUARTIC_RELATIONAL_INPUTS));
    for (uint32_t input = 0; input < QUARTIC_RELATIONAL_INPUTS; ++input) {
        if (input == QUARTIC_RELATIONAL_RECEIVER || input == QUARTIC_RELATIONAL_FORM)
            if (!quartic_is_present(&call->inputs[input])) continue;
        QUARTIC_TRY(quartic_op_expect_dtype(op, call, input, QUARTIC_FLOAT32));
    }
    QUARTIC_TRY(quartic_op_expect_rank(op, call, QUARTIC_RELATIONAL_E, 4));
    QUARTIC_TRY(quartic_op_expect_rank(op, call, QUARTIC_RELATIONAL_SENDER, 4));
    const quartic_shape *e = &call->inputs[QUARTIC_RELATIONAL_E].shape;
    const quartic_relational_problem p = quartic_relational_problem_of_call(call);
    char text[QUARTIC_SHAPE_TEXT];
    if (quartic_shape_elements(e) == 0 || e->dims[1] != e->dims[2] || p.heads == 0)
        return quartic_fail(
            QUARTIC_SHAPE_MISMATCH,
            "%s needs edges (b, n, n, De) with extents of at least 1, not %s, and at least one "
            "head, not %u",
            op, quartic_shape_text(e, text), p.heads);
    QUARTIC_TRY(quartic_op_expect_shape(op, call, QUARTIC_RELATIONAL_SENDER,
                                        &QUARTIC_SHAPE(p.b, p.heads, p.dim, p.n)));
    if (p.has_receiver)
        QUARTIC_TRY(quartic_op_expect_shape(op, call, QUARTIC_RELATIONAL_RECEIVER,
                                            &QUARTIC_SHAPE(p.b, p.heads, p.n, p.dim)));
    if (p.has_form)
        QUARTIC_TRY(quartic_op_expect_shape(op, call, QUARTIC_RELATIONAL_FORM,
                                            &QUARTIC_SHAPE(p.heads, p.dim, p.dim)));
    return quartic_op_expect_shape(op, call, QUARTIC_RELATIONAL_BASE, &QUARTIC_SHAPE(p.b, p.heads, p.n, p.n));
}

static quartic_status relational_scores_infer(const quartic_op_call *call, quartic_layout *out,
                                              uint32_t *out_count) {
    QUARTIC_TRY(relational_check_operands("relational_scores", call));
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[QUARTIC_RELATIONAL_BASE].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

static quartic_status relational_scores_grad_infer(const quartic_op_call *call, quartic_layout *out,
                                                   uint32_t *out_count) {
    QUARTIC_TRY(relational_check_operands("relational_scores_grad", call));
    const bool has_form = quartic_is_present(&call->inputs[QUARTIC_RELATIONAL_FORM]);
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[QUARTIC_RELATIONAL_E].shape);
    if (has_form)
        out[1] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[QUARTIC_RELATIONAL_FORM].shape);
    *out_count = has_form ? 2 : 1;
    return QUARTIC_OK;
}

/* ---- reference ---- */

/* Where the numbers of one edge and head begin. */
typedef struct edge_place {
    int64_t e, sender, receiver, form, pair; /* sender's components are n apart */
} edge_place;

static edge_place relational_place_of(const quartic_relational_problem *p, uint32_t b, uint32_t h, uint32_t i,
                                      uint32_t j) {
    const int64_t unit = (int64_t)b * p->heads + h, n = p->n, dim = p->dim;
    return (edge_place){.e = (((int64_t)b * n + i) * n + j) * dim,
                        .sender = unit * dim * n + j,
                        .receiver = (unit * n + i) * dim,
                        .form = (int64_t)h * dim * dim,
                        .pair = (unit * n + i) * n + j};
}

/* sender + receiver, component c. */
static double relational_node_terms(const quartic_relational_problem *p, const quartic_op_run *run,
                                    const edge_place *at, uint32_t c) {
    double sum = quartic_get(&run->inputs[QUARTIC_RELATIONAL_SENDER], at->sender + (int64_t)c * p->n);
    if (p->has_receiver) sum += quartic_get(&run->inputs[QUARTIC_RELATIONAL_RECEIVER], at->receiver + c);
    return sum;
}

static double relational_score_of(const quartic_relational_problem *p, const quartic_op_run *run,
                                  const edge_place *at) {
    const quartic_operand *e = &run->inputs[QUARTIC_RELATIONAL_E],
                          *form = &run->inputs[QUARTIC_RELATIONAL_FORM];
    double score = 0;
    for (uint32_t c = 0; c < p->dim; ++c) {
        double row = relational_node_terms(p, run, at, c);
        for (uint32_t k = 0; p->has_form && k < p->dim; ++k)
            row += quartic_get(form, at->form + (int64_t)c * p->dim + k) * quartic_get(e, at->e + k);
        score += quartic_get(e, at->e + c) * row;
    }
    return score;
}

static void relational_scores_cpu(const quartic_op_run *run) {
    const quartic_relational_problem p = quartic_relational_problem_of_run(run);
    const quartic_operand *base = &run->inputs[QUARTIC_RELATIONAL_BASE];
    for (uint32_t b = 0; b < p.b; ++b)
        for (uint32_t h = 0; h < p.heads; ++h)
            for (uint32_t i = 0; i < p.n; ++i)
                for (uint32_t j = 0; j < p.n; ++j) {
                    const edge_place at = relational_place_of(&p, b, h, i, j);
                    const int64_t *strides = base->layout->strides;
                    const double first =
                        quartic_get(base, b * strides[0] + h * strides[1] + i * strides[2] + j * strides[3]);
                    quartic_put(&run->outputs[0], at.pair, first + relational_score_of(&p, run, &at));
                }
}

/* Component c of de_ij. */
static double relational_edge_gradient(const quartic_relational_problem *p, const quartic_op_run *run,
                                       uint32_t b, uint32_t i, uint32_t j, uint32_t c) {
    const quartic_operand *e = &run->inputs[QUARTIC_RELATIONAL_E],
                          *form = &run->inputs[QUARTIC_RELATIONAL_FORM];
    double sum = 0;
    for (uint32_t h = 0; h < p->heads; ++h) {
        const edge_place at = relational_place_of(p, b, h, i, j);
        double row = relational_node_terms(p, run, &at, c);
        for (uint32_t k = 0; p->has_form && k < p->dim; ++k)
            row += (quartic_get(form, at.form + (int64_t)c * p->dim + k) +
                    quartic_get(form, at.form + (int64_t)k * p->dim + c)) *
                   quartic_get(e, at.e + k);
        sum += quartic_get(&run->inputs[QUARTIC_RELATIONAL_DS], at.pair) * row;
    }
    return sum;
}

static double relational_form_gradient(const quartic_relational_problem *p, const quartic_op_run *run,
                                       uint32_t h, uint32_t c, uint32_t k) {
    const quartic_operand *e = &run->inputs[QUARTIC_RELATIONAL_E];
    double sum = 0;
    for (uint32_t b = 0; b < p->b; ++b)
        for (uint32_t i = 0; i < p->n; ++i)
            for (uint32_t j = 0; j < p->n; ++j) {
                const edge_place at = relational_place_of(p, b, h, i, j);
                sum += quartic_get(&run->inputs[QUARTIC_RELATIONAL_DS], at.pair) * quartic_get(e, at.e + c) *
                       quartic_get(e, at.e + k);
            }
    return sum;
}

static void relational_scores_grad_cpu(const quartic_op_run *run) {
    const quartic_relational_problem p = quartic_relational_problem_of_run(run);
    for (uint32_t b = 0; b < p.b; ++b)
        for (uint32_t i = 0; i < p.n; ++i)
            for (uint32_t j = 0; j < p.n; ++j)
                for (uint32_t c = 0; c < p.dim; ++c)
                    quartic_put(&run->outputs[0], relational_place_of(&p, b, 0, i, j).e + c,
                                relational_edge_gradient(&p, run, b, i, j, c));
    if (!p.has_form) return;
    for (uint32_t h = 0; h < p.heads; ++h)
        for (uint32_t c = 0; c < p.dim; ++c)
            for (uint32_t k = 0; k < p.dim; ++k)
                quartic_put(&run->outputs[1], ((int64_t)h * p.dim + c) * p.dim + k,
                            relational_form_gradient(&p, run, h, c, k));
}

/* ---- gradient ---- */

/* sum over one side of ds (b, h, i, j) times e: to (b, i, h, De), or with `senders` to (b, j, h, De). */
static quartic_value relational_sum_edges(quartic_graph *graph, quartic_value ds, quartic_value e,
                                          bool senders) {
    static const uint32_t by_receiver[] = {0, 2, 1, 3}, by_sender[] = {0, 3, 1, 2}, turned[] = {0, 2, 1, 3};
    ds = quartic_permute(graph, ds, senders ? by_sender : by_receiver);
    return quartic_matmul(graph, ds, senders ? quartic_permute(graph, e, turned) : e, NULL);
}

static quartic_status relational_scores_rule(quartic_tape *tape) {
    quartic_graph *graph = quartic_tape_graph(tape);
    quartic_value inputs[QUARTIC_RELATIONAL_INPUTS];
    for (uint32_t input = 0; input < QUARTIC_RELATIONAL_BASE; ++input)
        inputs[input] = quartic_tape_input(tape, input);
    const quartic_value ds = inputs[QUARTIC_RELATIONAL_DS] = quartic_tape_gradient(tape, 0);
    const quartic_value e = inputs[QUARTIC_RELATIONAL_E];
    if (quartic_tape_wants(tape, QUARTIC_RELATIONAL_BASE))
        quartic_tape_give(tape, QUARTIC_RELATIONAL_BASE, ds);
    if (quartic_tape_wants(tape, QUARTIC_RELATIONAL_SENDER)) {
        const uint32_t axes[] = {0, 2, 3, 1}; /* (b, j, h, De) to (b, h, De, j) */
        quartic_tape_give(tape, QUARTIC_RELATIONAL_SENDER,
                          quartic_permute(graph, relational_sum_edges(graph, ds, e, true), axes));
    }
    if (quartic_tape_wants(tape, QUARTIC_RELATIONAL_RECEIVER)) {
        const uint32_t axes[] = {0, 2, 1, 3}; /* (b, i, h, De) to (b, h, i, De) */
        quartic_tape_give(tape, QUARTIC_RELATIONAL_RECEIVER,
                          quartic_permute(graph, relational_sum_edges(graph, ds, e, false), axes));
    }
    const bool wants_form = quartic_tape_wants(tape, QUARTIC_RELATIONAL_FORM);
    if (!wants_form && !quartic_tape_wants(tape, QUARTIC_RELATIONAL_E)) return QUARTIC_OK;
    quartic_value gradients[2] = {{0}};
    QUARTIC_TRY(quartic_graph_append(graph, &quartic_op_relational_scores_grad, NULL, inputs,
                                     QUARTIC_RELATIONAL_INPUTS, gradients,
                                     inputs[QUARTIC_RELATIONAL_FORM].id != 0 ? 2 : 1));
    if (quartic_tape_wants(tape, QUARTIC_RELATIONAL_E))
        quartic_tape_give(tape, QUARTIC_RELATIONAL_E, gradients[0]);
    if (wants_form) quartic_tape_give(tape, QUARTIC_RELATIONAL_FORM, gradients[1]);
    return QUARTIC_OK;
}

/* ---- cases ---- */

static bool relational_scores_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        uint32_t b, n, heads, dim, receiver, form;
    } table[] = {
        {"one node", 1, 1, 1, 1, 1, 1},
        {"small and odd", 2, 5, 3, 3, 1, 1},
        {"queries from senders", 2, 6, 2, 5, 0, 1},
        {"no quadratic term", 2, 7, 3, 6, 1, 0},
        {"one node, three graphs", 3, 1, 2, 5, 1, 1},
        {"three nodes, many graphs", 9, 3, 2, 7, 1, 1},
        {"13 nodes", 2, 13, 2, 23, 1, 1},
        {"14 nodes", 4, 14, 4, 24, 1, 1},
        {"24 nodes", 1, 24, 2, 33, 0, 1},
        {"24 nodes, no quadratic term", 2, 24, 2, 15, 1, 0},
        {"17 wide, 33 nodes", 1, 33, 2, 17, 1, 1},
        {"more nodes than a tile", 1, 67, 1, 8, 1, 1},
        {"wider than a tile", 1, 9, 2, 70, 1, 1},
        {"wide, no quadratic term", 1, 4, 2, 129, 0, 0},
    };
    if (index >= QUARTIC_CASES(table)) return false;
    const uint32_t b = table[index].b, n = table[index].n, h = table[index].heads, dim = table[index].dim;
    *out = (quartic_op_case){.label = table[index].label, .input_count = QUARTIC_RELATIONAL_INPUTS};
    out->inputs[QUARTIC_RELATIONAL_E].shape = QUARTIC_SHAPE(b, n, n, dim);
    out->inputs[QUARTIC_RELATIONAL_SENDER].shape = QUARTIC_SHAPE(b, h, dim, n);
    out->inputs[QUARTIC_RELATIONAL_RECEIVER].shape = QUARTIC_SHAPE(b, h, n, dim);
    out->inputs[QUARTIC_RELATIONAL_FORM].shape = QUARTIC_SHAPE(h, dim, dim);
    out->inputs[QUARTIC_RELATIONAL_BASE].shape = QUARTIC_SHAPE(b, h, n, n);
    for (uint32_t input = 0; input < QUARTIC_RELATIONAL_INPUTS; ++input) {
        const bool left_out = (input == QUARTIC_RELATIONAL_RECEIVER && !table[index].receiver) ||
                              (input == QUARTIC_RELATIONAL_FORM && !table[index].form);
        out->inputs[input].dtype = left_out ? QUARTIC_NO_DTYPE : QUARTIC_FLOAT32;
        if (left_out) out->inputs[input].shape = (quartic_shape){0};
    }
    return true;
}

/* ---- ops ---- */

static double relational_scores_flops(const quartic_op_call *call) {
    const quartic_relational_problem problem = quartic_relational_problem_of_call(call);
    return quartic_relational_flops(&problem, false);
}

static double relational_scores_grad_flops(const quartic_op_call *call) {
    const quartic_relational_problem problem = quartic_relational_problem_of_call(call);
    return quartic_relational_flops(&problem, true);
}

static double relational_scores_reduction(const quartic_op_call *call) {
    const quartic_relational_problem p = quartic_relational_problem_of_call(call);
    return (double)p.dim * (p.has_form ? p.dim : 1);
}

static double relational_scores_grad_reduction(const quartic_op_call *call) {
    const quartic_relational_problem p = quartic_relational_problem_of_call(call);
    const double edges = (double)p.b * p.n * p.n, products = (double)p.heads * p.dim;
    return edges > products ? edges : products;
}

const quartic_op quartic_op_relational_scores = {
    .name = "relational_scores",
    .strided_inputs = 1u << QUARTIC_RELATIONAL_BASE,
    .in_place_inputs = 1u << QUARTIC_RELATIONAL_BASE,
    .infer = relational_scores_infer,
    .cpu = relational_scores_cpu,
    .gpu = quartic_relational_gpu,
    .grad = relational_scores_rule,
    .cases = relational_scores_cases,
    .flops = relational_scores_flops,
    .tolerance = 4,
    .tolerance_reason = "a sum of De^2 products of three numbers, in another order",
    .reduction = relational_scores_reduction,
};

const quartic_op quartic_op_relational_scores_grad = {
    .name = "relational_scores_grad",
    .infer = relational_scores_grad_infer,
    .cpu = relational_scores_grad_cpu,
    .gpu = quartic_relational_gpu_grad,
    .candidates = quartic_relational_candidates_grad,
    .cases = relational_scores_cases,
    .flops = relational_scores_grad_flops,
    .tolerance = 8,
    .tolerance_reason = "sums of products of three numbers over heads and components, or over all edges",
    .reduction = relational_scores_grad_reduction,
};

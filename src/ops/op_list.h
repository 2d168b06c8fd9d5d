/* op_list.h: every op of the library, one line each: X(name) stands for the struct quartic_op_<name> that a
 * file of this folder defines.
 */
#ifndef QUARTIC_OPS_OP_LIST_H
#define QUARTIC_OPS_OP_LIST_H

#define QUARTIC_OP_LIST(X)                                                                                   \
    /* view.c; broadcast is in sum.c, diagonal in diagonal.c */                                              \
    X(reshape)                                                                                               \
    X(permute)                                                                                               \
    X(slice)                                                                                                 \
    X(broadcast)                                                                                             \
    X(diagonal)                                                                                              \
    /* copy.c */                                                                                             \
    X(copy)                                                                                                  \
    /* matmul/matmul.c */                                                                                    \
    X(matmul)                                                                                                \
    /* binary.c */                                                                                           \
    X(binary)                                                                                                \
    /* range.c */                                                                                            \
    X(range)                                                                                                 \
    /* multiply_add_loop.c */                                                                                \
    X(multiply_add_loop)                                                                                     \
    /* unary.c */                                                                                            \
    X(unary)                                                                                                 \
    X(unary_grad)                                                                                            \
    /* concat.c, pad.c, diagonal.c */                                                                        \
    X(concat)                                                                                                \
    X(pad)                                                                                                   \
    X(diagonal_add)                                                                                          \
    /* sum.c */                                                                                              \
    X(sum)                                                                                                   \
    /* embedding.c, relative_bias.c */                                                                       \
    X(embedding)                                                                                             \
    X(embedding_grad)                                                                                        \
    X(relative_bias)                                                                                         \
    X(relative_bias_grad)                                                                                    \
    /* dropout.c */                                                                                          \
    X(dropout)                                                                                               \
    /* norm.c */                                                                                             \
    X(rms_norm)                                                                                              \
    X(rms_norm_grad)                                                                                         \
    X(l2_norm)                                                                                               \
    X(l2_norm_grad)                                                                                          \
    X(layer_norm)                                                                                            \
    X(layer_norm_grad)                                                                                       \
    /* row_linear.c */                                                                                       \
    X(norm_linear)                                                                                           \
    X(gated_linear)                                                                                          \
    /* gate.c */                                                                                             \
    X(gate)                                                                                                  \
    X(gate_grad)                                                                                             \
    /* hyper/hyper_width.c, hyper/hyper_depth.c */                                                           \
    X(hyper_width)                                                                                           \
    X(hyper_width_grad)                                                                                      \
    X(hyper_depth)                                                                                           \
    X(hyper_depth_grad)                                                                                      \
    /* softmax.c */                                                                                          \
    X(softmax)                                                                                               \
    X(softmax_grad)                                                                                          \
    /* cross_entropy.c */                                                                                    \
    X(cross_entropy)                                                                                         \
    X(cross_entropy_grad)                                                                                    \
    /* sum_squares.c */                                                                                      \
    X(sum_squares)                                                                                           \
    /* accumulate.c, assign.c, fill.c, adamw.c */                                                            \
    X(accumulate)                                                                                            \
    X(assign)                                                                                                \
    X(fill)                                                                                                  \
    X(adamw)                                                                                                 \
    /* taylor_attention.c */                                                                                 \
    X(taylor_attention)                                                                                      \
    X(taylor_attention_grad)                                                                                 \
    /* relational_scores.c */                                                                                \
    X(relational_scores)                                                                                     \
    X(relational_scores_grad)                                                                                \
    /* edge_softmax/edge_softmax_attention.c */                                                              \
    X(edge_softmax_attention)                                                                                \
    X(edge_softmax_attention_grad)                                                                           \
    /* pair_mask.c, routed_counts.c, coordinate_descent.c, top_k.c, gather_rows.c, straight_through.c */     \
    X(pair_mask)                                                                                             \
    X(routed_counts)                                                                                         \
    X(coordinate_descent)                                                                                    \
    X(coordinate_descent_grad)                                                                               \
    X(top_k)                                                                                                 \
    X(gather_rows)                                                                                           \
    X(scatter_add_rows)                                                                                      \
    X(straight_through)                                                                                      \
    /* stream_exchange.c, stream_feedforward.c */                                                            \
    X(stream_exchange)                                                                                       \
    X(stream_feedforward)                                                                                    \
    X(stream_feedforward_grad)                                                                               \
    /* diversity.c */                                                                                        \
    X(diversity)                                                                                             \
    X(diversity_grad)                                                                                        \
    /* triangle/, edge_keep.c */                                                                             \
    X(triangle_attention)                                                                                    \
    X(triangle_attention_grad)                                                                               \
    X(edge_keep)                                                                                             \
    /* triple/ */                                                                                            \
    X(triple_attention)                                                                                      \
    X(triple_attention_grad)

#endif

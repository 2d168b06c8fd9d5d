/* fast_list.h: every tuned kernel, one line each: X(name) stands for quartic_fast_<name>, which the file
 * named above the line defines.
 */
#ifndef QUARTIC_FAST_FAST_LIST_H
#define QUARTIC_FAST_FAST_LIST_H

#define QUARTIC_FAST_LIST(X)                                                                                 \
    /* copy.c */                                                                                             \
    X(copy)                                                                                                  \
    X(concat)                                                                                                \
    X(pad)                                                                                                   \
    /* matmul.c */                                                                                           \
    X(matmul)                                                                                                \
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
    /* hyper.c */                                                                                            \
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
    /* update.c */                                                                                           \
    X(sum_squares)                                                                                           \
    X(accumulate)                                                                                            \
    X(assign)                                                                                                \
    X(fill)                                                                                                  \
    X(adamw)                                                                                                 \
    /* elementwise.c */                                                                                      \
    X(binary)                                                                                                \
    X(unary)                                                                                                 \
    X(unary_grad)                                                                                            \
    X(dropout)                                                                                               \
    /* multiply_add_loop.c */                                                                                \
    X(multiply_add_loop)                                                                                     \
    /* sum.c */                                                                                              \
    X(sum)                                                                                                   \
    /* table.c */                                                                                            \
    X(embedding)                                                                                             \
    X(embedding_grad)                                                                                        \
    X(relative_bias)                                                                                         \
    X(relative_bias_grad)                                                                                    \
    X(diagonal_add)                                                                                          \
    /* taylor_attention.c */                                                                                 \
    X(taylor_attention)                                                                                      \
    X(taylor_attention_grad)                                                                                 \
    /* streams.c */                                                                                          \
    X(stream_exchange)                                                                                       \
    X(stream_feedforward)                                                                                    \
    X(stream_feedforward_grad)                                                                               \
    /* gate.c */                                                                                             \
    X(gate)                                                                                                  \
    X(gate_grad)                                                                                             \
    /* diversity.c */                                                                                        \
    X(diversity)                                                                                             \
    X(diversity_grad)                                                                                        \
    /* triangle.c */                                                                                         \
    X(triangle_attention)                                                                                    \
    X(triangle_attention_grad)                                                                               \
    /* triple.c */                                                                                           \
    X(triple_attention)                                                                                      \
    X(triple_attention_grad)                                                                                 \
    /* edge_keep.c */                                                                                        \
    X(edge_keep)                                                                                             \
    /* relational_scores.c */                                                                                \
    X(relational_scores)                                                                                     \
    X(relational_scores_grad)                                                                                \
    /* edge_softmax.c */                                                                                     \
    X(edge_softmax_attention)                                                                                \
    X(edge_softmax_attention_grad)                                                                           \
    /* routing.c */                                                                                          \
    X(coordinate_descent)                                                                                    \
    X(coordinate_descent_grad)                                                                               \
    X(top_k)                                                                                                 \
    X(gather_rows)                                                                                           \
    X(scatter_add_rows)

#endif

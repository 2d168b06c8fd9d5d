/* experiment_attention.h: a picture of a learnt edge attention, computed anew from a trained model's
 * weights. */
#ifndef QUARTIC_TOOL_EXPERIMENT_ATTENTION_H
#define QUARTIC_TOOL_EXPERIMENT_ATTENTION_H

#include "tool/experiment_contest.h"

/* The weights with which edge (i, j) of a graph attends to its pivots l in a layer of triangle attention:
 * A_ijl = softmax over l of q_il . k_lj dh^(-1/2). in: a batch of one graph. out_attention: (heads, j, l). */
bool experiment_attention_of(const command *command, quartic_model *model, const quartic_model_batch *in,
                             uint32_t layer, uint32_t i, float *out_attention);

/* Trains the form "triangle" without identifiers on the contest's task and draws FOLDER/TASK-attention.svg
 * and .png for a test graph. *out_name: TASK-attention, or NULL for a task whose pairs have no pivots, or if
 * that form is not among the contestants. */
bool experiment_attention_draw(contest *contest, const char *folder, const char **out_name);

#endif

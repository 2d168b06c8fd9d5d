/* experiment_batch.h: batches of a task's graphs as a contestant is given them. */
#ifndef QUARTIC_TOOL_EXPERIMENT_BATCH_H
#define QUARTIC_TOOL_EXPERIMENT_BATCH_H

#include "tool/experiment_contest.h"

enum {
    BATCH_WALKS = 16,
    BATCH_EIGENVECTORS = 8,
    BATCH_STEPS = 8 /* counts of the encodings, see encodings.h */
};

/* The fields of a configuration that follow from the widest task and the encoding. */
void contest_batch_configure(const experiment_task *task, contest_encoding encoding,
                             quartic_model_config *inout_config);

/* Fills a batch from the graphs of these numbers, of up to task->n nodes; the arrays are the batch's own memory.
 * Identifiers and signs are drawn from (seed, stream). who and task, the widest, must outlive it. */
typedef struct contest_batch {
    const experiment_task *task;
    const contestant *who;
    uint32_t padded;                        /* the length that graphs are padded to; 0: they have one size */
    int32_t *tokens, *edge_types, *targets; // (count, n), (count, i, j), (count, targets of a graph)
    float *features;                        // (count, n, dim_node_features)
    uint8_t *mask;                          // (count, n)
    quartic_model_batch in;
} contest_batch;
void contest_batch_create(const experiment_task *task, const contestant *who, uint32_t count, uint32_t padded,
                          contest_batch *out_batch);
void contest_batch_fill(const experiment_data *data, const uint32_t *graphs, uint64_t seed, uint32_t stream,
                        contest_batch *batch);
void contest_batch_free(contest_batch *batch);

#endif

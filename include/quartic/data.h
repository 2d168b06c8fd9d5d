/* data.h: data sets of graphs, in safetensors files.
 *
 * A file holds G graphs of up to n nodes, padded to n. Integers may have any integer type, real numbers any
 * real type, and the mask either. An integer beyond int32 is refused, unless it is a negative type or target.
 *
 *   tokens (G, n)             integers, or in their place
 *   node_features (G, n, F)   real numbers
 *   edge_types (G, n, n)      integers, of the edge that node i sees from node j; negative: no type. Optional
 *   edge_features (G, n, n, F) real numbers. Optional
 *   mask (G, n)               1 = real node, 0 = padding; left out: no padding
 *   targets                   (G, n) classes of nodes, (G, n, n) of edges (i, j), or (G) of graphs; negative:
 *                             not to be learnt. Optional, except for training and evaluation
 *
 * What a file holds for padding (nodes, or edges with padding at one end) is ignored: it may be NaN or any
 * number. docs/data.md shows how to make such files.
 *
 * Stability: the file format, opening, training and evaluating are stable. Reading batches by hand is
 * unstable. quartic.h says what that means.
 */
#ifndef QUARTIC_DATA_H
#define QUARTIC_DATA_H

#include "quartic/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- data sets: stable ---- */

typedef struct quartic_dataset quartic_dataset;

/* What a data set holds. num_tokens, num_edge_types and num_classes are one more than the largest number in
 * the file. */
typedef struct quartic_dataset_info {
    uint32_t graphs, length;
    uint32_t num_tokens;        /* 0: nodes have features */
    uint32_t dim_node_features; /* 0: nodes have tokens */
    uint32_t num_edge_types;    /* 0: edges have no types */
    uint32_t dim_edge_features; /* 0: edges have no features */
    uint32_t masked;            /* whether there is a mask */
    uint32_t num_classes;       /* 0: there are no targets */
    quartic_readout readout;    /* what the targets are of; QUARTIC_READOUT_NODE if there are none */
    uint64_t targets;           /* how many are to be learnt */
} quartic_dataset_info;

/* Reads and checks a file; the caller closes the data set. Errors: IO, FORMAT (no such file, unknown tensors,
 * wrong types), SHAPE_MISMATCH with the shapes, INVALID_ARGUMENT (a negative token, a graph without real
 * nodes), NON_FINITE (a feature), OUT_OF_MEMORY; then *out_dataset is NULL. */
QUARTIC_API quartic_status quartic_dataset_open(const char *path, quartic_dataset **out_dataset);
/* Closes a data set; NULL is fine. */
QUARTIC_API void quartic_dataset_close(quartic_dataset *dataset);
/* Returns what the data set holds, valid until it is closed; NULL for NULL, with an error message. */
QUARTIC_API const quartic_dataset_info *quartic_dataset_get_info(const quartic_dataset *dataset);

/* Sets the fields of a configuration that follow from the data: dim_node_features, dim_edge_features,
 * readout; and, where they are 0, num_tokens, num_edge_types, num_classes. A dataset without targets leaves
 * the last ones alone. Errors: INVALID_ARGUMENT (a configuration without struct_size). */
QUARTIC_API quartic_status quartic_dataset_configure(const quartic_dataset *dataset,
                                                     quartic_model_config *inout_config);
/* OK, or why a model of this configuration cannot learn from the dataset (INVALID_ARGUMENT): which of the
 * fields above differ, a range that is too small (with the file and the first number beyond it, and where
 * that stands), graphs longer than max_seq_len. */
QUARTIC_API quartic_status quartic_dataset_check(const quartic_dataset *dataset,
                                                 const quartic_model_config *config);

/* ---- training and evaluation: stable ---- */

/* Makes one step on the next accumulation * batch graphs of an endless reading, in which every epoch has
 * every graph once, in an order that depends on the trainer's seed. The trainer must have the data set's
 * length, and a mask if and only if the data set has one. out_report may be NULL. Errors: as
 * quartic_trainer_step_batch. Submits on a Vulkan device. */
QUARTIC_API quartic_status quartic_trainer_step_dataset(quartic_trainer *trainer, quartic_dataset *dataset,
                                                        quartic_step_report *out_report);

typedef struct quartic_evaluation {
    double loss;     /* mean cross entropy over all targets, in nats */
    double accuracy; /* share of targets with the largest logit (the first of equals) */
    uint64_t targets;
} quartic_evaluation;

/* Gives a model's loss and accuracy on all graphs, which it runs in batches of that size. Errors:
 * INVALID_ARGUMENT (also if there are no targets), and as quartic_model_forward_batch. Submits on a Vulkan
 * device. */
QUARTIC_API quartic_status quartic_dataset_evaluate(quartic_dataset *dataset, quartic_model *model,
                                                    uint32_t batch, quartic_evaluation *out_evaluation);

/* ---- reading batches by hand: unstable ---- */

/* Gives the graphs with these count >= 1 numbers (each below info.graphs) as a batch. Its arrays belong to
 * the data set and are valid until the next call with it. Errors: INVALID_ARGUMENT, OUT_OF_MEMORY. */
QUARTIC_API quartic_status quartic_dataset_gather(quartic_dataset *dataset, const uint32_t *graphs,
                                                  uint32_t count, quartic_model_batch *out_batch);
/* Returns the number of the graph at a position of an endless reading of count graphs. Every count positions
 * are one epoch, in which every graph comes once, in an order that depends on seed and epoch. A pure
 * function. Returns 0, with an error message, for a count of 0. */
QUARTIC_API uint32_t quartic_dataset_shuffled(uint32_t count, uint64_t seed, uint64_t position);

#ifdef __cplusplus
}
#endif
#endif

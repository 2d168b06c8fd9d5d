/* dataset.h (internal): a dataset in memory.
 *
 * Padding is overwritten when a file is read: tokens and features with 0, edge types and targets with -1. So
 * it is in range and adds nothing to the loss.
 */
#ifndef QUARTIC_TRAIN_DATASET_H
#define QUARTIC_TRAIN_DATASET_H

#include "quartic/data.h"

/* The tensors of a file: X(suffix, name). In memory the mask is uint8_t, integers are int32_t, the rest
 * float. */
#define QUARTIC_DATASET_TENSOR_LIST(X)                                                                       \
    X(TOKENS, "tokens")                                                                                      \
    X(NODE_FEATURES, "node_features")                                                                        \
    X(EDGE_TYPES, "edge_types")                                                                              \
    X(EDGE_FEATURES, "edge_features")                                                                        \
    X(MASK, "mask")                                                                                          \
    X(TARGETS, "targets")

typedef enum quartic_dataset_tensor {
#define QUARTIC_DATASET_TENSOR_ENUM(suffix, name) QUARTIC_DATASET_##suffix,
    QUARTIC_DATASET_TENSOR_LIST(QUARTIC_DATASET_TENSOR_ENUM)
#undef QUARTIC_DATASET_TENSOR_ENUM
        QUARTIC_DATASET_TENSORS
} quartic_dataset_tensor;

/* By tensor; NULL: the file has none. Each holds whole graphs, one after the other. */
typedef struct quartic_dataset_arrays {
    void *at[QUARTIC_DATASET_TENSORS];
} quartic_dataset_arrays;

struct quartic_dataset {
    char *path;
    quartic_dataset_info info;
    uint32_t present;                     /* bit t: the file has tensor t */
    quartic_dataset_arrays all, gathered; /* of info.graphs, and of the last batch */
    uint32_t gathered_capacity;           /* graphs */
};

/* Elements of a tensor for one graph; bytes of an element. */
uint64_t quartic_dataset_elements(const quartic_dataset_info *info, quartic_dataset_tensor tensor);
size_t quartic_dataset_element_bytes(quartic_dataset_tensor tensor);

/* Allocates the arrays of the tensors that are present, for so many graphs, to be freed by
 * quartic_dataset_free. After OUT_OF_MEMORY nothing is allocated. */
quartic_status quartic_dataset_allocate(const quartic_dataset_info *info, uint32_t present, uint64_t graphs,
                                        quartic_dataset_arrays *out_arrays);
void quartic_dataset_free(quartic_dataset_arrays *arrays);

#endif

/* encodings.h: what is told of a graph's nodes and pairs beside its edges: the encodings that graph transformers
 * are commonly given.
 *
 * An edge i -> j is one whose type is above 0 (type 0 stands for "no edge", negative types for none at all).
 *
 *   rows       of node i: its row and its column of every type above 0, and a one-hot number of i.
 *              2 n (types - 1) + n numbers
 *   walks      of node i: the probability that a random walk of 1, 2, .. count steps from i ends in i. Steps go
 *              along edges in both directions. A node without edges has 0
 *   laplacian  of node i: its places in `count` eigenvectors of I - D^(-1/2) A D^(-1/2), A being the edges
 *              without direction, from the second smallest eigenvalue on, each of mean square 1 (0 where there
 *              are fewer nodes). Signs are arbitrary, and so is the basis where eigenvalues are equal
 *   distances  of pair (i, j): steps of the shortest way along directed edges, `count` if that is `count` or
 *              more or if there is none; as types: type * (count + 1) + steps
 *
 * Padded nodes (mask 0) have no edges and get zeros; mask may be NULL.
 */
#ifndef QUARTIC_TOOL_ENCODINGS_H
#define QUARTIC_TOOL_ENCODINGS_H

#include <stdint.h>

typedef enum node_encoding {
    ENCODING_ROWS,
    ENCODING_WALKS,
    ENCODING_LAPLACIAN,
    NODE_ENCODINGS
} node_encoding;

enum { ENCODING_MOST_NODES = 1024 };

/* Numbers of a node. count: of walks and laplacian. */
uint32_t encoding_width(node_encoding kind, uint32_t n, uint32_t num_types, uint32_t count);

/* Writes them for one graph: types (i, j), mask (n); out_features (n, stride), of which each row's first
 * encoding_width numbers are written. n at most ENCODING_MOST_NODES. */
void encoding_write(node_encoding kind, const int32_t *types, const uint8_t *mask, uint32_t n,
                    uint32_t num_types, uint32_t count, uint32_t stride, float *out_features);

/* out_types (i, j): types and steps in one, as above. A negative type counts as 0. May be types itself. */
void encoding_distances(const int32_t *types, const uint8_t *mask, uint32_t n, uint32_t count,
                        int32_t *out_types);

#endif

/* experiment_kin.h: what relatives are to each other by brute force: by the definitions in words, from parents and spouses
 * alone, in a way other than experiment_kinship.c's. */
#ifndef EXPERIMENT_KIN_H
#define EXPERIMENT_KIN_H

#include "tool/experiment_kinship.h"

/* What b is to a. Fails the test if b is that in two ways. */
kin experiment_kin_between(const kin_family *family, uint32_t a, uint32_t b);
/* What follows from two relations, as kin_compose: by all triples of many families. */
kin experiment_kin_compose(kin first, kin second);

#endif

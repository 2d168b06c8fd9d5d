/* view.h: the attributes that all view ops share; autodiff reads those of slice to join gradients. */
#ifndef QUARTIC_OPS_VIEW_H
#define QUARTIC_OPS_VIEW_H

#include "quartic/tensor.h"

typedef struct quartic_view_attrs {
    uint32_t axis, start, length; /* slice; diagonal uses axis */
    quartic_shape shape;          /* reshape, broadcast: the shape; permute: dims are the axes */
} quartic_view_attrs;

#endif

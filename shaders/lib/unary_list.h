/* unary_list.h: numbers of the unary functions, the order of QUARTIC_UNARY_LIST with scale last (C checks
 * it). */
#define UNARY_NEGATE  0
#define UNARY_EXP     1
#define UNARY_LOG     2
#define UNARY_SQRT    3
#define UNARY_SQUARE  4
#define UNARY_RELU    5
#define UNARY_SIGMOID 6
#define UNARY_TANH    7
#define UNARY_SILU    8
#define UNARY_GELU    9
#define UNARY_SCALE   10

/* spirv_group.c: what a workgroup of a compiled shader takes, for given specialisation constants.
 *
 * Reads the declarations of a module in their order: constants and the operations on them, types, and the
 * variables of the storage class Workgroup. Their bytes count as in std430: a vector of two is aligned to two of
 * its numbers, one of three or four to four.
 */
#include "gpu/spirv.h"

#include "base/alloc.h"

#include <stdbool.h>

enum { /* opcodes */
       OP_EXECUTION_MODE = 16,
       OP_TYPE_BOOL = 20,
       OP_TYPE_INT = 21,
       OP_TYPE_FLOAT = 22,
       OP_TYPE_VECTOR = 23,
       OP_TYPE_ARRAY = 28,
       OP_TYPE_STRUCT = 30,
       OP_TYPE_POINTER = 32,
       OP_CONSTANT_TRUE = 41,
       OP_CONSTANT = 43,
       OP_CONSTANT_COMPOSITE = 44,
       OP_SPEC_CONSTANT_TRUE = 48,
       OP_SPEC_CONSTANT_FALSE = 49,
       OP_SPEC_CONSTANT = 50,
       OP_SPEC_CONSTANT_COMPOSITE = 51,
       OP_SPEC_CONSTANT_OP = 52,
       OP_FUNCTION = 54,
       OP_VARIABLE = 59,
       OP_DECORATE = 71,
       OP_U_CONVERT = 113,
       OP_S_CONVERT = 114,
       OP_BITCAST = 124,
       OP_S_NEGATE = 126,
       OP_I_ADD = 128,
       OP_I_SUB = 130,
       OP_I_MUL = 132,
       OP_U_DIV = 134,
       OP_S_DIV = 135,
       OP_U_MOD = 137,
       OP_S_REM = 138,
       OP_LOGICAL_EQUAL = 164,
       OP_LOGICAL_NOT_EQUAL = 165,
       OP_LOGICAL_OR = 166,
       OP_LOGICAL_AND = 167,
       OP_LOGICAL_NOT = 168,
       OP_SELECT = 169,
       OP_I_EQUAL = 170,
       OP_I_NOT_EQUAL = 171,
       OP_U_GREATER = 172,
       OP_S_GREATER = 173,
       OP_U_GREATER_EQUAL = 174,
       OP_S_GREATER_EQUAL = 175,
       OP_U_LESS = 176,
       OP_S_LESS = 177,
       OP_U_LESS_EQUAL = 178,
       OP_S_LESS_EQUAL = 179,
       OP_SHIFT_RIGHT = 194,
       OP_SHIFT_LEFT = 196,
       OP_BITWISE_OR = 197,
       OP_BITWISE_XOR = 198,
       OP_BITWISE_AND = 199,
       OP_NOT = 200,
       OP_EXECUTION_MODE_ID = 331
};
enum { MODE_LOCAL_SIZE = 17, MODE_LOCAL_SIZE_ID = 38 };
enum { DECORATION_SPEC_ID = 1, DECORATION_BUILT_IN = 11, BUILT_IN_WORKGROUP_SIZE = 25, CLASS_WORKGROUP = 4 };
enum { HEADER_WORDS = 5, BOUND_WORD = 3 };

/* What a result id stands for, as far as it matters. */
typedef struct spirv_id {
    uint32_t value;          /* of a constant */
    bool is_spec, is_size;   /* decorated with a constant_id; as the size of a workgroup */
    uint32_t spec_id;        /* the constant_id */
    uint32_t pointee;        /* of a pointer to shared memory: the type */
    uint64_t bytes, align;   /* of a type */
    const uint32_t *members; /* of id 0, which is none: the three ids of the size of a workgroup */
} spirv_id;

typedef struct spirv_reader {
    const quartic_spirv *shader;
    const uint32_t *spec;
    uint32_t spec_count;
    spirv_id *ids;
    uint32_t bound;
    quartic_spirv_group *group;
} spirv_reader;

static uint64_t round_up(uint64_t bytes, uint64_t align) {
    return align == 0 ? bytes : (bytes + align - 1) / align * align;
}

static uint32_t spirv_spec_value(const spirv_reader *r, const spirv_id *id, uint32_t standard) {
    return id->is_spec && id->spec_id < r->spec_count ? r->spec[id->spec_id] : standard;
}

/* One operation on constants a, b and c; false for one that is not known. */
static bool spirv_operate(uint32_t opcode, uint32_t a, uint32_t b, uint32_t c, uint32_t *out) {
    const int32_t x = (int32_t)a, y = (int32_t)b;
    switch (opcode) {
    case OP_U_CONVERT:
    case OP_S_CONVERT:
    case OP_BITCAST:
        return *out = a, true;
    case OP_S_NEGATE:
        return *out = 0u - a, true;
    case OP_I_ADD:
        return *out = a + b, true;
    case OP_I_SUB:
        return *out = a - b, true;
    case OP_I_MUL:
        return *out = a * b, true;
    case OP_U_DIV:
        return *out = b == 0 ? 0 : a / b, true;
    case OP_S_DIV:
        return *out = y == 0 || y == -1 ? 0u - a : (uint32_t)(x / y), true;
    case OP_U_MOD:
        return *out = b == 0 ? 0 : a % b, true;
    case OP_S_REM:
        return *out = y == 0 || y == -1 ? 0 : (uint32_t)(x % y), true;
    case OP_LOGICAL_EQUAL:
    case OP_I_EQUAL:
        return *out = a == b, true;
    case OP_LOGICAL_NOT_EQUAL:
    case OP_I_NOT_EQUAL:
        return *out = a != b, true;
    case OP_LOGICAL_OR:
        return *out = a || b, true;
    case OP_LOGICAL_AND:
        return *out = a && b, true;
    case OP_LOGICAL_NOT:
        return *out = !a, true;
    case OP_SELECT:
        return *out = a ? b : c, true;
    case OP_U_GREATER:
        return *out = a > b, true;
    case OP_S_GREATER:
        return *out = x > y, true;
    case OP_U_GREATER_EQUAL:
        return *out = a >= b, true;
    case OP_S_GREATER_EQUAL:
        return *out = x >= y, true;
    case OP_U_LESS:
        return *out = a < b, true;
    case OP_S_LESS:
        return *out = x < y, true;
    case OP_U_LESS_EQUAL:
        return *out = a <= b, true;
    case OP_S_LESS_EQUAL:
        return *out = x <= y, true;
    case OP_SHIFT_RIGHT:
        return *out = a >> (b & 31), true;
    case OP_SHIFT_LEFT:
        return *out = a << (b & 31), true;
    case OP_BITWISE_OR:
        return *out = a | b, true;
    case OP_BITWISE_XOR:
        return *out = a ^ b, true;
    case OP_BITWISE_AND:
        return *out = a & b, true;
    case OP_NOT:
        return *out = ~a, true;
    default:
        return false;
    }
}

static void spirv_set_type(spirv_id *id, uint64_t bytes, uint64_t align) {
    id->bytes = bytes;
    id->align = align;
}

static void spirv_set_size(spirv_reader *r, const uint32_t *members, bool ids) {
    uint32_t product = 1;
    for (uint32_t k = 0; k < 3; ++k) product *= ids ? r->ids[members[k]].value : members[k];
    r->group->invocations = product;
}

static quartic_status spirv_unknown(const spirv_reader *r, uint32_t opcode) {
    return quartic_fail(QUARTIC_INTERNAL, "the shader %s has the instruction %u, which is not expected there",
                        r->shader->name, opcode);
}

static quartic_status spirv_read_decoration(spirv_reader *r, const uint32_t *at, uint32_t words) {
    if (words < 4) return QUARTIC_OK;
    if (at[2] == DECORATION_SPEC_ID) {
        r->ids[at[1]].is_spec = true;
        r->ids[at[1]].spec_id = at[3];
    }
    if (at[2] == DECORATION_BUILT_IN && at[3] == BUILT_IN_WORKGROUP_SIZE) r->ids[at[1]].is_size = true;
    return QUARTIC_OK;
}

static quartic_status spirv_read_type(spirv_reader *r, uint32_t opcode, const uint32_t *at, uint32_t words) {
    spirv_id *id = &r->ids[at[1]];
    switch (opcode) {
    case OP_TYPE_BOOL:
        spirv_set_type(id, 4, 4);
        break;
    case OP_TYPE_INT:
    case OP_TYPE_FLOAT:
        spirv_set_type(id, at[2] / 8, at[2] / 8);
        break;
    case OP_TYPE_VECTOR: {
        const uint64_t each = r->ids[at[2]].bytes;
        spirv_set_type(id, each * at[3], each * (at[3] == 2 ? 2 : 4));
        break;
    }
    case OP_TYPE_ARRAY: {
        const spirv_id *of = &r->ids[at[2]];
        spirv_set_type(id, round_up(of->bytes, of->align) * r->ids[at[3]].value, of->align);
        break;
    }
    case OP_TYPE_STRUCT:
        spirv_set_type(id, 0, 1);
        for (uint32_t k = 2; k < words; ++k) {
            const spirv_id *member = &r->ids[at[k]];
            id->bytes = round_up(id->bytes, member->align) + member->bytes;
            if (member->align > id->align) id->align = member->align;
        }
        id->bytes = round_up(id->bytes, id->align);
        break;
    default: /* a pointer: class, type */
        id->pointee = at[2] == CLASS_WORKGROUP ? at[3] : 0;
    }
    return QUARTIC_OK;
}

static quartic_status spirv_read_constant(spirv_reader *r, uint32_t opcode, const uint32_t *at,
                                          uint32_t words) {
    spirv_id *id = &r->ids[at[2]];
    switch (opcode) {
    case OP_CONSTANT_TRUE:
        id->value = 1;
        break;
    case OP_CONSTANT:
        id->value = at[3];
        break;
    case OP_SPEC_CONSTANT_TRUE:
        id->value = spirv_spec_value(r, id, 1) != 0;
        break;
    case OP_SPEC_CONSTANT_FALSE:
        id->value = spirv_spec_value(r, id, 0) != 0;
        break;
    case OP_SPEC_CONSTANT:
        id->value = spirv_spec_value(r, id, at[3]);
        break;
    case OP_CONSTANT_COMPOSITE:
    case OP_SPEC_CONSTANT_COMPOSITE:
        if (id->is_size && words == 6) spirv_set_size(r, at + 3, true);
        break;
    default: { /* OP_SPEC_CONSTANT_OP: an opcode and its operands */
        uint32_t operand[3] = {0};
        for (uint32_t k = 0; k < 3 && 4 + k < words; ++k)
            operand[k] = at[4 + k] < r->bound ? r->ids[at[4 + k]].value : 0;
        if (!spirv_operate(at[3], operand[0], operand[1], operand[2], &id->value))
            return spirv_unknown(r, at[3]);
    }
    }
    return QUARTIC_OK;
}

static quartic_status spirv_read_instruction(spirv_reader *r, uint32_t opcode, const uint32_t *at,
                                             uint32_t words) {
    switch (opcode) {
    case OP_EXECUTION_MODE:
        if (words == 6 && at[2] == MODE_LOCAL_SIZE) spirv_set_size(r, at + 3, false);
        return QUARTIC_OK;
    case OP_EXECUTION_MODE_ID: /* stands before the constants */
        if (words == 6 && at[2] == MODE_LOCAL_SIZE_ID) r->ids[0].members = at + 3;
        return QUARTIC_OK;
    case OP_DECORATE:
        return spirv_read_decoration(r, at, words);
    case OP_TYPE_BOOL:
    case OP_TYPE_INT:
    case OP_TYPE_FLOAT:
    case OP_TYPE_VECTOR:
    case OP_TYPE_ARRAY:
    case OP_TYPE_STRUCT:
    case OP_TYPE_POINTER:
        return spirv_read_type(r, opcode, at, words);
    case OP_CONSTANT_TRUE:
    case OP_CONSTANT:
    case OP_CONSTANT_COMPOSITE:
    case OP_SPEC_CONSTANT_TRUE:
    case OP_SPEC_CONSTANT_FALSE:
    case OP_SPEC_CONSTANT:
    case OP_SPEC_CONSTANT_COMPOSITE:
    case OP_SPEC_CONSTANT_OP:
        return spirv_read_constant(r, opcode, at, words);
    case OP_VARIABLE: {
        const spirv_id *type = &r->ids[r->ids[at[1]].pointee];
        if (at[3] == CLASS_WORKGROUP)
            r->group->shared_bytes = round_up(r->group->shared_bytes, type->align) + type->bytes;
        return QUARTIC_OK;
    }
    default:
        return QUARTIC_OK;
    }
}

quartic_status quartic_spirv_group_of(const quartic_spirv *shader, const uint32_t *spec, uint32_t spec_count,
                                      quartic_spirv_group *out_group) {
    const uint32_t *words = shader->words;
    const size_t count = shader->bytes / 4;
    *out_group = (quartic_spirv_group){0};
    spirv_reader r = {.shader = shader,
                      .spec = spec,
                      .spec_count = spec_count,
                      .bound = words[BOUND_WORD],
                      .ids = quartic_alloc(words[BOUND_WORD], sizeof *r.ids),
                      .group = out_group};
    if (r.ids == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_status status = QUARTIC_OK;
    for (size_t at = HEADER_WORDS; at < count && status == QUARTIC_OK;) {
        const uint32_t opcode = words[at] & 0xffff, length = words[at] >> 16;
        if (opcode == OP_FUNCTION) break; /* all declarations stand before the first */
        if (length == 0 || length > count - at) {
            status = spirv_unknown(&r, opcode);
            break;
        }
        status = spirv_read_instruction(&r, opcode, words + at, length);
        at += length;
    }
    if (status == QUARTIC_OK && r.ids[0].members != NULL) spirv_set_size(&r, r.ids[0].members, true);
    quartic_free(r.ids);
    return status;
}

/* gpu_operand_access_test.c: the tables of operands (shaders/lib/args.h) say what the compiled shaders do.
 *
 * A small reader of SPIR-V follows every address of the push constants, through casts, copies, choices, local
 * memory and function calls, to the instructions that load from it and store to it. A member without a line,
 * an access that its line does not allow, and a line that no shader of the table needs are faults. The reader
 * is conservative: where an address may be one of several, an access counts for all of them; an instruction
 * that it does not know and that takes an address is a fault too. Specialisation constants decide nothing
 * here, so what a shader may do counts. */
#include "expect.h"

#include "gpu/spirv.h"
#include "ops/dispatch.h"
#include "operand_tables.h"

enum { /* opcodes of SPIR-V */
       OP_EXT_INST = 12,
       OP_ENTRY_POINT = 15,
       OP_TYPE_ARRAY = 28,
       OP_TYPE_STRUCT = 30,
       OP_TYPE_POINTER = 32,
       OP_CONSTANT = 43,
       OP_FUNCTION = 54,
       OP_FUNCTION_PARAMETER = 55,
       OP_FUNCTION_END = 56,
       OP_FUNCTION_CALL = 57,
       OP_VARIABLE = 59,
       OP_LOAD = 61,
       OP_STORE = 62,
       OP_COPY_MEMORY = 63,
       OP_ACCESS_CHAIN = 65,
       OP_IN_BOUNDS_PTR_ACCESS_CHAIN = 70, /* 65 .. 67 and 70 */
       OP_MEMBER_DECORATE = 72,
       OP_VECTOR_SHUFFLE = 79,
       OP_COMPOSITE_CONSTRUCT = 80,
       OP_COMPOSITE_EXTRACT = 81,
       OP_COMPOSITE_INSERT = 82,
       OP_COPY_OBJECT = 83,
       OP_U_CONVERT = 113,
       OP_CONVERT_PTR_TO_U = 117,
       OP_CONVERT_U_TO_PTR = 120,
       OP_BITCAST = 124,
       OP_I_ADD = 128,
       OP_I_SUB = 130,
       OP_SELECT = 169,
       OP_I_EQUAL = 170,
       OP_I_NOT_EQUAL = 171,
       OP_ATOMIC_LOAD = 227,
       OP_ATOMIC_STORE = 228,
       OP_ATOMIC_XOR = 242, /* the last of those that load and store */
       OP_PHI = 245,
       OP_LOOP_MERGE = 246,
       OP_RETURN_VALUE = 254,
       OP_UNREACHABLE = 255,
       OP_COPY_LOGICAL = 400,
       OP_COOPERATIVE_MATRIX_LOAD = 4457,
       OP_COOPERATIVE_MATRIX_STORE = 4458
};
enum { CLASS_PUSH_CONSTANT = 9, CLASS_PHYSICAL = 5349, DECORATION_OFFSET = 35 };
enum { MOST_IDS = 1 << 16, MOST_ROWS = 16 };

/* Bit k of a set of addresses is the one at byte 8 k of the push constants. */
typedef struct access {
    uint32_t addresses; /* all that the push constants hold */
    uint32_t loaded, stored;
    char fault[128]; /* empty: none */
} access;

typedef struct reader {
    const uint32_t *words;
    size_t count;
    const uint32_t *defined[MOST_IDS]; /* the instruction that gives a type, constant or variable */
    uint32_t type[MOST_IDS];           /* of a value */
    uint32_t holds[MOST_IDS];          /* addresses that a value, or the memory that it points at, may hold */
    uint32_t returned[MOST_IDS];       /* by a function */
    bool reached[MOST_IDS];            /* a function */
    uint32_t block;                    /* the variable of the push constants */
    bool changed;
    access found;
} reader;

static uint32_t opcode(const uint32_t *at) {
    return at[0] & 0xffff;
}

static uint32_t length(const uint32_t *at) {
    return at[0] >> 16;
}

static void gpu_operand_access_add(reader *r, uint32_t id, uint32_t addresses) {
    r->changed = r->changed || (addresses & ~r->holds[id]) != 0;
    r->holds[id] |= addresses;
}

static uint32_t class_of(const reader *r, uint32_t pointer) {
    const uint32_t *type = r->defined[r->type[pointer]];
    return type != NULL && opcode(type) == OP_TYPE_POINTER ? type[2] : 0;
}

static uint32_t member_offset(const reader *r, uint32_t block_type, uint32_t member) {
    for (const uint32_t *at = r->words + 5; at < r->words + r->count; at += length(at))
        if (opcode(at) == OP_MEMBER_DECORATE && at[1] == block_type && at[2] == member &&
            at[3] == DECORATION_OFFSET)
            return at[4];
    return 0;
}

static bool constant(const reader *r, uint32_t id, uint32_t *out) {
    if (r->defined[id] == NULL || opcode(r->defined[id]) != OP_CONSTANT) return false;
    *out = r->defined[id][3];
    return true;
}

/* The addresses in a member of the push constants; index: into an array, NULL for all of it. */
static uint32_t addresses_of(const reader *r, uint32_t block_type, uint32_t member, const uint32_t *index) {
    const uint32_t first = member_offset(r, block_type, member) / 8;
    const uint32_t *type = r->defined[r->defined[block_type][2 + member]];
    if (type == NULL) return 0;
    if (opcode(type) == OP_TYPE_POINTER) return type[2] == CLASS_PHYSICAL ? 1u << first : 0;
    if (opcode(type) != OP_TYPE_ARRAY) return 0;
    const uint32_t *element = r->defined[type[2]];
    uint32_t elements = 1, at;
    if (element == NULL || opcode(element) != OP_TYPE_POINTER || !constant(r, type[3], &elements)) return 0;
    if (index != NULL && constant(r, *index, &at)) return 1u << (first + at);
    return ((1u << elements) - 1) << first;
}

static void fault(reader *r, const uint32_t *at, const char *what) {
    if (r->found.fault[0] == 0)
        snprintf(r->found.fault, sizeof r->found.fault, "instruction %u at word %zu: %s", opcode(at),
                 (size_t)(at - r->words), what);
}

static void chain(reader *r, const uint32_t *at) {
    const uint32_t base = at[3];
    if (base == r->block) {
        const uint32_t block_type = r->defined[r->type[base]][3];
        uint32_t member;
        if (length(at) > 4 && constant(r, at[4], &member))
            gpu_operand_access_add(r, at[2],
                                   addresses_of(r, block_type, member, length(at) > 5 ? &at[5] : NULL));
        else
            fault(r, at, "a member of the push constants that is no constant");
        return;
    }
    gpu_operand_access_add(r, at[2], r->holds[base]);
    if (class_of(r, base) != CLASS_PHYSICAL && class_of(r, base) != CLASS_PUSH_CONSTANT)
        gpu_operand_access_add(r, base,
                               r->holds[at[2]]); /* local memory: what is stored in a part of it is in it */
}

/* Loads or stores through a pointer; what: value that comes or goes. */
static void touch(reader *r, const uint32_t *at, uint32_t pointer, uint32_t value, uint32_t how) {
    if (class_of(r, pointer) != CLASS_PHYSICAL) {
        if (how & QUARTIC_READ && value != 0) gpu_operand_access_add(r, value, r->holds[pointer]);
        if (how & QUARTIC_WRITE && value != 0) gpu_operand_access_add(r, pointer, r->holds[value]);
        return;
    }
    if (how & QUARTIC_READ) r->found.loaded |= r->holds[pointer];
    if (how & QUARTIC_WRITE) r->found.stored |= r->holds[pointer];
    if (!r->changed && r->holds[pointer] == 0) fault(r, at, "access to an address from nowhere");
    if (how & QUARTIC_WRITE && value != 0 && r->holds[value] != 0)
        fault(r, at, "an address leaves the shader");
}

static void call(reader *r, const uint32_t *at) {
    const uint32_t *parameter = r->defined[at[3]];
    r->changed = r->changed || !r->reached[at[3]];
    r->reached[at[3]] = true;
    parameter += length(parameter);
    for (uint32_t k = 4; k < length(at); ++k, parameter += length(parameter)) {
        const uint32_t class = class_of(r, parameter[2]);
        gpu_operand_access_add(r, parameter[2], r->holds[at[k]]);
        if (class != 0 && class != CLASS_PHYSICAL) gpu_operand_access_add(r, at[k], r->holds[parameter[2]]);
    }
    gpu_operand_access_add(r, at[2], r->returned[at[3]]);
}

/* One instruction of a function that runs. */
static void step(reader *r, const uint32_t *at, uint32_t function) {
    const uint32_t op = opcode(at), words = length(at);
    uint32_t from = 3, to = words; /* operands that may hold addresses */
    switch (op) {
    case OP_ACCESS_CHAIN:
    case OP_ACCESS_CHAIN + 1:
    case OP_ACCESS_CHAIN + 2:
    case OP_IN_BOUNDS_PTR_ACCESS_CHAIN:
        chain(r, at);
        return;
    case OP_LOAD:
    case OP_COOPERATIVE_MATRIX_LOAD:
        touch(r, at, at[3], at[2], QUARTIC_READ);
        return;
    case OP_STORE:
    case OP_COOPERATIVE_MATRIX_STORE:
        touch(r, at, at[1], at[2], QUARTIC_WRITE);
        return;
    case OP_COPY_MEMORY:
        touch(r, at, at[1], 0, QUARTIC_WRITE);
        touch(r, at, at[2], 0, QUARTIC_READ);
        if (class_of(r, at[1]) != CLASS_PHYSICAL && class_of(r, at[2]) != CLASS_PHYSICAL)
            gpu_operand_access_add(r, at[1], r->holds[at[2]]);
        return;
    case OP_ATOMIC_STORE:
        touch(r, at, at[1], 0, QUARTIC_WRITE);
        return;
    case OP_FUNCTION_CALL:
        call(r, at);
        return;
    case OP_RETURN_VALUE:
        r->changed = r->changed || (r->holds[at[1]] & ~r->returned[function]) != 0;
        r->returned[function] |= r->holds[at[1]];
        return;
    case OP_I_EQUAL: /* whether two operands lie at one place */
    case OP_I_NOT_EQUAL:
        return;
    case OP_COMPOSITE_EXTRACT:
        to = 4;
        break;
    case OP_COMPOSITE_INSERT:
    case OP_VECTOR_SHUFFLE:
        to = 5;
        break;
    case OP_COMPOSITE_CONSTRUCT:
    case OP_COPY_OBJECT:
    case OP_COPY_LOGICAL:
    case OP_U_CONVERT:
    case OP_CONVERT_PTR_TO_U:
    case OP_CONVERT_U_TO_PTR:
    case OP_BITCAST:
    case OP_I_ADD:
    case OP_I_SUB:
    case OP_SELECT:
    case OP_PHI:
        break;
    default:
        if (op >= OP_ATOMIC_LOAD && op <= OP_ATOMIC_XOR) {
            touch(r, at, at[3], 0, op == OP_ATOMIC_LOAD ? QUARTIC_READ : QUARTIC_READ | QUARTIC_WRITE);
            return;
        }
        /* Labels, branches and the end of functions hold no values but conditions. */
        if ((op >= OP_LOOP_MERGE && op <= OP_UNREACHABLE) || op == OP_VARIABLE || op == OP_FUNCTION ||
            op == OP_FUNCTION_PARAMETER)
            return;
        for (uint32_t k = op == OP_EXT_INST ? 5 : 1; k < words; ++k)
            if (at[k] < MOST_IDS && r->holds[at[k]] != 0) fault(r, at, "takes an address; unknown here");
        return;
    }
    for (uint32_t k = from; k < to; ++k) gpu_operand_access_add(r, at[2], r->holds[at[k]]);
}

/* Notes types, constants, variables, functions and the types of values. */
static void gpu_operand_access_note(reader *r) {
    uint32_t entry = 0;
    for (const uint32_t *at = r->words + 5; at < r->words + r->count; at += length(at)) {
        const uint32_t op = opcode(at);
        if (op == OP_ENTRY_POINT) entry = at[2];
        if (op == OP_TYPE_ARRAY || op == OP_TYPE_STRUCT || op == OP_TYPE_POINTER) r->defined[at[1]] = at;
        if (op == OP_CONSTANT || op == OP_VARIABLE || op == OP_FUNCTION) r->defined[at[2]] = at;
        /* A value's type comes before it; an instruction without a value may be misread, but its first word
         * is then no type. */
        if (length(at) >= 3 && at[1] < MOST_IDS && at[2] < MOST_IDS && op >= OP_FUNCTION_PARAMETER - 1 &&
            op != OP_STORE && op != OP_MEMBER_DECORATE && r->defined[at[1]] != NULL &&
            opcode(r->defined[at[1]]) == OP_TYPE_POINTER && r->type[at[2]] == 0)
            r->type[at[2]] = at[1];
        if (op == OP_VARIABLE && at[3] == CLASS_PUSH_CONSTANT) r->block = at[2];
    }
    r->reached[entry] = true;
}

static access read_spirv(const uint32_t *words, size_t bytes) {
    static reader r;
    memset(&r, 0, sizeof r);
    r.words = words;
    r.count = bytes / 4;
    assert_true(words[0] == 0x07230203 && words[3] <= MOST_IDS);
    gpu_operand_access_note(&r);
    if (r.block == 0) return (access){.fault = "no push constants"};
    const uint32_t block_type = r.defined[r.type[r.block]][3];
    for (uint32_t member = 0; member + 2 < length(r.defined[block_type]); ++member)
        r.found.addresses |= addresses_of(&r, block_type, member, NULL);
    r.changed = true;
    for (bool last = false; !last;) {
        last = !r.changed; /* once more when nothing changes, to see what is left open */
        r.changed = false;
        uint32_t function = 0;
        for (const uint32_t *at = words + 5; at < words + r.count; at += length(at)) {
            if (opcode(at) == OP_FUNCTION) function = at[2];
            if (function != 0 && r.reached[function]) step(&r, at, function);
            if (opcode(at) == OP_FUNCTION_END) function = 0;
        }
        if (!last) r.found.fault[0] = 0;
        last = last && !r.changed;
    }
    return r.found;
}

/* What is wrong between a shader and its table, in words; empty: nothing. */
static void gpu_operand_access_compare(const access *found, const quartic_operand_table *table, char *out,
                                       size_t size) {
    uint32_t listed = 0;
    out[0] = 0;
    for (uint32_t k = 0; k < table->count; ++k) listed |= 1u << table->rows[k].args_offset / 8;
    if (found->fault[0] != 0)
        snprintf(out, size, "%s", found->fault);
    else if (found->addresses & ~listed)
        snprintf(out, size, "addresses %#x are missing in the table", found->addresses & ~listed);
    for (uint32_t k = 0; k < table->count && out[0] == 0; ++k) {
        const quartic_operand_row *row = &table->rows[k];
        const uint32_t bit = 1u << row->args_offset / 8;
        if (!(found->addresses & bit))
            snprintf(out, size, "%s is no address", row->member);
        else if (row->args_offset != 8 * k)
            snprintf(out, size, "%s is not in the order of the members", row->member);
        else if (found->loaded & bit && !(row->access & QUARTIC_READ))
            snprintf(out, size, "reads %s, which the table does not say", row->member);
        else if (found->stored & bit && !(row->access & QUARTIC_WRITE))
            snprintf(out, size, "writes %s, which the table does not say", row->member);
    }
}

static void the_tables_say_what_the_shaders_do(void **state) {
    (void)state;
    uint32_t faults = 0;
    for (uint32_t s = 0; s < quartic_spirv_count; ++s) {
        const quartic_spirv *shader = &quartic_spirv_table[s];
        const quartic_operand_table *table = operand_table(shader->args);
        assert_non_null(table);
        const access found = read_spirv(shader->words, shader->bytes);
        char text[192];
        gpu_operand_access_compare(&found, table, text, sizeof text);
        if (text[0] != 0) print_error("shader %s, shaders/%s.args.h: %s\n", shader->name, shader->args, text);
        faults += text[0] != 0;
        /* Every line is needed: together, the shaders of a table do all that it says. */
        access all = found;
        for (uint32_t o = 0; o < quartic_spirv_count; ++o)
            if (strcmp(quartic_spirv_table[o].args, shader->args) == 0) {
                const access other = read_spirv(quartic_spirv_table[o].words, quartic_spirv_table[o].bytes);
                all.loaded |= other.loaded;
                all.stored |= other.stored;
            }
        for (uint32_t k = 0; k < table->count; ++k) {
            const quartic_operand_row *row = &table->rows[k];
            const uint32_t bit = row->args_offset / 8;
            const uint32_t does =
                (all.loaded >> bit & 1 ? QUARTIC_READ : 0u) | (all.stored >> bit & 1 ? QUARTIC_WRITE : 0u);
            if (row->access & ~does)
                print_error("shaders/%s.args.h: no shader does to %s what the table says\n", shader->args,
                            row->member);
            faults += (row->access & ~does) != 0;
        }
    }
    assert_int_equal(faults, 0);
}

/* The real shader `norm` with tables that are wrong in one place. */
static void wrong_tables_are_found(void **state) {
    (void)state;
    const quartic_spirv *norm = NULL;
    for (uint32_t s = 0; s < quartic_spirv_count; ++s)
        if (strcmp(quartic_spirv_table[s].name, "norm") == 0) norm = &quartic_spirv_table[s];
    assert_non_null(norm);
    const access found = read_spirv(norm->words, norm->bytes);
    const quartic_operand_table *right = quartic_norm_operands();
    assert_int_equal(right->count, 4);
    quartic_operand_row rows[MOST_ROWS];
    quartic_operand_table wrong = *right;
    wrong.rows = rows;
    char text[192];
    static const struct {
        uint32_t row, access, count;
        const char *text;
    } plants[] = {{0, QUARTIC_READ, 4, ""},         {0, 0, 4, "reads x"},
                  {0, QUARTIC_WRITE, 4, "reads x"}, {1, 0, 4, "reads scale"},
                  {3, QUARTIC_READ, 4, "writes y"}, {3, QUARTIC_WRITE, 3, "0x8 are missing"}};
    for (size_t k = 0; k < sizeof plants / sizeof plants[0]; ++k) {
        memcpy(rows, right->rows, right->count * sizeof rows[0]);
        rows[plants[k].row].access = (uint8_t)plants[k].access;
        wrong.count = plants[k].count;
        gpu_operand_access_compare(&found, &wrong, text, sizeof text);
        if (plants[k].text[0] == 0 ? text[0] != 0 : strstr(text, plants[k].text) == NULL)
            fail_msg("plant %zu gives \"%s\"", k, text);
    }
}

/* A shader that reaches its operands by every way that the language has, compiled without optimisation. */
static void addresses_are_followed(void **state) {
    (void)state;
    FILE *file = fopen(QUARTIC_TEST_ADDRESSES, "rb");
    assert_non_null(file);
    static uint32_t words[1 << 14];
    const size_t bytes = fread(words, 1, sizeof words, file);
    fclose(file);
    assert_true(bytes > 20 && bytes < sizeof words);
    const access found = read_spirv(words, bytes);
    assert_string_equal(found.fault, "");
    /* The members of operand_access.comp, in order: which it loads, and which it stores. */
    assert_int_equal(found.addresses, 0x3ff);
    assert_int_equal(found.loaded, 0x0af);
    assert_int_equal(found.stored, 0x152);
}

/* What op->gpu puts into a member must be what its line leaves to it. */
static void members_hold_only_what_their_line_allows(void **state) {
    (void)state;
    static quartic_dispatch_list list;
    const uint64_t scratch = quartic_dispatch_reserve(&list, 64), input = quartic_dispatch_input(0);
    const uint64_t window = quartic_dispatch_window(&list, quartic_dispatch_output(0), 8, 16);
    const struct {
        quartic_norm_columns_args columns; /* partial: scratch; result: given */
        bool allowed;
    } cases[] = {{{.partial = scratch, .result = input}, true},
                 {{.partial = scratch, .result = window}, true},
                 {{.partial = input, .result = input}, false},
                 {{.partial = scratch}, false},
                 {{.partial = scratch, .result = 4096}, false}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        const quartic_push push = quartic_norm_columns_push(&cases[k].columns);
        assert_int_equal(quartic_dispatch_add(&list, "norm_columns", push) != NULL, cases[k].allowed);
    }
    assert_int_equal(list.count, 2);
    const quartic_norm_args fixed = {.x = input}; /* its line says which input it is */
    assert_null(quartic_dispatch_add(&list, "norm", quartic_norm_push(&fixed)));
    assert_non_null(strstr(quartic_error_message(), "operand x"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_say_what_the_shaders_do),
        cmocka_unit_test(wrong_tables_are_found),
        cmocka_unit_test(addresses_are_followed),
        cmocka_unit_test(members_hold_only_what_their_line_allows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* safetensors_read_test.c: what the reader takes, what it refuses and with which message, and that it never
 * reads outside the bytes it was given: truncation at every byte, every single-byte change, hostile headers.
 */
#include "expect.h"

#include <math.h>

#include "failing_alloc.h"
#include "base/alloc.h"
#include "base/half.h"
#include "base/rng.h"
#include "quartic/io.h"

/* A file in memory, in a block of exactly its size so that a sanitizer sees any read beyond. */
typedef struct image {
    unsigned char *bytes;
    size_t count;
} image;

static image make_image(const char *header, const void *data, size_t data_bytes) {
    size_t length = strlen(header);
    image made = {malloc(8 + length + data_bytes), 8 + length + data_bytes};
    for (int k = 0; k < 8; ++k) made.bytes[k] = (unsigned char)((uint64_t)length >> 8 * k);
    memcpy(made.bytes + 8, header, length);
    if (data_bytes > 0) memcpy(made.bytes + 8 + length, data, data_bytes);
    return made;
}

static quartic_status open_image(image made, quartic_safetensors **out_file) {
    return quartic_safetensors_open_memory(made.bytes, made.count, "test.safetensors", out_file);
}

static const char small_header[] = "{\"__metadata__\":{\"kind\":\"test\",\"\\u00fc\":\"\"},"
                                   "\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[3,11]},"
                                   "\"a\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[0,3]},"
                                   "\"none\":{\"dtype\":\"F64\",\"shape\":[0,7],\"data_offsets\":[3,3]}}  ";
/* I8 -1 2 -3, then F32 1.5 and -2 at an odd address. */
static const unsigned char small_data[11] = {0xff, 2, 0xfd, 0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0};

static image small_image(void) {
    return make_image(small_header, small_data, sizeof small_data);
}

static void a_valid_file_gives_its_tensors_and_metadata(void **state) {
    (void)state;
    image made = small_image();
    quartic_safetensors *file;
    assert_int_equal(open_image(made, &file), QUARTIC_OK);
    assert_int_equal(quartic_safetensors_count(file), 3);
    assert_string_equal(quartic_safetensors_at(file, 0)->name, "a");
    assert_string_equal(quartic_safetensors_at(file, 2)->name, "none");
    assert_null(quartic_safetensors_at(file, 3));
    assert_null(quartic_safetensors_find(file, "c"));
    assert_string_equal(quartic_safetensors_metadata(file, "kind"), "test");
    assert_string_equal(quartic_safetensors_metadata(file, "\xc3\xbc"), "");
    assert_null(quartic_safetensors_metadata(file, "b"));
    assert_int_equal(quartic_safetensors_metadata_count(file), 2);
    assert_string_equal(quartic_safetensors_metadata_at(file, 0)->key, "kind");

    const quartic_safetensors_tensor *b = quartic_safetensors_find(file, "b");
    assert_int_equal(b->dtype, QUARTIC_SAFETENSORS_F32);
    assert_int_equal(b->shape.rank, 2);
    assert_int_equal(b->shape.dims[0], 2);
    assert_int_equal(b->bytes, 8);
    float real[2];
    assert_int_equal(quartic_safetensors_read_float32(file, b, real, 2), QUARTIC_OK);
    assert_true(real[0] == 1.5f && real[1] == -2.0f);
    int32_t whole[3];
    const quartic_safetensors_tensor *a = quartic_safetensors_find(file, "a");
    assert_int_equal(quartic_safetensors_read_int32(file, a, whole, 3), QUARTIC_OK);
    assert_true(whole[0] == -1 && whole[1] == 2 && whole[2] == -3);

    assert_int_equal(quartic_safetensors_read_float32(file, b, real, 1), QUARTIC_SHAPE_MISMATCH);
    assert_string_equal(
        quartic_error_message(),
        "quartic_safetensors_read_float32: test.safetensors: tensor \"b\" has 2 elements; expected 1");
    assert_int_equal(quartic_safetensors_read_int32(file, b, whole, 2), QUARTIC_FORMAT);
    assert_string_equal(
        quartic_error_message(),
        "quartic_safetensors_read_int32: test.safetensors: tensor \"b\" holds F32; expected integers "
        "or BOOL");
    assert_int_equal(quartic_safetensors_read_float32(file, a, real, 3), QUARTIC_FORMAT);
    quartic_safetensors_close(file);
    free(made.bytes);
}

/* One tensor t of the given type and number of elements, whose data follows. */
static quartic_safetensors *open_one(image *out_made, quartic_safetensors_dtype dtype, unsigned elements,
                                     const void *data) {
    char header[200];
    size_t bytes = elements * quartic_safetensors_dtype_size(dtype);
    snprintf(header, sizeof header, "{\"t\":{\"dtype\":\"%s\",\"shape\":[%u],\"data_offsets\":[0,%zu]}}",
             quartic_safetensors_dtype_name(dtype), elements, bytes);
    *out_made = make_image(header, data, bytes);
    quartic_safetensors *file;
    assert_int_equal(open_image(*out_made, &file), QUARTIC_OK);
    return file;
}

static void every_real_type_becomes_float32(void **state) {
    (void)state;
    static const double wide[] = {1.0 / 3.0, -1e300, 0x1p-140, 5e-324};
    static const float single[] = {0.1f, -0.0f, 3e38f, 1e-45f};
    static const uint16_t half[] = {0x3c00, 0xfbff, 0x0001, 0x83ff},
                          brain[] = {0x3f80, 0xff80, 0x0001, 0x4049};
    static const struct {
        quartic_safetensors_dtype dtype;
        const void *data;
        float want[4];
    } cases[] = {
        {QUARTIC_SAFETENSORS_F64, wide, {1.0f / 3.0f, -INFINITY, 0x1p-140f, 0.0f}},
        {QUARTIC_SAFETENSORS_F32, single, {0.1f, -0.0f, 3e38f, 1e-45f}},
        {QUARTIC_SAFETENSORS_F16, half, {1.0f, -65504.0f, 0x1p-24f, -1023 * 0x1p-24f}},
        {QUARTIC_SAFETENSORS_BF16, brain, {1.0f, -INFINITY, 0x1p-133f, 3.140625f}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; ++c) {
        image made;
        quartic_safetensors *file = open_one(&made, cases[c].dtype, 4, cases[c].data);
        float got[4];
        const quartic_safetensors_tensor *tensor = quartic_safetensors_find(file, "t");
        assert_int_equal(quartic_safetensors_read_float32(file, tensor, got, 4), QUARTIC_OK);
        assert_memory_equal(got, cases[c].want, sizeof got);
        bool finite = isfinite(got[0]) && isfinite(got[1]);
        assert_int_equal(quartic_safetensors_check_finite(file, tensor),
                         finite ? QUARTIC_OK : QUARTIC_NON_FINITE);
        if (!finite)
            assert_string_equal(quartic_error_message(),
                                "quartic_safetensors_check_finite: test.safetensors: element 1 of tensor "
                                "\"t\" is infinite as float32; expected a number");
        quartic_safetensors_close(file);
        free(made.bytes);
    }
    /* All float16 numbers, against their definition. */
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
        float got = quartic_float16_to_float32((uint16_t)bits);
        float magnitude =
            exponent == 0 ? ldexpf((float)fraction, -24) : ldexpf((float)(1024 + fraction), exponent - 25);
        if (exponent == 31 && fraction != 0)
            assert_true(isnan(got));
        else
            assert_true(fabsf(got) == (exponent == 31 ? INFINITY : magnitude));
        assert_int_equal(signbit(got) != 0, bits >> 15);
    }
    assert_true(isnan(quartic_bfloat16_to_float32(0x7fc0)));
}

static void every_integer_type_becomes_int32_or_is_refused(void **state) {
    (void)state;
    static const int64_t wide[] = {INT32_MAX, INT32_MIN, 7}, too_wide[] = {0, (int64_t)INT32_MAX + 1, 0};
    static const int32_t plain[] = {INT32_MAX, INT32_MIN, -7};
    static const int16_t narrow[] = {32767, -32768, -7};
    static const uint8_t byte[] = {255, 0, 1}, boolean[] = {1, 0, 1};
    static const uint16_t unsigned_narrow[] = {65535, 0, 32768};
    static const uint32_t unsigned_plain[] = {INT32_MAX, 0, 7}, unsigned_beyond[] = {0, 0, 0x80000000u};
    static const uint64_t unsigned_wide[] = {INT32_MAX, 0, 7}, huge[] = {0, UINT64_MAX, 0};
    static const int64_t too_low[] = {0, 0, (int64_t)INT32_MIN - 1}, least[] = {INT64_MIN, 0, 0};
    static const struct {
        quartic_safetensors_dtype dtype;
        const void *data;
        quartic_status status;
        int32_t want[3];
        const char *message;
    } cases[] = {
        {QUARTIC_SAFETENSORS_I64, wide, QUARTIC_OK, {INT32_MAX, INT32_MIN, 7}, NULL},
        {QUARTIC_SAFETENSORS_I64,
         too_wide,
         QUARTIC_FORMAT,
         {0},
         "element 1 of tensor \"t\" (I64) is 2147483648; expected -2147483648 to 2147483647"},
        {QUARTIC_SAFETENSORS_I64,
         too_low,
         QUARTIC_FORMAT,
         {0},
         "element 2 of tensor \"t\" (I64) is -2147483649"},
        {QUARTIC_SAFETENSORS_I64, least, QUARTIC_FORMAT, {0}, "is -9223372036854775808"},
        {QUARTIC_SAFETENSORS_U16, unsigned_narrow, QUARTIC_OK, {65535, 0, 32768}, NULL},
        {QUARTIC_SAFETENSORS_U32, unsigned_plain, QUARTIC_OK, {INT32_MAX, 0, 7}, NULL},
        {QUARTIC_SAFETENSORS_U32,
         unsigned_beyond,
         QUARTIC_FORMAT,
         {0},
         "element 2 of tensor \"t\" (U32) is 2147483648"},
        {QUARTIC_SAFETENSORS_U64, unsigned_wide, QUARTIC_OK, {INT32_MAX, 0, 7}, NULL},
        {QUARTIC_SAFETENSORS_U64,
         huge,
         QUARTIC_FORMAT,
         {0},
         "element 1 of tensor \"t\" (U64) is 18446744073709551615"},
        {QUARTIC_SAFETENSORS_I32, plain, QUARTIC_OK, {INT32_MAX, INT32_MIN, -7}, NULL},
        {QUARTIC_SAFETENSORS_I16, narrow, QUARTIC_OK, {32767, -32768, -7}, NULL},
        {QUARTIC_SAFETENSORS_U8, byte, QUARTIC_OK, {255, 0, 1}, NULL},
        {QUARTIC_SAFETENSORS_I8, byte, QUARTIC_OK, {-1, 0, 1}, NULL},
        {QUARTIC_SAFETENSORS_BOOL, boolean, QUARTIC_OK, {1, 0, 1}, NULL},
        {QUARTIC_SAFETENSORS_BOOL, byte, QUARTIC_FORMAT, {0}, "(BOOL) is 255; expected 0 to 1"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; ++c) {
        image made;
        quartic_safetensors *file = open_one(&made, cases[c].dtype, 3, cases[c].data);
        int32_t got[3];
        const quartic_safetensors_tensor *tensor = quartic_safetensors_find(file, "t");
        assert_int_equal(quartic_safetensors_read_int32(file, tensor, got, 3), cases[c].status);
        if (cases[c].status == QUARTIC_OK)
            assert_memory_equal(got, cases[c].want, sizeof got);
        else if (strstr(quartic_error_message(), cases[c].message) == NULL)
            fail_msg("expected <%s>, got <%s>", cases[c].message, quartic_error_message());
        assert_int_equal(quartic_safetensors_check_finite(file, tensor), QUARTIC_OK);
        quartic_safetensors_close(file);
        free(made.bytes);
    }
}

/* Headers that must be refused over 8 bytes of data, with a piece of the message. */
#define ENTRY(dtype, shape, offsets) "{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define ONE(dtype, shape, offsets)   "{\"t\":" ENTRY(dtype, shape, offsets) "}"
static const struct {
    const char *header, *message;
} refused[] = {
    {"", "does not begin with '{'"},
    {" {}", "does not begin with '{'"},
    {"{", "no valid JSON"},
    {"{} x", "no valid JSON"},
    {"{}", "the tensors end at byte 0 of the data, which has 8 bytes"},
    {"{\"t\":3}", "entry \"t\" is no object"},
    {"{\"t\":{}}", "tensor \"t\" has no \"dtype\" text; expected one of F64 F32 F16"},
    {ONE("\"F33\"", "[2]", "[0,8]"), "unknown dtype \"F33\"; expected one of F64 F32"},
    {ONE("\"f32\"", "[2]", "[0,8]"), "unknown dtype \"f32\""},
    {ONE("32", "[2]", "[0,8]"), "no \"dtype\" text"},
    {ONE("\"F32\"", "2", "[0,8]"), "no \"shape\" array"},
    {ONE("\"F32\"", "[2.0]", "[0,8]"), "axis 0 of tensor \"t\" is no integer"},
    {ONE("\"F32\"", "[2,\"1\"]", "[0,8]"), "axis 1 of tensor \"t\" is no integer"},
    {ONE("\"F32\"", "[-2]", "[0,8]"), "extent -2; expected 0 to 4294967295"},
    {ONE("\"F32\"", "[4294967296]", "[0,8]"), "extent 4294967296"},
    {ONE("\"F32\"", "[18446744073709551618]", "[0,8]"), "no valid JSON"},
    {ONE("\"F32\"", "[2,1,1,1,1,1,1]", "[0,8]"), "has 7 axes; this library takes at most 6"},
    {ONE("\"F32\"", "[4294967295,4294967295,4294967295]", "[0,8]"), "need more than 9223372036854775807"},
    {ONE("\"F32\"", "[2147483648,2147483648,2]", "[0,8]"), "need more than"},
    {ONE("\"F32\"", "[3]", "[0,8]"), "of F32 (3) takes 8 bytes in the file, but its type and shape need 12"},
    {ONE("\"F32\"", "[1,2,3]", "[0,8]"), "of F32 (1, 2, 3) takes 8 bytes"},
    {ONE("\"F32\"", "[]", "[0,8]"), "of F32 () takes 8 bytes in the file, but its type and shape need 4"},
    {ONE("\"F32\"", "[2]", "[0,9]"), "bytes 0 to 9 of the data, which has 8 bytes"},
    {ONE("\"F32\"", "[2]", "[-1,7]"), "bytes -1 to 7"},
    {ONE("\"F32\"", "[2]", "[8,0]"), "bytes 8 to 0"},
    {ONE("\"F32\"", "[2]", "[0,8,8]"), "array of two integers"},
    {ONE("\"F32\"", "[2]", "[0]"), "array of two integers"},
    {ONE("\"F32\"", "[2]", "[0,8.0]"), "array of two integers"},
    {ONE("\"F32\"", "[2]", "{}"), "array of two integers"},
    {ONE("\"F32\"", "[1]", "[4,8]"),
     "begins at byte 4 of the data, but the tensors before it end at 0: the ranges leave a hole"},
    {ONE("\"F32\"", "[1]", "[0,4]"), "end at byte 4 of the data, which has 8"},
    {"{\"t\":" ENTRY("\"F32\"", "[2]", "[0,8]") ",\"u\":" ENTRY("\"F32\"", "[1]", "[4,8]") "}",
     "the ranges overlap"},
    {"{\"t\":" ENTRY("\"F32\"", "[1]", "[0,4]") ",\"u\":" ENTRY("\"F32\"", "[1]", "[0,4]") "}",
     "the ranges overlap"},
    {"{\"t\":" ENTRY("\"F32\"", "[1]", "[0,4]") ",\"t\":" ENTRY("\"F32\"", "[1]", "[4,8]") "}",
     "duplicate key \"t\""},
    {"{\"t\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "duplicate"},
    {"{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":0}}", "has 4 keys; expected"},
    {"{\"\xff\":" ENTRY("\"F32\"", "[2]", "[0,8]") "}", "no valid JSON"},
    {"{\"a\\u0000b\":" ENTRY("\"F32\"", "[2]", "[0,8]") "}", "no valid JSON"},
    {"{\"__metadata__\":3,\"t\":" ENTRY("\"F32\"", "[2]", "[0,8]") "}", "__metadata__ is no object of texts"},
    {"{\"__metadata__\":{\"k\":1},\"t\":" ENTRY("\"F32\"", "[2]", "[0,8]") "}", "metadata \"k\" is no text"},
};

static void refuse(image made, const char *message) {
    int64_t live = quartic_alloc_live();
    quartic_safetensors *file;
    assert_int_equal(open_image(made, &file), QUARTIC_FORMAT);
    assert_null(file);
    if (strstr(quartic_error_message(), message) == NULL)
        fail_msg("expected a message with <%s>, got <%s>", message, quartic_error_message());
    assert_int_equal(quartic_alloc_live(), live);
    free(made.bytes);
}

static void hostile_headers_are_refused_with_a_message(void **state) {
    (void)state;
    static const unsigned char zeros[8] = {0};
    for (size_t c = 0; c < sizeof refused / sizeof refused[0]; ++c)
        refuse(make_image(refused[c].header, zeros, sizeof zeros), refused[c].message);

    /* Lengths that lie: just too long, and so long that adding to them would overflow. */
    for (int high = 0; high < 8; ++high) {
        image made = small_image();
        made.bytes[high] = 0xff;
        refuse(made, "the file is cut off or is no safetensors file");
    }
    image all_ones = small_image();
    memset(all_ones.bytes, 0xff, 8);
    refuse(all_ones, "18446744073709551615 bytes");

    /* Deep nesting must not exhaust the stack, a header beyond the cap must not be parsed. */
    size_t deep = 1 << 16, beyond = (16u << 20) + 1;
    char *text = malloc(beyond + 1);
    memset(text, '[', deep);
    memcpy(text, "{\"t\":", 5);
    text[deep] = 0;
    refuse(make_image(text, zeros, 0), "depth");
    memset(text, ' ', beyond);
    text[0] = '{';
    text[beyond] = 0;
    refuse(make_image(text, zeros, 0), "at most 16777216 are taken");
    free(text);
}

static void a_long_or_strange_name_makes_a_clean_message(void **state) {
    (void)state;
    char header[400] = "{\"\\u001b[2J\\\"";
    for (int i = 0; i < 60; ++i) strcat(header, "\xc3\xbc");
    strcat(header, "\":{}}");
    image made = make_image(header, "", 0);
    quartic_safetensors *file;
    assert_int_equal(open_image(made, &file), QUARTIC_FORMAT);
    const char *message = quartic_error_message();
    assert_non_null(strstr(message, "tensor \"?[2J?\xc3\xbc"));
    assert_non_null(strstr(message, "\xc3\xbc...\""));
    assert_null(strchr(message, '\x1b'));
    free(made.bytes);
}

static void truncation_at_every_byte_is_refused(void **state) {
    (void)state;
    image whole = small_image();
    for (size_t count = 0; count < whole.count; ++count) {
        image cut = {malloc(count + (count == 0)), count};
        memcpy(cut.bytes, whole.bytes, count);
        refuse(cut, "test.safetensors");
    }
    free(whole.bytes);
}

/* Any outcome but a crash, a leak or a file that contradicts itself is fine. */
static void try_bytes(image made) {
    int64_t live = quartic_alloc_live();
    quartic_safetensors *file;
    quartic_status status = open_image(made, &file);
    assert_true(status == QUARTIC_OK || status == QUARTIC_FORMAT);
    uint64_t sum = 0;
    for (uint32_t t = 0; status == QUARTIC_OK && t < quartic_safetensors_count(file); ++t) {
        const quartic_safetensors_tensor *tensor = quartic_safetensors_at(file, t);
        assert_ptr_equal(quartic_safetensors_find(file, tensor->name), tensor);
        assert_int_equal(tensor->bytes, quartic_shape_elements(&tensor->shape) *
                                            quartic_safetensors_dtype_size(tensor->dtype));
        sum += tensor->bytes;
        (void)quartic_safetensors_check_finite(file, tensor);
    }
    assert_true(sum <= made.count);
    quartic_safetensors_close(file);
    assert_int_equal(quartic_alloc_live(), live);
}

static void changed_bytes_never_do_harm(void **state) {
    (void)state;
    image made = small_image();
    for (size_t at = 0; at < made.count; ++at) {
        unsigned char kept = made.bytes[at];
        for (int value = 0; value < 256; value += at < 8 ? 1 : 3) {
            made.bytes[at] = (unsigned char)value;
            try_bytes(made);
        }
        made.bytes[at] = kept;
    }
    /* And several at once. */
    for (uint64_t round = 0; round < 3000; ++round) {
        unsigned char kept[4];
        size_t at[4];
        for (uint32_t k = 0; k < 4; ++k) {
            at[k] = 8 + quartic_random_bits(1, k, 2 * round) % (made.count - 8);
            kept[k] = made.bytes[at[k]];
            made.bytes[at[k]] =
                (unsigned char)"0123456789,[]{}:\"\\ ABF"[quartic_random_bits(1, k, 2 * round + 1) % 22];
        }
        try_bytes(made);
        for (uint32_t k = 4; k-- > 0;) made.bytes[at[k]] = kept[k];
    }
    free(made.bytes);
}

static void every_failing_allocation_is_reported_and_leaves_nothing(void **state) {
    (void)state;
    image made = small_image();
    int64_t live = quartic_alloc_live();
    quartic_safetensors *file = NULL;
    uint64_t nth = 0;
    quartic_status status;
    do {
        quartic_alloc_fail_at(++nth);
        status = open_image(made, &file);
        if (status != QUARTIC_OK) {
            assert_int_equal(status, QUARTIC_OUT_OF_MEMORY);
            assert_null(file);
            assert_int_equal(quartic_alloc_live(), live);
        }
    } while (status != QUARTIC_OK);
    quartic_alloc_fail_at(0);
    assert_true(nth > 4); /* handle, label, tensors, texts and metadata each failed once */
    quartic_safetensors_close(file);
    quartic_safetensors_close(NULL);
    free(made.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_file_gives_its_tensors_and_metadata),
        cmocka_unit_test(every_real_type_becomes_float32),
        cmocka_unit_test(every_integer_type_becomes_int32_or_is_refused),
        cmocka_unit_test(hostile_headers_are_refused_with_a_message),
        cmocka_unit_test(a_long_or_strange_name_makes_a_clean_message),
        cmocka_unit_test(truncation_at_every_byte_is_refused),
        cmocka_unit_test(changed_bytes_never_do_harm),
        cmocka_unit_test(every_failing_allocation_is_reported_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

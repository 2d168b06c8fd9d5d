/* status.h: how every call of the library reports success or failure.
 *
 * A function that can fail returns a quartic_status. On anything but QUARTIC_OK the calling thread's
 * quartic_error_message() holds one sentence: the function that was called, what was wrong, with the values
 * and shapes, and what to do. The sentence stays until the thread's next failing call; a success does not
 * clear it.
 *
 * NULL is taken where a function's comment says so; else it is INVALID_ARGUMENT, with a sentence that names
 * the function and the argument. Functions that return something else than a status then return 0, NULL, an
 * empty struct or no value, and leave the same sentence.
 */
#ifndef QUARTIC_STATUS_H
#define QUARTIC_STATUS_H

#if defined(_WIN32)
#define QUARTIC_API __declspec(dllexport)
#else
#define QUARTIC_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* One line per status: X(constant suffix, meaning). */
#define QUARTIC_STATUS_LIST(X)                                                                               \
    X(OK, "success")                                                                                         \
    X(INVALID_ARGUMENT, "an argument is outside its documented range")                                       \
    X(SHAPE_MISMATCH, "the shapes of the arguments do not fit together")                                     \
    X(OUT_OF_MEMORY, "the host is out of memory")                                                            \
    X(OUT_OF_DEVICE_MEMORY, "the device is out of memory")                                                   \
    X(UNAVAILABLE, "what was asked for does not exist on this machine")                                      \
    X(UNSUPPORTED, "the device cannot do this")                                                              \
    X(IO, "a file could not be read or written")                                                             \
    X(FORMAT, "a file's contents are malformed")                                                             \
    X(NON_FINITE, "a result is infinite or not a number")                                                    \
    X(DEVICE_LOST, "the device stopped responding")                                                          \
    X(INTERNAL, "a defect in the library")

#if defined(QUARTIC_CHECK_STATUSES) /* the project's own test that no call's status is dropped */
#define QUARTIC_STATUS_ATTRIBUTE [[nodiscard]]
#else
#define QUARTIC_STATUS_ATTRIBUTE
#endif

typedef enum QUARTIC_STATUS_ATTRIBUTE quartic_status {
#define QUARTIC_STATUS_ENUM(name, meaning) QUARTIC_##name,
    QUARTIC_STATUS_LIST(QUARTIC_STATUS_ENUM)
#undef QUARTIC_STATUS_ENUM
} quartic_status;

/* The constant's name, for example "QUARTIC_IO"; "unknown status" for a value outside the list. Static. */
QUARTIC_API const char *quartic_status_name(quartic_status status);

/* The calling thread's last error sentence, "" before the first. Owned by the library, valid until the
 * thread's next failing call. It begins with the name of the function that was called and ": ". */
QUARTIC_API const char *quartic_error_message(void);

/* That name, "" before the first error: for programs that show the sentence to people who did not write the
 * call, and leave the name out. Static. */
QUARTIC_API const char *quartic_error_function(void);

#ifdef __cplusplus
}
#endif
#endif

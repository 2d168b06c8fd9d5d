/* status.h: how every call of the library reports success or failure.
 *
 * A function that can fail returns a quartic_status. On anything but QUARTIC_OK the calling thread's
 * quartic_error_message() holds one sentence: what was wrong, with the values and shapes, and what to do.
 * The sentence stays until the thread's next failing call; a success does not clear it.
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
 * thread's next failing call. */
QUARTIC_API const char *quartic_error_message(void);

#ifdef __cplusplus
}
#endif
#endif

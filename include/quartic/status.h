/* status.h: how every call of the library reports success or failure. All of it is stable.
 *
 * A function that can fail returns a quartic_status. On anything but QUARTIC_OK, quartic_error_message()
 * returns the calling thread's error message: the function that was called, what was wrong, with the values
 * and shapes, and what to do. The message stays until the thread's next failing call; a success does not
 * clear it.
 *
 * NULL is accepted where a function's comment says so. Elsewhere it is INVALID_ARGUMENT, with a message that
 * names the function and the argument. A function that returns no status then returns 0, NULL, an empty
 * struct or no value, and sets the same message.
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

/* Returns the constant's name, for example "QUARTIC_IO"; "unknown status" for a value outside the list. The
 * text is static. Cannot fail. */
QUARTIC_API const char *quartic_status_name(quartic_status status);

/* Returns the calling thread's last error message, "" before the first. It begins with the name of the
 * function that was called and ": ". Owned by the library, valid until the thread's next failing call. Cannot
 * fail. */
QUARTIC_API const char *quartic_error_message(void);

/* Returns that function's name, "" before the first error, for programs that show the message without it. The
 * text is static. Cannot fail. */
QUARTIC_API const char *quartic_error_function(void);

#ifdef __cplusplus
}
#endif
#endif

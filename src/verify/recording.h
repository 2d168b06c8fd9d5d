/* recording.h: a recorded case opened for replay, and the comparison of what a replay computed.
 *
 * Tensors: param.<name>, input.<name>, output.<name>, grad.<name>, final.<name>. Metadata: model, family
 * (reference, corrected, module, train), config (the constructor's arguments as a JSON object).
 */
#ifndef QUARTIC_VERIFY_RECORDING_H
#define QUARTIC_VERIFY_RECORDING_H

#include "base/json.h"
#include "quartic/io.h"
#include "verify/compare.h"

typedef struct quartic_recording {
    const char *path;
    quartic_safetensors *file;
    const char *model, *family;
    quartic_json_document document;
    const quartic_json *config; /* an object of the document */
} quartic_recording;

/* Errors: IO, FORMAT (no safetensors, metadata missing), OUT_OF_MEMORY. */
quartic_status quartic_recording_open(const char *path, quartic_recording *out_recording);
void quartic_recording_close(quartic_recording *recording);

/* The tensor prefix + name; FORMAT with a message if it is not there. */
quartic_status quartic_recording_find(const quartic_recording *recording, const char *prefix,
                                      const char *name, const quartic_safetensors_tensor **out_tensor);
/* The tensor's numbers as float32 (also from integers) or int32, in new memory that the caller frees with
 * quartic_free, also after an error. */
quartic_status quartic_recording_floats(const quartic_recording *recording,
                                        const quartic_safetensors_tensor *tensor, float **out_numbers);
quartic_status quartic_recording_ints(const quartic_recording *recording,
                                      const quartic_safetensors_tensor *tensor, int32_t **out_numbers);

/* A number or boolean of the configuration; FORMAT if it is missing. */
quartic_status quartic_recording_number(const quartic_recording *recording, const char *key,
                                        double *out_number);
quartic_status quartic_recording_count(const quartic_recording *recording, const char *key,
                                       uint32_t *out_count);

/* Whether the name starts with the prefix; then *out_rest (may be NULL) is what follows. */
bool quartic_starts_with(const char *name, const char *prefix, const char **out_rest);

/* ---- comparison ---- */

typedef struct quartic_replay_worst {
    bool any;
    char name[192]; /* of the tensor with the largest error / bound */
    quartic_shape shape;
    quartic_comparison comparison;
} quartic_replay_worst;

typedef struct quartic_replay {
    const quartic_recording *recording;
    quartic_replay_worst outputs, gradients; /* outputs: also losses and trained parameters */
    uint32_t compared;
    uint32_t failed;
    char note[128]; /* appended to the line; "": none */
} quartic_replay;

/* Compares numbers with the tensor of that full name: by the gradients' bound if it starts with "grad.", else
 * by the outputs'; integers must be equal. SHAPE_MISMATCH if the counts differ, FORMAT if there is no such
 * tensor. */
quartic_status quartic_replay_compare(quartic_replay *replay, const char *name, const float *got,
                                      uint64_t count);
/* FORMAT if the recording has outputs, gradients or final parameters that were not compared. */
quartic_status quartic_replay_check_complete(const quartic_replay *replay);
/* Writes the result as one line: the worst output, the worst gradient, and how many tensors are out of
 * bounds. */
void quartic_replay_text(const quartic_replay *replay, char *buffer, size_t bytes);

#endif

/* resume.h: what a training run needs to know of its start when it is resumed, and messages about changed
 * settings.
 *
 * A note in the checkpoint (quartic_trainer_set_note) holds it, as JSON: "device", the text of --device or
 * null; "initial", a hash of each weight at the start, 8 hexadecimal digits each, in the model's order;
 * "save_every".
 */
#ifndef QUARTIC_TOOL_RESUME_H
#define QUARTIC_TOOL_RESUME_H

#include <stdbool.h>

#include "quartic/train.h"
#include "tool/tool.h"

typedef struct run_note {
    char *device, *initial; /* owned; NULL: not known */
    char *tuning;           /* the same; no part of the note: the checkpoint's hash of measured choices */
    uint32_t save_every;    /* 0: not known */
} run_note;

/* Reads the settings, the note and the hash of measured choices of a checkpoint; resume_forget frees the note. On failure prints why and
 * returns false. */
bool resume_read(const command *command, const char *checkpoint, quartic_trainer_config *out_trainer,
                 run_note *out_note);
void resume_forget(run_note *note);
/* Puts the settings that the run has from here on into the note. *inout_device becomes the note's own
 * copy. */
void resume_settle(run_note *note, const char **inout_device, uint32_t save_every);

/* Puts the hashes of the model's weights as they are now into the note. On failure prints why and returns
 * false. */
bool resume_hash_weights(const command *command, const quartic_model *model, run_note *note);
/* Hands the note to the trainer, whose checkpoints contain it. */
quartic_status resume_write(quartic_trainer *trainer, const run_note *note);

/* Whether the run started with the weights of the file; if not, prints the first difference and returns
 * false. */
bool resume_compare_weights(const command *command, const quartic_model *model, const run_note *note,
                            const char *path);

/* Prints a note for each setting that has changed. step: the last step that was made with the old
 * settings. */
void resume_tell(const command *command, const quartic_trainer_config *was, const quartic_trainer_config *is,
                 uint64_t step);
/* Prints a note if the device's measured choices are not those that the checkpoint was made with. */
void resume_tell_tuning(const command *command, const run_note *note, const quartic_device *device,
                        uint64_t step);

#endif

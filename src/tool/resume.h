/* resume.h: what a training run needs to know of its beginning when it goes on: the settings of the program
 * itself and marks of the weights that it began with, in the checkpoint's note; and telling what is another
 * than it was.
 *
 * The note is JSON: "device", the text of --device or null; "initial", the mark of each weight at the start,
 * 8 digits each, in the model's order; "save_every".
 */
#ifndef QUARTIC_TOOL_RESUME_H
#define QUARTIC_TOOL_RESUME_H

#include <stdbool.h>

#include "quartic/train.h"
#include "tool/tool.h"

typedef struct run_note {
    char *device, *initial; /* NULL: not known */
    uint32_t save_every;    /* 0: not known */
} run_note;

/* The settings and the note of a checkpoint. On failure prints why and returns false. */
bool resume_read(const command *command, const char *checkpoint, quartic_trainer_config *out_trainer,
                 run_note *out_note);
void resume_forget(run_note *note);
/* From here on the run has these settings; the device's name is copied. */
void resume_settle(run_note *note, const char **inout_device, uint32_t save_every);

/* Marks the model's weights as they are now. On failure prints why and returns false. */
bool resume_mark(const command *command, const quartic_model *model, run_note *note);
/* Puts the note into what the trainer's checkpoints carry. */
quartic_status resume_write(quartic_trainer *trainer, const run_note *note);

/* Whether the run began with the weights of the file; if not, prints the first difference. */
bool resume_compare_weights(const command *command, const quartic_model *model, const run_note *note,
                            const char *path);

/* Tells each setting that is another than it was. */
void resume_tell(const command *command, const quartic_trainer_config *was, const quartic_trainer_config *is,
                 uint64_t step);

#endif

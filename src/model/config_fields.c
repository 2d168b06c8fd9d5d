/* config_fields.c: the table of the fields of quartic_model_config, made from the list in the public
 * header. */
#include "model/model.h"

#define CHOICE_NAME(suffix, name) name,
#define CHOICE_NAMES(field, type, standard, list, meaning)                                                   \
    static const char *const field##_choices[] = {list(CHOICE_NAME) NULL};                                   \
    _Static_assert(sizeof(type) == sizeof(uint32_t), "fields.c stores choices in 4 bytes");
#define CHOICES_NAMES(field, type, standard, list, most, meaning)                                            \
    CHOICE_NAMES(field, type, standard, list, meaning)
#define NOTHING(...)
QUARTIC_MODEL_FIELD_LIST(CHOICE_NAMES, CHOICES_NAMES, NOTHING, NOTHING, NOTHING)

#define AT(name) offsetof(quartic_model_config, name)
#define CHOICE_FIELD(name, type, standard, list, meaning)                                                    \
    {#name, QUARTIC_FIELD_CHOICE, AT(name), 0, 0, false, 0, name##_choices, 0, 0},
#define CHOICES_FIELD(name, type, standard, list, most, meaning)                                             \
    {#name,          QUARTIC_FIELD_CHOICES, AT(name),       1, most, false, 0,                               \
     name##_choices, AT(name##_count),      AT(name##_list)},
#define COUNT_FIELD(name, standard, least, most, meaning)                                                    \
    {#name, QUARTIC_FIELD_COUNT, AT(name), least, most, false, standard, NULL, 0, 0},
#define FLAG_FIELD(name, standard, meaning) {#name, QUARTIC_FIELD_FLAG, AT(name), 0, 1, false, 0, NULL, 0, 0},
#define REAL_FIELD(name, standard, least, below, meaning)                                                    \
    {#name, QUARTIC_FIELD_REAL, AT(name), (double)(least), (double)(below), true, 0, NULL, 0, 0},

static const quartic_field model_fields[] = {
    QUARTIC_MODEL_FIELD_LIST(CHOICE_FIELD, CHOICES_FIELD, COUNT_FIELD, FLAG_FIELD, REAL_FIELD)};

const quartic_field_table quartic_model_field_table = {"the model's configuration", model_fields,
                                                       sizeof model_fields / sizeof model_fields[0]};

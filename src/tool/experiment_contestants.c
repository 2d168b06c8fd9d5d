/* experiment_contestants.c: who takes part in a contest, and their models. See experiment_contest.h. */
#include "tool/experiment_contest.h"

#include <stdio.h>
#include <string.h>

#include "tool/experiment_batch.h"
#include "tool/models.h"

enum {
    WIDTH = 16, /* of the forms' nodes and edges */
    DEPTH = 2,  /* of the forms */
    HEADS = 4,
    DIM_HEAD = 8,
    MOST_WIDTH = 512,
    WIDTH_STEP = 4,
    BASELINE_STEPS = 4, /* times the forms' */
    CLASSES = 2
};
static const float rate_factors[CONTEST_MOST_RATES] = {1, 1.0f / 3, 3}; /* the forms get the first */

/* ---- the contestants ---- */

const char *contest_form(uint32_t index) {
    const char *name;
    for (uint32_t form = 0; (name = tool_edge_form_name(form)) != NULL; ++form) {
        if (form == QUARTIC_EDGE_ATTENTION_NONE || form == QUARTIC_EDGE_ATTENTION_DEFAULT) continue;
        if (index-- == 0) return name;
    }
    return NULL;
}

enum { STATIC, NONE, RELATIONAL, ABLATED, KINDS };
static const char *const kinds[KINDS] = {"static", "none", "relational", "ablated"};

const char *contest_baseline(uint32_t index) {
    return index < KINDS ? kinds[index] : NULL;
}

static const char *const encoding_names[CONTEST_ENCODINGS] = {"",      "ids",       "rows",
                                                              "walks", "laplacian", "distances"};

const char *contest_encoding_name(contest_encoding encoding) {
    return encoding_names[encoding];
}

/* The number of the encoding of that name, CONTEST_ENCODINGS if there is none. */
static uint32_t find_encoding(const char *name, size_t bytes) {
    uint32_t k = CONTEST_IDENTIFIERS;
    while (k < CONTEST_ENCODINGS &&
           (strlen(encoding_names[k]) != bytes || strncmp(encoding_names[k], name, bytes) != 0))
        ++k;
    return k;
}

bool contest_read_encodings(const char *text, uint32_t *out_bits) {
    *out_bits = 0;
    while (*text != 0) {
        const size_t bytes = strcspn(text, ",");
        const uint32_t found = find_encoding(text, bytes);
        if (found == CONTEST_ENCODINGS) return false;
        *out_bits |= 1u << found;
        text += bytes;
        if (*text == ',' && *++text == 0) return false;
    }
    return true;
}

/* One part of a list such as "triangle+plain,none+rows". */
typedef struct named_contestant {
    const char *form;
    size_t form_bytes;
    bool any; /* encoding */
    uint32_t encoding;
} named_contestant;

/* Reads a part and moves on to the next. CONTEST_ENCODINGS stands for an unknown encoding. */
static named_contestant next_named(const char **inout_text) {
    static const char plain[] = "plain";
    const char *text = *inout_text;
    named_contestant named = {.form = text, .form_bytes = strcspn(text, "+,"), .any = true};
    text += named.form_bytes;
    if (*text == '+') {
        const size_t bytes = strcspn(++text, ",");
        named.any = false;
        named.encoding = bytes == strlen(plain) && strncmp(text, plain, bytes) == 0
                             ? CONTEST_PLAIN
                             : find_encoding(text, bytes);
        text += bytes;
    }
    *inout_text = *text == ',' ? text + 1 : text;
    return named;
}

static bool is_form(const named_contestant *named, const char *form) {
    return strlen(form) == named->form_bytes && strncmp(form, named->form, named->form_bytes) == 0;
}

bool contest_is_named(const char *only, const char *form, contest_encoding encoding) {
    if (only == NULL) return true;
    while (*only != 0) {
        const named_contestant named = next_named(&only);
        if (is_form(&named, form) && (named.any || named.encoding == (uint32_t)encoding)) return true;
    }
    return false;
}

bool contest_read_only(const char *only, uint32_t *out_encodings) {
    *out_encodings = 0;
    do {
        const named_contestant named = next_named(&only);
        bool known = false;
        const char *name;
        for (uint32_t k = 0; (name = contest_form(k)) != NULL; ++k)
            /* forms are given identifiers or nothing */
            known = known || (is_form(&named, name) && (named.any || named.encoding <= CONTEST_IDENTIFIERS));
        for (uint32_t k = 0; (name = contest_baseline(k)) != NULL; ++k)
            known = known || is_form(&named, name);
        if (!known || named.encoding == CONTEST_ENCODINGS) return false;
        if (!named.any) *out_encodings |= 1u << named.encoding;
    } while (*only != 0);
    return true;
}

bool contest_config(const contest *contest, const char *form, contest_encoding encoding, uint32_t width,
                    uint32_t depth, quartic_model_config *out_config) {
    const command *command = contest->command;
    const experiment_task *task = &contest->widest;
    const bool ablated = strcmp(form, kinds[ABLATED]) == 0,
               fixed = ablated || strcmp(form, kinds[STATIC]) == 0;
    const bool baseline = fixed || strcmp(form, kinds[NONE]) == 0;
    /* In the quartic model equal nodes send equal values and stay equal, whatever their edges: where the
     * nodes are read out, the forms are layers of the relational model, whose values hold edges. */
    const bool relational =
        strcmp(form, kinds[RELATIONAL]) == 0 ||
        (!baseline && (task->readout != QUARTIC_READOUT_EDGE || contest->settings.relational));
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.model = relational ? QUARTIC_MODEL_RELATIONAL : QUARTIC_MODEL_QUARTIC;
    config.num_edge_types = ablated ? 0 : task->edge_types;
    contest_batch_configure(task, encoding, &config);
    config.dim = config.dim_edges = width;
    config.depth = depth;
    config.heads = config.linear_heads = config.edge_heads =
        contest->settings.heads > 0 ? contest->settings.heads : HEADS;
    config.dim_head = config.linear_dim_head = config.edge_dim_head =
        contest->settings.head_width > 0 ? contest->settings.head_width
        : width >= WIDTH / DIM_HEAD      ? width * DIM_HEAD / WIDTH
                                         : 1;
    config.ff_mult = 2;
    config.max_seq_len = task->n;
    config.num_residual_streams = 1;
    config.positions = 0;
    config.readout = task->readout;
    config.num_classes = CLASSES;
    config.static_edges = fixed;
    char text[128];
    snprintf(text, sizeof text, "{\"edge_attention\": \"%s\"}",
             strcmp(form, kinds[RELATIONAL]) == 0 || fixed ? "none" : form);
    if (quartic_model_config_read_json(&config, text) != QUARTIC_OK)
        return tool_fail_library(command, NULL), false;
    *out_config = config;
    return true;
}

static bool count_parameters(const contest *contest, const quartic_model_config *config,
                             uint64_t *out_count) {
    quartic_model *model = NULL;
    if (quartic_model_create(contest->device, config, &model) != QUARTIC_OK)
        return tool_fail_library(contest->command, NULL), false;
    *out_count = quartic_model_parameter_elements(model);
    quartic_model_destroy(model);
    return true;
}

static contestant *add_contestant(contest *contest, const char *form, bool baseline,
                                  contest_encoding encoding, uint32_t depth, uint32_t size) {
    if (contest->contestant_count == CONTEST_MOST) return NULL;
    contestant *who = &contest->contestants[contest->contestant_count];
    *who = (contestant){.form = form,
                        .baseline = baseline,
                        .encoding = encoding,
                        .depth = depth,
                        .size = size,
                        .steps = !baseline ? contest->settings.steps
                                 : contest->settings.baseline_steps > 0
                                     ? contest->settings.baseline_steps
                                     : contest->settings.steps * BASELINE_STEPS,
                        .rate_count = baseline ? contest->settings.rates : 1};
    for (uint32_t k = 0; k < CONTEST_MOST_RATES; ++k)
        who->rates[k] = contest->settings.rate * rate_factors[k];
    const char *plus = encoding == CONTEST_PLAIN ? "" : " + ", *told = encoding_names[encoding];
    const char *family = !baseline && contest->settings.relational ? "relational " : "";
    if (contest->settings.width > 0)
        snprintf(who->name, sizeof who->name, "%s%s%s%s, %u layers, width %u", family, form, plus, told,
                 depth, contest->settings.width);
    else if (size == 0)
        snprintf(who->name, sizeof who->name, "%s%s%s%s", family, form, plus, told);
    else
        snprintf(who->name, sizeof who->name, "%s%s%s, %u layers, %ux", form, plus, told, depth, size);
    return who;
}

/* The contestant joins with the width of the settings or, if that is 0, with the narrowest width that has at
 * least that many parameters. */
static bool set_contestant_width(contest *contest, contestant *who, uint64_t least) {
    if (who == NULL) return true;
    const uint32_t given = contest->settings.width;
    const bool wanted = contest_is_named(contest->settings.only, who->form, who->encoding);
    if (given > 0 && !wanted) return true;
    for (uint32_t width = given > 0 ? given : WIDTH; width <= MOST_WIDTH; width += WIDTH_STEP) {
        if (!contest_config(contest, who->form, who->encoding, width, who->depth, &who->config) ||
            !count_parameters(contest, &who->config, &who->parameters))
            return false;
        if (given > 0 || who->parameters >= least) break;
    }
    /* The sizes of all forms count, also if only one contestant is wanted. */
    contest->contestant_count += wanted;
    return true;
}

bool contest_list_contestants(contest *contest) {
    const bool given =
        contest->task->edge_types > 0; /* else tokens tell the nodes apart, and no edge is hidden */
    const contest_settings *settings = &contest->settings;
    const uint32_t depth = settings->depth > 0 ? settings->depth : DEPTH;
    uint64_t largest = 0;
    const char *form;
    for (uint32_t ids = 0; ids <= (given && !settings->quick); ++ids)
        for (uint32_t k = 0; (form = contest_form(k)) != NULL; ++k) {
            contestant *who =
                add_contestant(contest, form, false, ids ? CONTEST_IDENTIFIERS : CONTEST_PLAIN, depth, 0);
            if (!set_contestant_width(contest, who, 0)) return false;
            if (who != NULL && who->parameters > largest) largest = who->parameters;
        }
    const struct { uint32_t depth, size; } sizes[CONTEST_MOST_SIZES] = {{depth, 1}, {4, 4}, {6, 1}};
    const uint32_t encodings = 1u << CONTEST_PLAIN | (given ? settings->encodings : 0);
    for (uint32_t kind = 0; kind < KINDS; ++kind)
        for (uint32_t encoding = CONTEST_PLAIN; encoding < CONTEST_ENCODINGS; ++encoding)
            for (uint32_t k = 0; k < settings->sizes; ++k) {
                if (!(encodings >> encoding & 1)) continue;
                /* Without edges there is nothing to learn, at any size; without identifiers there is
                 * proof. */
                if (kind == ABLATED && (!given || settings->quick || k != 0)) continue;
                if (kind == ABLATED && encoding > CONTEST_IDENTIFIERS) continue; /* they hold the edges */
                if (given && encoding == CONTEST_PLAIN && k != 0) continue;
                if (!set_contestant_width(contest,
                                          add_contestant(contest, kinds[kind], true,
                                                         (contest_encoding)encoding, sizes[k].depth,
                                                         sizes[k].size),
                                          largest * sizes[k].size))
                    return false;
            }
    return true;
}

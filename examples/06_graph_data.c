/* 06_graph_data.c: write graphs to a file, teach a relational transformer to read relations off them, and
 * test it on graphs that it has not seen.
 *
 * A graph is a family of 4 to 8 people, padded to 8; the edge that i sees from j has type 1 if j is a parent
 * of i. The class of a person: no parents (0), parents but no grandparents (1), or grandparents (2). To find
 * it takes two steps along the edges, hence two layers. New here: quartic_safetensors_save,
 * quartic_dataset_open, quartic_dataset_configure, quartic_trainer_step_dataset, quartic_dataset_evaluate.
 * The file is as docs/data.md says; `quartic train` and `quartic eval` read it too. Usage: 06_graph_data
 * [device]
 */
#include <quartic/quartic.h>
#include <stdio.h>
#include <stdlib.h>

enum { PEOPLE = 8, TRAINING = 200, TESTING = 50, STEPS = 80 };

static void check(quartic_status status) {
    if (status == QUARTIC_OK) return;
    fprintf(stderr, "%s: %s\n", quartic_status_name(status), quartic_error_message());
    exit(1);
}

static uint32_t family_random(uint32_t below) {
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return (state >> 16) % below;
}

typedef struct families {
    uint8_t mask[TRAINING][PEOPLE];            /* 1 = a person, 0 = padding */
    int32_t tokens[TRAINING][PEOPLE];          /* people differ by their relations alone: all tokens are 0 */
    int32_t parents[TRAINING][PEOPLE][PEOPLE]; /* [i][j] = 1: j is a parent of i */
    int32_t ancestry[TRAINING][PEOPLE];        /* the targets */
} families;

/* Everyone but the first three has up to two of the people before as parents; then the people are
 * shuffled. */
static void make_family(families *all, int g) {
    const uint32_t people = 4 + family_random(PEOPLE - 3);
    uint32_t place[PEOPLE];
    for (uint32_t i = 0; i < PEOPLE; ++i) {
        place[i] = i;
        all->mask[g][i] = i < people;
    }
    for (uint32_t i = people - 1; i > 0; --i) {
        const uint32_t other = family_random(i + 1), kept = place[i];
        place[i] = place[other];
        place[other] = kept;
    }
    for (uint32_t i = 3; i < people; ++i)
        for (uint32_t k = family_random(3); k > 0; --k)
            all->parents[g][place[i]][place[family_random(i)]] = 1;
    for (uint32_t i = 0; i < people; ++i)
        for (uint32_t k = 0; k < people; ++k) {
            if (!all->parents[g][i][k]) continue;
            if (all->ancestry[g][i] == 0) all->ancestry[g][i] = 1;
            for (uint32_t j = 0; j < people; ++j)
                if (all->parents[g][k][j]) all->ancestry[g][i] = 2;
        }
}

static void write_families(const char *path, uint32_t count) {
    families *all = calloc(1, sizeof *all);
    if (all == NULL) exit(1);
    for (uint32_t g = 0; g < count; ++g) make_family(all, (int)g);
    const quartic_safetensors_tensor tensors[] = {
        {"tokens", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(count, PEOPLE), all->tokens, 0},
        {"mask", QUARTIC_SAFETENSORS_U8, QUARTIC_SHAPE(count, PEOPLE), all->mask, 0},
        {"edge_types", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(count, PEOPLE, PEOPLE), all->parents, 0},
        {"targets", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(count, PEOPLE), all->ancestry, 0},
    };
    check(quartic_safetensors_save(path, tensors, 4, NULL, 0));
    free(all);
}

int main(int argc, char **argv) {
    write_families("example_families.safetensors", TRAINING);
    write_families("example_other_families.safetensors", TESTING);
    quartic_dataset *families = NULL, *others = NULL;
    check(quartic_dataset_open("example_families.safetensors", &families));
    check(quartic_dataset_open("example_other_families.safetensors", &others));

    quartic_device *device = NULL;
    check(quartic_device_create(argc > 1 ? argv[1] : "cpu", &device));
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.model = QUARTIC_MODEL_RELATIONAL;
    config.positions = 0; /* the order of the people means nothing */
    config.dim = 32;
    config.depth = 2;
    config.dim_edges = 8;
    config.heads = 4;
    config.dim_head = 8;
    check(
        quartic_dataset_configure(families, &config)); /* num_tokens, num_edge_types, num_classes, readout */
    check(quartic_dataset_check(others, &config));
    quartic_model *model = NULL;
    check(quartic_model_create(device, &config, &model));

    quartic_trainer_config training = QUARTIC_TRAINER_CONFIG_INIT;
    training.batch = 16;
    training.length = PEOPLE;
    training.masked = 1;
    training.learning_rate = 5e-3f;
    training.warmup_steps = 10;
    training.total_steps = STEPS;
    quartic_trainer *trainer = NULL;
    check(quartic_trainer_create(model, &training, &trainer));
    for (int step = 0; step < STEPS; ++step) {
        quartic_step_report report;
        check(quartic_trainer_step_dataset(trainer, families, &report));
        if (step % 20 == 0)
            printf("step %3llu  loss %.4f\n", (unsigned long long)report.step, (double)report.loss);
    }
    quartic_evaluation seen, unseen;
    check(quartic_dataset_evaluate(families, model, 16, &seen));
    check(quartic_dataset_evaluate(others, model, 16, &unseen));
    printf("families seen:   loss %.4f, %.2f %% of %llu people right\n", seen.loss, 100 * seen.accuracy,
           (unsigned long long)seen.targets);
    printf("families unseen: loss %.4f, %.2f %% of %llu people right\n", unseen.loss, 100 * unseen.accuracy,
           (unsigned long long)unseen.targets);

    quartic_trainer_destroy(trainer);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    quartic_dataset_close(families);
    quartic_dataset_close(others);
    return unseen.accuracy > 0.98 ? 0 : 1;
}

/* manifest.c: keeps driver manifests from the Vulkan loader that would end the process instead of an error.
 *
 * The loader (1.3.239, Debian 12) reads a manifest without looking at the kinds of its values: a list in the
 * place of an object, or a "library_path" that is no text, is a segmentation fault. Brackets without end overflow
 * its stack, and a pipe is waited for. Manifests that the loader
 * is going to read are looked at first: those that the environment names, in files or whole folders, or else
 * those in the folders that it searches. All other faults are left to the loader, which reports them.
 */
#include "gpu/internal.h"

#include "base/alloc.h"
#include "base/json.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- one text ---- */

static const char no_object[] = "\"ICD\" is no object", no_path[] = "\"library_path\" is no text",
                  list_root[] = "it is a list; a manifest is an object";
static const char blanks[] = " \t\r\n";
/* A manifest has two levels. The loader calls itself for each. */
enum { MANIFEST_MOST_LEVELS = 128 };
static const char too_deep[] = "its brackets nest too deep";

/* Whether every value of this key begins with that character. */
static bool values_begin_with(const char *text, const char *key, char first) {
    const size_t length = strlen(key);
    for (const char *at = text; (at = strstr(at, key)) != NULL; at += length) {
        const char *colon = at + length + strspn(at + length, blanks);
        if (*colon == ':' && colon[1 + strspn(colon + 1, blanks)] != first) return false;
    }
    return true;
}

/* Whether brackets outside texts nest deeper than the loader can follow. */
static bool nests_too_deep(const char *text) {
    size_t depth = 0;
    bool quoted = false;
    for (; *text != 0; ++text) {
        if (quoted && *text == '\\' && text[1] != 0)
            ++text;
        else if (*text == '"')
            quoted = !quoted;
        else if (!quoted && (*text == '{' || *text == '['))
            ++depth;
        else if (!quoted && (*text == '}' || *text == ']') && depth > 0)
            --depth;
        if (depth > MANIFEST_MOST_LEVELS) return true;
    }
    return false;
}

/* The loader takes some texts that are no JSON: these are judged by their characters. */
static const char *fault_of_characters(const char *text) {
    if (text[strspn(text, blanks)] == '[') return list_root;
    if (nests_too_deep(text)) return too_deep;
    if (!values_begin_with(text, "\"ICD\"", '{')) return no_object;
    if (!values_begin_with(text, "\"library_path\"", '"')) return no_path;
    /* A key may be written with escapes. */
    return strstr(text, "\\u") == NULL ? NULL : "it is no valid JSON";
}

static const char *fault_of_values(const quartic_json *root) {
    if (quartic_json_is(root, QUARTIC_JSON_ARRAY)) return list_root;
    const quartic_json *driver = quartic_json_member(root, "ICD"),
                       *library = quartic_json_member(driver, "library_path");
    if (driver != NULL && !quartic_json_is(driver, QUARTIC_JSON_OBJECT)) return no_object;
    return library != NULL && !quartic_json_is(library, QUARTIC_JSON_TEXT) ? no_path : NULL;
}

quartic_status quartic_gpu_manifest_fault(const char *text, const char **out_fault) {
    quartic_json_document document;
    quartic_json_error error;
    const quartic_status status = quartic_json_read(text, strlen(text), &document, &error);
    if (status == QUARTIC_OUT_OF_MEMORY) return status;
    if (status != QUARTIC_OK) {
        *out_fault = fault_of_characters(text);
        return QUARTIC_OK;
    }
    *out_fault = fault_of_values(document.values);
    quartic_json_free(&document);
    return QUARTIC_OK;
}

/* ---- files and folders ---- */

static quartic_status fail_manifest(const char *path, const char *fault) {
    return quartic_fail(
        QUARTIC_UNAVAILABLE,
        "the Vulkan driver manifest %.300s is broken, and the loader would not survive it: %s; "
        "mend it or leave it out",
        path, fault);
}

/* One file; what cannot be read is left to the loader. */
static quartic_status check_manifest_file(const char *path, const struct stat *facts) {
    enum { MOST_BYTES = 1 << 26 };
    if (S_ISFIFO(facts->st_mode)) return fail_manifest(path, "it is a pipe");
    FILE *stream = S_ISREG(facts->st_mode) && facts->st_size < MOST_BYTES ? fopen(path, "rb") : NULL;
    if (stream == NULL) return QUARTIC_OK;
    const size_t bytes = (size_t)facts->st_size;
    char *text = quartic_alloc(bytes + 1, 1);
    const size_t count = text == NULL ? 0 : fread(text, 1, bytes, stream);
    fclose(stream);
    if (text == NULL) return QUARTIC_OUT_OF_MEMORY;
    text[count] = 0;
    const char *fault = NULL;
    const quartic_status status = quartic_gpu_manifest_fault(text, &fault);
    quartic_free(text);
    return status != QUARTIC_OK || fault == NULL ? status : fail_manifest(path, fault);
}

static quartic_status check_manifest_folder(const char *path) {
    static const char ending[] = ".json";
    DIR *folder = opendir(path);
    quartic_status status = QUARTIC_OK;
    for (struct dirent *entry; folder != NULL && status == QUARTIC_OK && (entry = readdir(folder)) != NULL;) {
        const size_t length = strlen(entry->d_name);
        char file[2 * QUARTIC_GPU_PATH];
        struct stat facts;
        if (length < sizeof ending || strcmp(entry->d_name + length - (sizeof ending - 1), ending) != 0)
            continue;
        const int used = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (used > 0 && (size_t)used < sizeof file && stat(file, &facts) == 0)
            status = check_manifest_file(file, &facts);
    }
    if (folder != NULL) closedir(folder);
    return status;
}

/* Each path of a list with colons between, and `below` it. */
static quartic_status check_manifest_list(const char *list, const char *below) {
    while (*list != 0) {
        char path[QUARTIC_GPU_PATH];
        struct stat facts;
        const size_t length = strcspn(list, ":");
        const int used = snprintf(path, sizeof path, "%.*s%s", (int)length, list, below);
        if (length > 0 && length < sizeof path && used > 0 && (size_t)used < sizeof path &&
            stat(path, &facts) == 0)
            QUARTIC_TRY(S_ISDIR(facts.st_mode) ? check_manifest_folder(path)
                                               : check_manifest_file(path, &facts));
        list += length + (list[length] == ':');
    }
    return QUARTIC_OK;
}

static const char *environment_text(const char *name) {
    const char *text = getenv(name);
    return text == NULL ? "" : text;
}

/* The folders that the loader searches where the environment names no manifest. */
static quartic_status check_standard_folders(void) {
    static const struct {
        const char *variable, *of_home, *otherwise;
    } places[] = {{"XDG_CONFIG_HOME", "/.config", ""},
                  {"XDG_CONFIG_DIRS", NULL, "/etc/xdg"},
                  {"XDG_DATA_HOME", "/.local/share", ""},
                  {"XDG_DATA_DIRS", NULL, "/usr/local/share:/usr/share"}};
    static const char below[] = "/vulkan/icd.d";
    for (size_t p = 0; p < sizeof places / sizeof places[0]; ++p) {
        const char *list = environment_text(places[p].variable);
        char home[QUARTIC_GPU_PATH] = "";
        if (list[0] == 0 && places[p].of_home != NULL && environment_text("HOME")[0] != 0) {
            const int used = snprintf(home, sizeof home, "%s%s", environment_text("HOME"), places[p].of_home);
            if (used < 0 || (size_t)used >= sizeof home) home[0] = 0;
        }
        QUARTIC_TRY(check_manifest_list(list[0] != 0   ? list
                                        : home[0] != 0 ? home
                                                       : places[p].otherwise,
                                        below));
    }
    return check_manifest_list("/etc:/usr/local/etc", below);
}

quartic_status quartic_gpu_check_manifests(void) {
    static const char *const variables[] = {"VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES"};
    for (size_t v = 0; v < sizeof variables / sizeof variables[0]; ++v)
        QUARTIC_TRY(check_manifest_list(environment_text(variables[v]), ""));
    if (environment_text(variables[0])[0] != 0 || environment_text(variables[1])[0] != 0) return QUARTIC_OK;
    return check_standard_folders();
}

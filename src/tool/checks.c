/* checks.c: lines, JSON and totals of checks. See checks.h. */
#include "tool/checks.h"

#include <stdio.h>

static const char *verdict_word(quartic_verdict verdict) {
    switch (verdict) {
    case QUARTIC_PASSED:
        return "ok";
    case QUARTIC_FAILED:
        return "FAILED";
    case QUARTIC_NOT_SUPPORTED:
        return "unsupported";
    }
    return "?";
}

void checks_show(void *context, const quartic_check *check) {
    checks_view *view = context;
    if (view->list != NULL) {
        tool_json_add(view->list,
                      tool_json_object("verdict", tool_json_text(verdict_word(check->verdict)), "subject",
                                       tool_json_text(check->subject), "case", tool_json_count(check->index),
                                       "label", tool_json_text(check->label), "check",
                                       tool_json_text(check->check), "error", tool_json_real(check->error),
                                       "bound", tool_json_real(check->bound), "text",
                                       tool_json_text(check->text), NULL));
        return;
    }
    if (view->failures_only && check->verdict == QUARTIC_PASSED) return;
    printf("%-11s ", verdict_word(check->verdict));
    tool_put_text(stdout, check->subject);
    if (check->label[0] != 0) printf(" [%s]", check->label);
    if (check->check[0] != 0) printf(" %s", check->check);
    printf(": ");
    tool_put_text(stdout, check->text);
    printf("\n");
    fflush(stdout);
}

int checks_finish(const invocation *call, checks_view *view, const char *device, quartic_status status,
                  const quartic_check_totals *totals) {
    const char *error = status == QUARTIC_OK ? NULL : tool_library_message();
    if (view->list != NULL) {
        tool_print_json(tool_json_object(
            "device", tool_json_text(device), "passed", tool_json_count(totals->passed), "failed",
            tool_json_count(totals->failed), "unsupported", tool_json_count(totals->unsupported), "worst",
            tool_json_real(totals->worst), "error", tool_json_text(error), "checks", view->list, NULL));
        view->list = NULL;
    } else if (error == NULL) {
        printf("%u passed, %u failed, %u unsupported on %s; the worst error among the passed is %.2g of its "
               "bound\n",
               totals->passed, totals->failed, totals->unsupported, device, totals->worst);
    }
    if (error != NULL) return tool_fail_library(call->command, NULL);
    if (totals->failed > 0 || (view->strict && totals->unsupported > 0)) return EXIT_FAILED;
    if (totals->passed > 0) return EXIT_DONE;
    return tool_fail(call->command, NULL, "not one check passed, so nothing is shown to be right");
}

/* checks.c: lines, JSON and totals of checks. See checks.h. */
#include "tool/checks.h"

#include <math.h>
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

/* JSON has no infinity or NaN. */
static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

void checks_show(void *context, const quartic_check *check) {
    checks_view *view = context;
    if (view->failures_only && check->verdict == QUARTIC_PASSED) return;
    if (view->list != NULL) {
        json_array_append_new(view->list, json_pack("{s:s, s:s, s:i, s:s, s:s, s:o, s:o, s:s}", "verdict",
                                                    verdict_word(check->verdict), "subject", check->subject,
                                                    "case", (int)check->index, "label", check->label, "check",
                                                    check->check, "error", number(check->error), "bound",
                                                    number(check->bound), "text", check->text));
        return;
    }
    printf("%-11s %s", verdict_word(check->verdict), check->subject);
    if (check->label[0] != 0) printf(" [%s]", check->label);
    if (check->check[0] != 0) printf(" %s", check->check);
    printf(": %s\n", check->text);
    fflush(stdout);
}

int checks_finish(const invocation *call, checks_view *view, const char *device,
                  const quartic_check_totals *totals) {
    if (view->list != NULL) {
        tool_print_json(json_pack("{s:s, s:i, s:i, s:i, s:o, s:o}", "device", device, "passed",
                                  (int)totals->passed, "failed", (int)totals->failed, "unsupported",
                                  (int)totals->unsupported, "worst", number(totals->worst), "checks",
                                  view->list));
        view->list = NULL;
    } else {
        printf("%u passed, %u failed, %u unsupported on %s; the worst error among the passed is %.2g of its "
               "bound\n",
               totals->passed, totals->failed, totals->unsupported, device, totals->worst);
    }
    if (totals->failed > 0 || (view->strict && totals->unsupported > 0)) return EXIT_FAILED;
    if (totals->passed > 0) return EXIT_DONE;
    return tool_fail(call->command, NULL, "not one check passed, so nothing is shown to be right");
}

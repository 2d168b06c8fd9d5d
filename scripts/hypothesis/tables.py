#!/usr/bin/env python3
"""Tables, figures and claims from records alone: tables.py RECORDS IMAGES PAGE [--quick].

In PAGE, what stands between <!-- table NAME --> and <!-- end --> is replaced. Figures go to the folder IMAGES as SVG.
Prints every claim with its verdict; exit status 1 unless all of them hold. With --quick, only the claims whose rows
are all quick ones, and no page.
"""
import fnmatch
import pathlib
import re
import sys

import figures
import plan

SOLVED = 0.99
QUADRATIC = ("static", "none", "relational", "ablated")
FORMS = ["triangle", "triangle-start-end", "triangle-multiply", "full", "taylor", "axial", "routed", "triple"]
# task, what it asks, the forms to take
TASKS = [
    ("foaf", "i → l → j: two edges that meet at a node", ["triangle", "triangle-start-end", "triangle-multiply"]),
    ("compose", "g(f(i)) = j: the same, of two functions", ["triangle", "triangle-start-end", "triangle-multiply"]),
    ("cycles", "a graph of equal nodes holds a triangle", ["triangle", "triangle-start-end", "triangle-multiply"]),
    ("analogy", "an edge of the other situation has the label", ["full", "taylor"]),
    ("twins", "an edge that shares no node has the label", ["full", "taylor"]),
    ("siblings", "f(i) = f(j): what two nodes hold", ["none"]),
    ("circulants", "two circulant graphs", ["triangle", "triangle-start-end", "triangle-multiply"]),
    ("strongly-regular", "two strongly regular graphs", ["triple"]),
]


def percent(value):
    return "-" if value is None else f"{100 * value:.1f}"


def accuracy(result, test=0):
    """Such as "99.8 (99.5-100.0; 5)": mean, 95 % interval, runs."""
    mean = result.mean(test)
    if mean is None:
        return "not run"
    interval = result.interval(test)
    count = "1 seed" if result.seeds() == 1 else f"{result.seeds()} seeds"
    told = f"{percent(interval[0])}-{percent(interval[1])}; {count}" if interval else count
    return f"{percent(mean)} ({told})"


def told(run):
    """A contestant, such as "none + rows"."""
    return run["form"] + (f" + {run['encoding']}" if run["encoding"] else "")


def is_quadratic(result):
    return result.row.options["--only"].split("+")[0] in QUADRATIC


def of_task(results, task):
    return [result for name, result in results.items() if name.split(".")[0] == task]


def best(candidates):
    known = [result for result in candidates if result.mean() is not None]
    return max(known, key=lambda result: result.mean()) if known else None


def named(result):
    if result is None:
        return "-"
    return f"{told(result.chosen[0]['run'])}: {accuracy(result)}, {result.step_milliseconds():.0f} ms a step"


def table_main(results):
    lines = ["| relation | take | its accuracy in %, cost | best other edge form | quadratic, equal nodes | quadratic, told more |",
             "|---|---|---|---|---|---|"]
    for task, question, take in TASKS:
        rows = of_task(results, task)
        forms = [r for r in rows if not is_quadratic(r)]
        plain = [r for r in rows if is_quadratic(r) and r.row.name.endswith(".plain")]
        more = [r for r in rows if is_quadratic(r) and not r.row.name.endswith(".plain")]
        taken = [r for r in rows if r.row.options["--only"].split("+")[0] in take]
        others = [r for r in forms if r not in taken]
        lines.append(f"| {question} (*{task}*) | {', '.join(take)} | {named(best(taken))} | {named(best(others))} | "
                     f"{named(best(plain))} | {named(best(more))} |")
    return lines


def table_task(results, *tasks):
    lines = ["| contestant | parameters | width | layers | rate | steps | accuracy in % | all seeds | 99 % at step | "
             "CPU seconds of a run | CPU ms a step |", "|---|--:|--:|--:|--:|--:|---|---|--:|--:|--:|"]
    for result in [found for task in tasks for found in of_task(results, task)]:
        if not result.chosen:
            continue
        run = result.chosen[0]["run"]
        seeds = " ".join(percent(value) for value in result.accuracies())
        kind = "quadratic: " if is_quadratic(result) else ""
        task = f"{run['task']}: " if len(tasks) > 1 else ""
        lines.append(f"| {task}{kind}{told(run)} | {result.parameters()} | {run['width']} | "
                     f"{run['depth']} | {run['rate']:g} | {run['steps']} | {accuracy(result)} | {seeds} | "
                     f"{result.solved_step(SOLVED) or '-'} | {result.cpu_seconds():.1f} | {result.step_milliseconds():.1f} |")
    return lines


def other_tasks(results):
    """Tasks of runs.txt that have no table of their own, in its order."""
    apart = set(TABLES) | {"cfi", "designs", "sizes"} | {name.split(".")[0] for name, _, _ in figures.WIDTH_SERIES}
    return dict.fromkeys(name.split(".")[0] for name in results if name.split(".")[0] not in apart)


def table_controls(results):
    """For each baseline and encoding, the tasks that it solves: it can learn, so where it fails that means something."""
    found = {}
    for result in results.values():
        form, _, encoding = result.row.options["--only"].partition("+")
        if form in QUADRATIC and encoding != "plain" and result.mean() is not None:
            solved = found.setdefault((form, encoding), set())
            if result.mean() >= SOLVED:
                solved.add(result.row.task)
    lines = ["| baseline | solves (99 % and more) |", "|---|---|"]
    for (form, encoding), tasks in sorted(found.items()):
        lines.append(f"| {form} + {encoding} | {', '.join(sorted(tasks)) or 'none of those here: no positive control'} |")
    return lines


def table_sizes(results):
    lines = ["| task | contestant | trained on | " + "tested on: accuracy in % |", "|---|---|---|---|"]
    for name, result in results.items():
        if not name.startswith("sizes.") or not result.chosen:
            continue
        run = result.chosen[0]["run"]

        def text(sizes):
            return [f"{size['nodes']}" + (f" (degree {size['degree']})" if size["degree"] else "") for size in sizes]

        tests = "; ".join(f"**{size}**: {accuracy(result, t)}" for t, size in enumerate(text(run["tested_on"])))
        lines.append(f"| {run['task']} | {told(run)} | {', '.join(text(run['trained_on']))} | {tests} |")
    return lines


SERIES = re.compile(r"(?P<series>.*)\.n(?P<n>\d+)\.w(?P<width>\d+)$")


def widths(results, series):
    """{n: [(width, result)]} of the rows SERIES.nN.wW that were run."""
    found = {}
    for name, result in results.items():
        match = SERIES.match(name)
        if match and match["series"] == series and result.mean() is not None:
            found.setdefault(int(match["n"]), []).append((int(match["width"]), result))
    return {n: sorted(list_, key=lambda pair: pair[0]) for n, list_ in sorted(found.items())}


def least_width(tried):
    """The least width that reaches 99 % on average; None if none does."""
    return next((width for width, result in tried if result.mean() >= SOLVED), None)


def table_width(results):
    lines = ["| contestant | nodes | least width that reaches 99 % | accuracies in % by width |", "|---|--:|--:|---|"]
    for series, title, _ in figures.WIDTH_SERIES:
        for n, tried in widths(results, series).items():
            least = least_width(tried)
            shown = "; ".join(f"**{width}**: {accuracy(result)}" for width, result in tried)
            lines.append(f"| {title} | {n} | {least if least else f'more than {tried[-1][0]}'} | {shown} |")
    return lines


def table_budget(results):
    seconds = sum(result.all_cpu_seconds() for result in results.values())
    runs = sum(len(result.records) for result in results.values())
    rows = [result for result in results.values() if result.seeds() > 0]
    seeds = sorted({result.seeds() for result in rows})
    whole = sum(result.cpu_seconds() * (len(result.row.rates()) + 4) for result in rows)
    return [f"{runs} runs of {len(rows)} of {len(results)} rows, {seconds / 60:.0f} minutes of CPU time in all. Rows have "
            f"{', '.join(str(count) for count in seeds)} seeds (five make a row complete). At these costs all five seeds of "
            f"these rows take {whole / 7200:.1f} hours on two cores."]


# ---- claims ----

class Claim:
    def __init__(self, line):
        head, _, self.sentence = line.partition(" : ")
        self.name, self.kind, bound, *self.patterns = head.split()
        self.bound = float(bound)
        self.sentence = self.sentence.strip()
        if self.kind not in ("at-least", "at-most", "width-at-most", "width-grows") or not self.patterns:
            raise SystemExit(f"claims.txt: {line}")

    def cases(self, results):
        """Of the rows named: (name, result, which test)."""
        found = []
        for pattern in self.patterns:
            name, _, test = pattern.partition("@")
            matching = fnmatch.filter(results, name)
            if not matching:
                raise SystemExit(f"claims.txt: {self.name}: runs.txt has no {name}")
            found += [(match, results[match], int(test or 0)) for match in matching]
        return found

    def series(self, results):
        return {n: (tried, least_width(tried)) for n, tried in widths(results, self.patterns[0]).items()}

    def rows(self, results):
        if self.kind.startswith("width"):
            return [name for name in results if SERIES.match(name) and SERIES.match(name)["series"] == self.patterns[0]]
        return [name for name, _, _ in self.cases(results)]

    def check(self, results):
        """(verdict, what was found): True, False, or None where runs are missing."""
        if self.kind.startswith("width"):
            missing = [name for name in self.rows(results) if results[name].mean() is None]
            found = self.series(results)
            text = ", ".join(f"n = {n}: {least or f'> {tried[-1][0]}'}" for n, (tried, least) in found.items())
            if missing:
                return None, f"{text} ({len(missing)} widths not run)"
            numbers = [least or tried[-1][0] + 1 for tried, least in found.values()]
            if self.kind == "width-at-most":
                return all(least and least <= self.bound for _, least in found.values()), text
            return numbers[-1] >= self.bound * numbers[0], text
        cases = self.cases(results)
        missing = [name for name, result, _ in cases if result.mean() is None]
        if missing:
            return None, f"not run: {', '.join(missing)}"
        pick = min if self.kind == "at-least" else max
        name, result, test = pick(cases, key=lambda case: case[1].mean(case[2]))
        holds = result.mean(test) >= self.bound if self.kind == "at-least" else result.mean(test) <= self.bound
        size = f", test {test + 1}" if test else ""
        return holds, f"{'least' if self.kind == 'at-least' else 'most'}: {name}{size} {accuracy(result, test)}"


def read_claims():
    lines = (plan.HERE / "claims.txt").read_text().splitlines()
    return [Claim(line) for line in lines if line.strip() and not line.startswith("#")]


VERDICTS = {True: "holds", False: "does not hold", None: "not shown"}


def table_claims(results):
    lines = []
    for claim in read_claims():
        verdict, found = claim.check(results)
        bound = {"at-least": f"≥ {100 * claim.bound:g} %", "at-most": f"≤ {100 * claim.bound:g} %",
                 "width-at-most": f"width ≤ {claim.bound:g}", "width-grows": f"× {claim.bound:g}"}[claim.kind]
        lines.append(f"- {claim.sentence} *{claim.name}* ({bound}): **{VERDICTS[verdict]}**; {found}.")
    return lines


def judge(results, quick):
    fine = True
    for claim in read_claims():
        if quick and not all(results[name].row.quick for name in claim.rows(results)):
            continue
        verdict, found = claim.check(results)
        fine = fine and verdict is True
        print(f"{claim.name}: {VERDICTS[verdict]} ({found})")
    return fine


# ---- the page ----

TABLES = {"main": table_main, "claims": table_claims, "controls": table_controls, "sizes": table_sizes,
          "width": table_width, "budget": table_budget}
for known in [name for name, _, _ in TASKS] + ["repeats"]:
    TABLES[known] = lambda results, task=known: table_task(results, task)
TABLES["pairs"] = lambda results: table_task(results, "cfi", "designs")
TABLES["others"] = lambda results: table_task(results, *other_tasks(results))


def fill_page(page, results):
    text = page.read_text()

    def filled(match):
        name = match[1]
        if name not in TABLES:
            raise SystemExit(f"{page}: there is no table {name}")
        return f"<!-- table {name} -->\n" + "\n".join(TABLES[name](results)) + "\n<!-- end -->"

    page.write_text(re.sub(r"<!-- table ([\w-]+) -->\n.*?<!-- end -->", filled, text, flags=re.DOTALL))


def main(records, images, page, quick):
    results = plan.results(records)
    if not quick:
        images.mkdir(parents=True, exist_ok=True)
        matrix = {(task, form): (results[f"{task}.{form}"] if f"{task}.{form}" in results else None)
                  for task, _, _ in TASKS for form in FORMS}
        quadratic = {}
        for task, _, _ in TASKS:
            rows = [r for r in of_task(results, task) if is_quadratic(r)]
            quadratic[task] = (best(r for r in rows if r.row.name.endswith(".plain")),
                               best(r for r in rows if not r.row.name.endswith(".plain")))
        figures.save(images / "which-edge-attention.svg", figures.matrix(TASKS, FORMS, matrix, quadratic))
        series = {name: {n: (tried[-1][0], least_width(tried)) for n, tried in widths(results, name).items()}
                  for name, _, _ in figures.WIDTH_SERIES}
        figures.save(images / "width-law.svg", figures.width_law(series))
        if page.exists():
            fill_page(page, results)
    return judge(results, quick)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--quick"]
    sys.exit(0 if main(*(pathlib.Path(word) for word in words[:3]), "--quick" in sys.argv) else 1)

"""The table of runs (runs.txt), the records of runs, and what is known of a row from its records.

A row of runs.txt is one contestant in one setting. Its runs are kept as lines of JSON in RECORDS/NAME.jsonl, as
`quartic experiment --records` writes them: with the first seed one for each learning rate, then one for each
further seed at the rate whose last validation was best.
"""
import json
import math
import pathlib
import shlex

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Student's t for 95 %, both sides, by degrees of freedom 1, 2, ...
STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]
RATE_FACTORS = [1, 1 / 3, 3]  # as in experiment_contest.c
DEFAULTS = {"--sizes": "1", "--rates": "1", "--evaluations": "10", "--graphs": "4096", "--batch": "16", "--rate": "0.003"}


class Row:
    """One line of runs.txt: NAME quick|full TASK OPTIONS."""

    def __init__(self, line, number):
        words = shlex.split(line)
        if len(words) < 3 or words[1] not in ("quick", "full"):
            raise SystemExit(f"runs.txt:{number}: not NAME quick|full TASK OPTIONS")
        self.name, self.quick, self.task = words[0], words[1] == "quick", words[2]
        self.options = dict(DEFAULTS)
        flags = words[3:]
        while flags:
            option = flags.pop(0)
            self.options[option] = flags.pop(0) if flags and not flags[0].startswith("--") else None
        if "--steps" not in self.options or "--only" not in self.options:
            raise SystemExit(f"runs.txt:{number}: {self.name} needs --steps and --only")
        self.options.setdefault("--baseline-steps", self.options["--steps"])
        if "--width" not in self.options:
            raise SystemExit(f"runs.txt:{number}: {self.name} needs --width")

    def rates(self):
        # a form has one rate
        form = self.options["--only"].split("+")[0]
        quadratic = form in ("static", "none", "relational", "ablated")
        count = int(self.options["--rates"]) if quadratic else 1
        return [float(self.options["--rate"]) * factor for factor in RATE_FACTORS[:count]]

    def command(self, tool, seeds, records, out):
        words = [str(tool), "experiment", self.task, "--seeds", str(seeds), "--limit", "0", "--no-map",
                 "--device", "cpu", "--records", str(records / f"{self.name}.jsonl"), "--out", str(out)]
        for option, value in self.options.items():
            words += [option] if value is None else [option, value]
        return words


def read_rows():
    rows, names = [], set()
    for number, line in enumerate((HERE / "runs.txt").read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        row = Row(line, number)
        if row.name in names:
            raise SystemExit(f"runs.txt:{number}: a second {row.name}")
        names.add(row.name)
        rows.append(row)
    return rows


def fits(row, run):
    """Whether a record is of the row's settings, as far as runs.txt names them."""
    form, _, encoding = row.options["--only"].partition("+")
    told = {"plain": "", "": ""}.get(encoding, encoding)
    wanted = {"task": row.task, "form": form, "encoding": told}
    for option, member in (("--width", "width"), ("--depth", "depth"), ("--heads", "heads"), ("--head-width", "head_width"), ("--steps", "steps"),
                           ("--batch", "batch"), ("--graphs", "graphs"), ("--evaluations", "evaluations")):
        if option in row.options:
            wanted[member] = int(row.options[option])
    if "--nodes" in row.options and "--train-sizes" not in row.options:
        wanted["trained_on"] = int(row.options["--nodes"])
    for member, value in wanted.items():
        has = run[member]
        if member == "trained_on":
            has = has[0]["nodes"]
        if has != value:
            return False
    return any(math.isclose(run["rate"], rate, rel_tol=1e-4) for rate in row.rates())


class Result:
    """What the records say of a row: accuracies by seed, at the rate that the first seed's validation chose."""

    def __init__(self, row, folder):
        self.row, self.records = row, []
        path = folder / f"{row.name}.jsonl"
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                record = json.loads(line)
            except ValueError:
                continue  # cut off; `quartic experiment` warns of it
            if fits(row, record["run"]):
                self.records.append(record)
        seeds = sorted({record["run"]["seed"] for record in self.records})
        first = [record for record in self.records if seeds and record["run"]["seed"] == seeds[0]]
        self.first_done = len({record["run"]["rate"] for record in first}) == len(row.rates())
        self.chosen = []
        if not self.first_done:
            return
        order = {float(f"{rate:.6g}"): place for place, rate in enumerate(row.rates())}
        first.sort(key=lambda record: order.get(float(f"{record['run']['rate']:.6g}"), 9))
        best = max(first, key=lambda record: record["points"][-1][1])  # the first of equals
        self.rate = best["run"]["rate"]
        by_seed = {}
        for record in self.records:
            if record["run"]["rate"] == self.rate:
                by_seed[record["run"]["seed"]] = record
        self.chosen = [by_seed[seed] for seed in sorted(by_seed)]

    def seeds(self):
        return len(self.chosen)

    def accuracies(self, test=0):
        return [record["tests"][test]["accuracy"] for record in self.chosen]

    def mean(self, test=0):
        values = self.accuracies(test)
        return sum(values) / len(values) if values else None

    def interval(self, test=0):
        """95 % of the mean by Student's t over runs, within 0 and 1; None for one run."""
        values = self.accuracies(test)
        if len(values) < 2:
            return None
        mean = sum(values) / len(values)
        variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
        reach = STUDENT[min(len(values) - 1, len(STUDENT)) - 1] * math.sqrt(variance / len(values))
        return max(0, mean - reach), min(1, mean + reach)

    def parameters(self):
        return self.chosen[0]["parameters"] if self.chosen else None

    def cpu_seconds(self):
        """Of one run, on average."""
        return sum(record["cpu_seconds"] for record in self.chosen) / max(1, len(self.chosen))

    def step_milliseconds(self):
        """CPU time for each step of training, evaluations included."""
        steps = sum(record["points"][-1][0] for record in self.chosen)
        return 1000 * sum(record["cpu_seconds"] for record in self.chosen) / max(1, steps)

    def solved_step(self, bound):
        """The step at which the last seed's validation reached the bound; None if some never did."""
        steps = [next((point[0] for point in record["points"] if point[1] >= bound), None) for record in self.chosen]
        return None if None in steps or not steps else max(steps)

    def all_cpu_seconds(self):
        return sum(record["cpu_seconds"] for record in self.records)


def results(folder):
    return {row.name: Result(row, folder) for row in read_rows()}

#!/usr/bin/env python3
"""check_evidence.py SOURCE [--tool QUARTIC]: the scripts behind docs/which-edge-attention.md.

Claims name rows that exist, tables that the page names exist, and so does every file that a document links to. Rates are
chosen by validation, verdicts follow the records, and tables are filled in. With --tool also: options of runs.txt are
options of `quartic experiment`, and a small table of runs is run, resumed and judged.
"""
import contextlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(sys.argv[1]).resolve()
SCRIPTS = SOURCE / "scripts" / "hypothesis"
sys.dont_write_bytecode = True
sys.path.insert(0, str(SCRIPTS))
import plan  # noqa: E402
import tables  # noqa: E402


def expect(right, what):
    if not right:
        sys.exit(f"check_evidence: {what}")


def record(row, seed, rate, accuracy, validation=None):
    options = row.options
    form, _, encoding = options["--only"].partition("+")
    run = {"task": row.task, "form": form, "encoding": "" if encoding == "plain" else encoding, "depth": 2, "width": 16,
           "heads": 4, "head_width": 8, "steps": 10, "batch": 16, "graphs": 4096, "evaluations": 10, "rate": rate,
           "seed": seed, "trained_on": [{"nodes": 14, "degree": 0}], "tested_on": [{"nodes": 14, "degree": 0}]}
    for option, member in (("--width", "width"), ("--depth", "depth"), ("--heads", "heads"), ("--steps", "steps"),
                           ("--head-width", "head_width"), ("--batch", "batch"), ("--graphs", "graphs")):
        if option in options:
            run[member] = int(options[option])
    if "--nodes" in options:
        run["trained_on"] = [{"nodes": int(options["--nodes"]), "degree": 0}]
    tests = options.get("--test-sizes", "14").count(",") + 1
    run["tested_on"] = run["tested_on"] * tests
    return {"run": run, "quadratic": False, "parameters": 1000, "seconds": 2.0, "cpu_seconds": 1.0,
            "tests": [{"graphs": 64, "classes": 64, "accuracy": accuracy}] * tests,
            "points": [[0, 0.5, None], [10, accuracy if validation is None else validation, 0.1]]}


def write(folder, row, records, more=""):
    path = folder / f"{row.name}.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in records) + more)


def check_documents(rows):
    claims = tables.read_claims()
    results = {row.name: plan.Result(row, pathlib.Path("nowhere")) for row in rows}
    expect(len({claim.name for claim in claims}) == len(claims), "two claims have one name")
    for claim in claims:
        expect(claim.rows(results), f"claim {claim.name} has no rows")
        expect(claim.check(results)[0] is None, f"claim {claim.name} has a verdict without records")
        expect(claim.sentence, f"claim {claim.name} has no sentence")
    expect(any(all(results[name].row.quick for name in claim.rows(results)) for claim in claims), "no claim is quick")
    page = (SOURCE / "docs" / "which-edge-attention.md").read_text()
    named = re.findall(r"<!-- table ([\w-]+) -->", page)
    expect(set(named) <= set(tables.TABLES), f"the page names tables that do not exist: {named}")
    expect(set(tables.TABLES) <= set(named), f"tables are not on the page: {set(tables.TABLES) - set(named)}")
    for document in [SOURCE / "README.md", *sorted((SOURCE / "docs").glob("*.md"))]:
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text()):
            if not re.match(r"\w+:", link):
                expect((document.parent / link).exists(), f"{document.name} links to {link}, which does not exist")


def check_choice(rows, folder):
    row = next(row for row in rows if len(row.rates()) == 3)
    low, middle, high = sorted(row.rates())
    write(folder, row, [record(row, 1, low, 0.99, 0.6), record(row, 1, high, 0.7, 0.8), record(row, 2, high, 0.9)])
    result = plan.Result(row, folder)
    expect(result.seeds() == 0, "a rate is chosen before all were tried")
    runs = [record(row, 1, low, 0.99, 0.6), record(row, 1, middle, 0.5), record(row, 1, high, 0.7, 0.8),
            record(row, 2, high, 0.9), record(row, 2, low, 1.0)]
    write(folder, row, runs, '{"run": {"task"')
    result = plan.Result(row, folder)
    expect(result.accuracies() == [0.7, 0.9], f"the test chose the rate: {result.accuracies()}")
    # mean 0.8, deviation 0.1 sqrt 2, t = 12.706, over the root of 2
    expect(result.interval() == (0, 1) and result.mean() == 0.8, "an interval of two runs is wrong")
    runs += [record(row, seed, high, accuracy) for seed, accuracy in ((3, 0.8), (4, 0.7), (5, 0.9))]
    write(folder, row, runs)
    low_end, high_end = plan.Result(row, folder).interval()
    expect(abs(low_end - (0.8 - 2.776 * 0.1 / 5**0.5)) < 1e-9 and abs(high_end + low_end - 1.6) < 1e-9,
           "an interval of five runs is wrong")
    # records of other settings do not count
    other = record(row, 1, low, 0.99)
    other["run"]["steps"] += 1
    write(folder, row, [other])
    expect(not plan.Result(row, folder).records, "a record of other settings counts")


def check_verdicts(rows, folder):
    def verdict_with(named, accuracy_of):
        for row in named:
            write(folder, row, [record(row, 1, rate, accuracy_of(row)) for rate in row.rates()])
        return claim.check({row.name: plan.Result(row, folder) for row in rows})[0]

    for claim in tables.read_claims():
        none = {row.name: plan.Result(row, folder) for row in rows}
        named = [row for row in rows if row.name in claim.rows(none)]
        last = named[-1]
        good, bad = (1.0, 0.5) if claim.kind in ("at-least", "width-at-most") else (0.5, 1.0)
        if claim.kind == "width-grows":
            nodes = {row.name: int(row.options["--nodes"]) for row in named}
            largest = max(nodes.values())
            expect(verdict_with(named, lambda row: 0.5 if nodes[row.name] == largest else 1.0) is True,
                   f"{claim.name} does not hold where only the largest graphs need more width")
            expect(verdict_with(named, lambda row: 0.5 if nodes[row.name] < largest else 1.0) is False,
                   f"{claim.name} holds where the largest graphs need less width")
        elif claim.kind == "width-at-most":
            expect(verdict_with(named, lambda row: good) is True, f"{claim.name} does not hold where all widths do")
            n = last.options["--nodes"]
            expect(verdict_with(named, lambda row: bad if row.options["--nodes"] == n else good) is False,
                   f"{claim.name} holds where no width does at one n")
        else:
            expect(verdict_with(named, lambda row: good) is True, f"{claim.name} does not hold where it should")
            expect(verdict_with(named, lambda row: bad if row is last else good) is False,
                   f"{claim.name} holds where one row fails")
        verdict_with(named, lambda row: good)
        (folder / f"{named[0].name}.jsonl").unlink()
        expect(claim.check({row.name: plan.Result(row, folder) for row in rows})[0] is None,
               f"{claim.name} has a verdict without all runs")
        for row in named:
            (folder / f"{row.name}.jsonl").unlink(missing_ok=True)


def check_page(rows, folder):
    for row in rows:
        write(folder, row, [record(row, seed, rate, 0.875) for seed in (1, 2) for rate in row.rates()])
    page, images = folder / "page.md", folder / "images"
    page.write_text((SOURCE / "docs" / "which-edge-attention.md").read_text())
    with contextlib.redirect_stdout(io.StringIO()):
        held = tables.main(folder, images, page, False)
    expect(not held, "all claims hold where every accuracy is 87.5 %")
    first = page.read_text()
    expect("87.5 (87.5-87.5; 2 seeds)" in first, "the page was not filled in")
    with contextlib.redirect_stdout(io.StringIO()):
        tables.main(folder, images, page, False)
    expect(page.read_text() == first, "tables differ when they are made again")
    for name in ("which-edge-attention.svg", "width-law.svg"):
        expect(">" in (images / name).read_text(), f"{name} was not drawn")


def check_runs(tool):
    help_text = subprocess.run([tool, "experiment", "--help"], capture_output=True, text=True, check=True).stdout
    for row in plan.read_rows():
        for option in row.options:
            expect(re.search(rf"{option}\b", help_text), f"runs.txt: {row.name}: {option} is no option")
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        shutil.copytree(SCRIPTS, place / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        small = "--width 8 --graphs 64 --batch 8 --steps 2 --evaluations 1"
        (place / "scripts" / "runs.txt").write_text(f"foaf.triangle quick foaf --only triangle+plain {small}\n"
                                                    f"foaf.none.rows quick foaf --only none+rows --rates 2 {small}\n"
                                                    f"foaf.slow full foaf --only full+plain {small}\n")
        (place / "scripts" / "claims.txt").write_text("low at-most 0.9 foaf.triangle foaf.none.rows : Low.\n")
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}

        def run(*words):
            return subprocess.run([sys.executable, place / "scripts" / words[0], *map(str, words[1:])],
                                  capture_output=True, text=True, env=environment)

        lines = lambda: sum(len(path.read_text().splitlines()) for path in (place / "records").glob("*"))
        done = run("run.py", tool, place / "records", place / "out", 1, "--quick")
        expect(done.returncode == 0 and lines() == 3, f"the quick rows: {done.stdout}{done.stderr}")
        done = run("run.py", tool, place / "records", place / "out", 2)
        expect(done.returncode == 0 and lines() == 7, f"a second seed: {done.stdout}{done.stderr}")
        done = run("run.py", tool, place / "records", place / "out", 2)
        expect(done.returncode == 0 and lines() == 7 and done.stdout == "", f"nothing is left: {done.stdout}{done.stderr}")
        for bound, code in (("0.9", 0), ("0.1", 1)):
            (place / "scripts" / "claims.txt").write_text(f"low at-most {bound} foaf.triangle foaf.none.rows : Low.\n")
            done = run("tables.py", place / "records", place / "images", place / "page.md", "--quick")
            expect(done.returncode == code, f"at most {bound}: {done.stdout}{done.stderr}")
        (place / "scripts" / "runs.txt").write_text(f"foaf.bad full chess --only full+plain {small}\n")
        done = run("run.py", tool, place / "records", place / "out", 1)
        expect(done.returncode == 1 and "foaf.bad: failed" in done.stderr, "a run that fails is not told")


def main():
    rows = plan.read_rows()
    if len(sys.argv) > 2:
        check_runs(sys.argv[3])
        return
    check_documents(rows)
    with tempfile.TemporaryDirectory() as place:
        check_choice(rows, pathlib.Path(place))
    with tempfile.TemporaryDirectory() as place:
        check_verdicts(rows, pathlib.Path(place))
    with tempfile.TemporaryDirectory() as place:
        check_page(rows, pathlib.Path(place))


main()

#!/usr/bin/env python3
"""Runs the rows of runs.txt, two at a time: run.py TOOL RECORDS OUT SEEDS [--quick].

All rows with one seed first, then all with more, so that what there is after an interruption is of all rows. Rows
whose records are complete are not started; what is missing of the others `quartic experiment` knows itself.
"""
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import time

import plan

JOBS = int(os.environ.get("JOBS", "2"))


def run_row(row, seeds, tool, records, out, started):
    if plan.Result(row, records).seeds() >= seeds:
        return True
    folder = out / row.name
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    with open(log, "w") as stream:
        code = subprocess.run(row.command(tool, seeds, records, folder), stdout=stream, stderr=stream,
                              env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode
    result = plan.Result(row, records)
    if code != 0 or result.seeds() < seeds:
        print(f"{row.name}: failed, see {log}", file=sys.stderr, flush=True)
        return False
    values = ", ".join(f"{100 * value:.1f}" for value in result.accuracies())
    print(f"[{time.monotonic() - started:6.0f} s] {row.name}: {values}", flush=True)
    return True


def main(tool, records, out, seeds, quick):
    passes = sorted({1, min(3, seeds), seeds})
    started = time.monotonic()
    fine = True
    for upto in passes:
        rows = [row for row in plan.read_rows() if row.quick or not quick]
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            fine = all(list(pool.map(lambda row: run_row(row, upto, tool, records, out, started), rows))) and fine
    return fine


if __name__ == "__main__":
    arguments = [word for word in sys.argv[1:] if word != "--quick"]
    tool, records, out = (pathlib.Path(word) for word in arguments[:3])
    records.mkdir(parents=True, exist_ok=True)
    sys.exit(0 if main(tool, records, out, int(arguments[3]), "--quick" in sys.argv) else 1)

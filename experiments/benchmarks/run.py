"""How fast is it? Fits, tables, imports and whole runs, against PyMC-Marketing, lifetimes and SQL by hand.

    python experiments/benchmarks/run.py [fits nuts ...] [--quick] [--table]

Each repeat of each measurement is a process of its own on warm caches, imports timed apart; jobs that are compared
take turns. Rows go to reports/benchmarks/rows.csv as they come: an interrupted command goes on where it was, and rows
of other code of ours, or of another machine, are measured again. README.md beside them holds every target, what was
got, and by how much it was missed.

The other libraries get .venv-peers, as peers.txt says, made by this command the first time. `--quick` rehearses
everything at small sizes into results/benchmarks and judges nothing; `--table` only writes README.md again.
"""
# ruff: noqa: T201  (a command: it prints)

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "experiments" / "calibration")]
import inputs  # noqa: E402
import table  # noqa: E402
from code_version import files_of_all, version_of  # noqa: E402
from jobs import GROUPS, JOBS, PEERS, Job  # noqa: E402
from rows import Rows  # noqa: E402
from stored import write  # noqa: E402
from surroundings import PEERS_PINNED, machine, our_versions, peers_python, peers_versions  # noqa: E402
from table import DONE, FAILED, STOPPED  # noqa: E402

FOLDER = ROOT / "reports" / "benchmarks"
REHEARSED = ROOT / "results" / "benchmarks"
FIT = ("clvmodels.models", "clvmodels.inference", "clvmodels.randomness", "clvmodels.variates")
RESTS_ON = {
    "fits": FIT,
    "second": FIT,
    "large": FIT,
    "pooled": FIT,
    "nuts": FIT,
    "transactions": ("clvmodels.sources", "clvmodels.customers"),
}
"""Group -> the code of ours that its times are of; of the others it is all."""
STORING = {HERE / script for script in ("run.py", "rows.py", "table.py", "surroundings.py")}
"""How a measurement is started, kept and told, which changes none."""
TEXTS = (PEERS_PINNED, HERE / "customers.sql")


def code_version(group: str) -> str:
    """The version of what a group's times are of: the package's code, the tasks, and what they are compared with.

    A row of another library bears it too: it is measured again when ours is, so that a ratio is of one run.
    """
    scripts = set(HERE.glob("*.py")) - STORING
    code = version_of({*files_of_all(RESTS_ON.get(group, ("clvmodels",))), *scripts})
    texts = "".join(path.read_text("utf-8") for path in TEXTS)
    return hashlib.sha256((code + texts).encode()).hexdigest()[:16]


def measure(job: Job, options: Mapping[str, Any]) -> dict[str, Any]:
    """One run of a job in a fresh process: its times and what it tells, or that it was stopped or failed."""
    told = {name: value for name, value in options.items() if name != "script"}
    if "table" in told:
        told["table"] = str(inputs.table(told["table"]))
    python = peers_python() if job.who in PEERS else Path(sys.executable)
    environment = {**os.environ, "PYTHONPATH": "" if job.who in PEERS else str(ROOT), "MPLBACKEND": "Agg"}
    with tempfile.TemporaryDirectory() as folder:
        answer, log = Path(folder) / "answer.json", Path(folder) / "log.txt"
        command = [str(python), str(HERE / job.script), json.dumps(told), str(answer)]
        with log.open("wb") as sink:
            status = _wait(command, environment, sink, job.timeout)
        if status == DONE:
            return {"status": DONE, **json.loads(answer.read_text("utf-8"))}
        if status == FAILED:
            print(log.read_text("utf-8", errors="replace")[-3000:], file=sys.stderr)
    return {"status": status, "seconds": job.timeout if status == STOPPED else None}


def _wait(command: list[str], environment: Mapping[str, str], sink: BinaryIO, timeout: float) -> str:
    """How the command ended. What it started ends with it: it has a session of its own."""
    output = {"stdout": sink, "stderr": subprocess.STDOUT}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, **output)
    try:
        return FAILED if process.wait(timeout) else DONE
    except subprocess.TimeoutExpired:
        return STOPPED
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def run_group(group: str, rows: Rows, is_quick: bool) -> None:
    """All jobs of a group; those of one name take turns, so that a slow minute of the machine is everyone's."""
    of_group = [job for job in JOBS if job.group == group]
    for name in dict.fromkeys(job.name for job in of_group):
        compared = [job for job in of_group if job.name == name]
        most = 1 if is_quick else max(job.repeats for job in compared)
        for job in compared:
            if not is_quick and rows.missing(job, job.repeats):
                warm_up(job)
        for repeat in range(1, most + 1):
            for job in compared:
                if repeat in rows.missing(job, 1 if is_quick else job.repeats):
                    result = measure(job, {**job.options, **job.rehearsal} if is_quick else job.options)
                    rows.add(job, repeat, result)
                    print(_line(job, repeat, result), flush=True)


def warm_up(job: Job) -> None:
    """Fill the caches of compiled code, and of the files it reads."""
    if job.warm_up == "rehearsal":
        measure(job, {**job.options, **job.rehearsal})
    elif job.warm_up == "itself":
        measure(job, job.options)


def _line(job: Job, repeat: int, result: Mapping[str, Any]) -> str:
    seconds = "" if result["seconds"] is None else f", {result['seconds']:.2f} s"
    return f"{job.group}: {job.name}, {job.who}, repeat {repeat}: {result['status']}{seconds}"


def about(folder: Path, is_measured: bool) -> list[str]:
    """Machine and versions as they were when the rows of this folder were measured."""
    path = folder / "about.json"
    if is_measured:
        folder.mkdir(parents=True, exist_ok=True)
        lines = [machine(), f"Ours: {our_versions()}", f"Others: {peers_versions()}"]
        path.write_text(json.dumps(lines, indent=1) + "\n", "utf-8")
    return json.loads(path.read_text("utf-8")) if path.exists() else []


def write_page(folder: Path, rows: Rows, lines: Sequence[str]) -> None:
    """README.md and summary.csv."""
    (folder / "README.md").write_text(table.page(rows.table, code_version, lines), "utf-8")
    write(pd.DataFrame(table.verdicts(rows.table, code_version)), folder / "summary.csv", "%.4g")


def main() -> int:
    """Measure what is asked for and not stored yet; the exit status says whether all of it ended as it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="group", help=f"all by default: {' '.join(GROUPS)}")
    parser.add_argument("--quick", action="store_true", help="everything once and small, into results/benchmarks")
    parser.add_argument("--table", action="store_true", help="write README.md of the stored rows, measure nothing")
    arguments = parser.parse_args()
    if unknown := set(arguments.groups) - set(GROUPS):
        parser.error(f"unknown: {' '.join(sorted(unknown))}. Groups: {' '.join(GROUPS)}")
    groups = arguments.groups or GROUPS
    folder = REHEARSED if arguments.quick else FOLDER
    rows = Rows(folder / "rows.csv", code_version)
    if arguments.table:
        write_page(folder, rows, about(folder, is_measured=False))
        return 0
    lines = about(folder, is_measured=True)
    began = time.monotonic()
    for group in groups:
        run_group(group, rows, arguments.quick)
        if not arguments.quick:
            write_page(folder, rows, lines)
        print(f"{group}: done, {time.monotonic() - began:.0f} s since the beginning", flush=True)
    print(f"Measurements: {folder}")
    measured = rows.table[rows.table["group"].isin(groups)]
    return int((measured["status"] == FAILED).any())


if __name__ == "__main__":
    sys.exit(main())

"""Would the tests notice? A mutation run over decisions, figures, words and report.

mutmut changes one thing at a time (a sign, a comparison, a number, an argument, a word) and runs the tests that pass
through the changed function. A mutant that no test fails for has survived: such a fault would not be noticed.
The tests are the fast ones (`[tool.mutmut]` in pyproject.toml): no model is sampled and no browser started.

    python tools/mutation.py                          all modules, in tens of minutes; resumes
    python tools/mutation.py decisions words          the modules whose names begin so
    python tools/mutation.py figures --sample 40      of each module 40 mutants, drawn with --seed

It writes reports/mutation/survivors.csv: each survivor with the argument why it may live. Arguments are kept from run
to run by module, function and change; those of reports/mutation/arguments.csv are of patterns (`*`). The exit status is
1 where fewer than 85% were killed, or where a survivor has no argument.
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import hashlib
import json
import os
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
OWN = ROOT / ".venv-mutation"
STORED = ROOT / "reports" / "mutation"
NEEDED = 0.85
COLUMNS = ("module", "function", "was", "becomes", "argument")
OUTCOMES = {0: "survived", 5: "survived", 33: "no test", 34: "skipped", 35: "suspicious", 36: "timeout", 37: "caught"}
"""What mutmut's exit statuses mean; all others are kills."""


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def environment() -> Path:
    """An environment that has mutmut and sees the packages of the one that runs this; made where it is not there."""
    python = OWN / "bin" / "python"
    if not (OWN / "ready").is_file():
        say("Setting up .venv-mutation")
        subprocess.run([sys.executable, "-m", "venv", "--clear", OWN], check=True)
        packages = next(Path(path) for path in sys.path if path.endswith("site-packages"))
        link = next(OWN.glob("lib/python*/site-packages")) / "clvmodels.pth"
        link.write_text(f"import site; site.addsitedir({str(packages)!r})\n", encoding="utf-8")
        needs = ROOT / "tools" / "mutation-requirements.txt"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", needs], check=True)
        (OWN / "ready").touch()
    return python


GENERATE = """
from mutmut.__main__ import copy_also_copy_files, copy_src_dir, create_mutants, setup_source_paths
from pathlib import Path
Path("mutants").mkdir(exist_ok=True)
copy_src_dir(); copy_also_copy_files(); setup_source_paths(); create_mutants(1)
"""
DIFFERENCES = """
import json, sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
print(json.dumps({name: get_diff_for_mutant(name) for name in json.load(sys.stdin)}))
"""


def run(python: Path, *arguments: str, given: str | None = None) -> str:
    """The output of a command in the repository; PYTHONPATH, which would hide the mutants, is not handed on."""
    free = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, *arguments], cwd=ROOT, env=free, input=given, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{done.stdout[-4000:]}\n{' '.join(map(str, arguments))[:200]} ended with {done.returncode}")
    return done.stdout


def outcomes() -> dict[str, int | None]:
    """The exit status of each mutant; None where it has not been run."""
    found: dict[str, int | None] = {}
    for path in sorted((ROOT / "mutants" / "clvmodels").rglob("*.meta")):
        found |= json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def place(mutant: str) -> tuple[str, str]:
    """Module and function of a mutant: `clvmodels.words.x_span__mutmut_3` is of words, span."""
    name, _, _ = mutant.rpartition("__mutmut_")
    module, _, function = name.rpartition(".")
    function = function.replace("xǁ", "").replace("ǁ", ".")
    return module.removeprefix("clvmodels."), function.removeprefix("x_")


def chosen(mutants: list[str], modules: list[str], sample: int | None, seed: int) -> list[str]:
    """The mutants of these modules; of each module at most `sample`, drawn with the seed."""
    by_module: dict[str, list[str]] = defaultdict(list)
    for mutant in mutants:
        module = place(mutant)[0]
        if not modules or any(module.startswith(wanted.removeprefix("clvmodels.")) for wanted in modules):
            by_module[module].append(mutant)
    if sample is None:
        return [mutant for same in by_module.values() for mutant in same]
    return [
        mutant
        for module, same in sorted(by_module.items())
        for mutant in random.Random(f"{seed} {module}").sample(same, min(sample, len(same)))
    ]


def change(difference: str) -> tuple[str, str]:
    """The lines that a mutant takes away, and those it puts in their place."""
    lines = [line for line in difference.splitlines() if not line.startswith(("---", "+++", "# "))]
    was, becomes = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return was, becomes


def arguments() -> list[dict[str, str]]:
    """The arguments that are stored: of single survivors, then of patterns."""
    rows: list[dict[str, str]] = []
    for name in ("survivors.csv", "arguments.csv"):
        if (STORED / name).is_file():
            with (STORED / name).open(encoding="utf-8", newline="") as file:
                rows += [row for row in csv.DictReader(file) if row["argument"]]
    return rows


def argued(row: dict[str, str], known: list[dict[str, str]]) -> str:
    """The argument of a survivor, of its own or of a pattern that holds it."""
    for other in known:
        if all(other[name] == row[name] or fnmatch.fnmatchcase(row[name], other[name]) for name in COLUMNS[:4]):
            return other["argument"]
    return ""


def report(python: Path, mutants: list[str], seed: int, sample: int | None) -> int:
    """Print the kills module by module, store the survivors; the exit status."""
    status = outcomes()
    kills: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    survivors = []
    for mutant in mutants:
        outcome = OUTCOMES.get(status[mutant], "killed") if status[mutant] is not None else "not run"
        module, _ = place(mutant)
        alive = outcome in ("survived", "no test", "not run")
        kills[module][alive] += 1
        if alive:
            survivors.append(mutant)
    for module, (killed, alive) in sorted(kills.items()):
        say(f"{module:32} {killed:5} of {killed + alive:5} killed, {killed / (killed + alive):6.1%}")
    killed = sum(pair[0] for pair in kills.values())
    how = "all" if sample is None else f"{sample} a module, seed {seed}"
    say(f"{'together':32} {killed:5} of {len(mutants):5} killed, {killed / len(mutants):6.1%} ({how})")
    known, rows = arguments(), []
    changes = json.loads(run(python, "-c", DIFFERENCES, given=json.dumps(survivors)))
    for mutant in survivors:
        module, function = place(mutant)
        was, becomes = change(changes[mutant])
        row = {"module": module, "function": function, "was": was, "becomes": becomes}
        rows.append({**row, "argument": argued(row, known)})
    STORED.mkdir(parents=True, exist_ok=True)
    with (STORED / "survivors.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: tuple(row.values())))
    open_ones = sum(not row["argument"] for row in rows)
    say(f"{len(rows)} survivors in reports/mutation/survivors.csv, {open_ones} of them without an argument")
    return int(killed < NEEDED * len(mutants) or open_ones > 0)


def forget_what_tests_pass_where() -> None:
    """Where a test has changed since it was learnt; mutmut sees new names only."""
    files = sorted((ROOT / "tests").rglob("*.py"))
    present = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    known = ROOT / "mutants" / "tests.sha256"
    if not known.is_file() or known.read_text(encoding="utf-8") != present:
        (ROOT / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    known.write_text(present, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", help="beginnings of modules: decisions, figures.payback, words")
    parser.add_argument("--sample", type=int, help="mutants of each module; all by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    python = environment()
    run(python, "-c", GENERATE)
    mutants = chosen(list(outcomes()), given.modules, given.sample, given.seed)
    forget_what_tests_pass_where()
    say(f"{len(mutants)} mutants")
    whole = given.sample is None and not given.modules
    names = [] if whole else mutants
    run(python, "-m", "mutmut", "run", "--max-children", str(given.workers), *names)
    return report(python, mutants, given.seed, given.sample)


if __name__ == "__main__":
    sys.exit(main())

"""Would the tests notice? A mutation run over decisions, figures, words and report.

mutmut changes one thing at a time (a sign, a comparison, a number, an argument, a word) and runs the tests that pass
through the changed function. A mutant that no test fails for has survived: such a fault would not be noticed.
The tests are the fast ones (`[tool.mutmut]` in pyproject.toml): no model is sampled and no browser started.

    python tools/mutation.py                          all modules; resumes
    python tools/mutation.py decisions words          the modules whose names begin so
    python tools/mutation.py --share 0.06             of each module this share of its mutants, drawn with --seed

There are 15,000 mutants. On a core of its own one worker tried 5 to 7 a second, after two minutes in which the mutants
are written and it is learnt which tests pass where: a whole run is some fifty minutes, a share of 0.05 five. What was
killed is not tried again until its function changes, survivors when a test does; `rm -r mutants` begins anew.

What is stored is a share of 0.06 with seed 12, run to its end: of 995 mutants 922 were killed, 92.7% (binomial 95%
interval 90.9 to 94.2%). Of the 73 survivors 18 have a test since, the others an argument. A whole run has not
been made.

It writes reports/mutation/kills.csv, the kills of each module, and survivors.csv, each survivor with the argument why
it may live. Arguments are kept from run to run by module, function and change; those of reports/mutation/arguments.csv
are of patterns (`*`). The exit status is 1 where fewer than 85% were killed, or where a survivor has no argument.
"""

from __future__ import annotations

import argparse
import ast
import csv
import difflib
import fnmatch
import hashlib
import json
import math
import os
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OWN = ROOT / ".venv-mutation"
STORED = ROOT / "reports" / "mutation"
NEEDED = 0.85
KILLS = ("module", "mutants", "killed", "survived", "not_tried", "rate", "lower", "upper")
COLUMNS = ("module", "function", "was", "becomes", "argument")
OUTCOMES = {0: "survived", 5: "survived", 33: "no test", 34: "skipped", 35: "suspicious", 37: "caught"}
OUTCOMES |= dict.fromkeys((36, 24, -24, 152, 255), "timeout")
"""What mutmut's exit statuses mean; all others are kills."""
ALIVE = ("survived", "no test")
CLOSED = "a test since:"
"""In place of an argument: by this test the mutant would not survive again. If it does, it has no argument."""


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


def run(python: Path, *arguments: str) -> None:
    """A command in the repository; PYTHONPATH, which would hide the mutants, is not handed on."""
    free = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([python, *arguments], cwd=ROOT, env=free, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout[-4000:]}\n{' '.join(map(str, arguments))[:200]} ended with {done.returncode}")


def remove_what_is_gone() -> None:
    """Files of the copy whose own are no longer there, which mutmut leaves."""
    copy = ROOT / "mutants"
    for folder in ("clvmodels", "tests"):
        for path in (copy / folder).rglob("*.py"):
            if not (ROOT / path.relative_to(copy)).is_file():
                path.unlink()
                path.with_suffix(".py.meta").unlink(missing_ok=True)


def results_of_mutmut() -> list[Path]:
    """A file a module: the exit status of each of its mutants."""
    return sorted((ROOT / "mutants" / "clvmodels").rglob("*.meta"))


def outcomes() -> dict[str, int | None]:
    """The exit status of each mutant; None where it has not been run."""
    statuses: dict[str, int | None] = {}
    for path in results_of_mutmut():
        statuses |= json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    return statuses


def place(mutant: str) -> tuple[str, str]:
    """Module and function of a mutant: `clvmodels.words.x_span__mutmut_3` is of words, span."""
    name, _, _ = mutant.rpartition("__mutmut_")
    module, _, function = name.rpartition(".")
    function = function.replace("xǁ", "").replace("ǁ", ".")
    return module.removeprefix("clvmodels."), function.removeprefix("x_")


def chosen(mutants: list[str], modules: list[str], share: float, seed: int) -> list[str]:
    """The mutants of these modules; of each module a share, drawn with the seed."""
    by_module: dict[str, list[str]] = defaultdict(list)
    for mutant in mutants:
        module = place(mutant)[0]
        if not modules or any(module.startswith(wanted.removeprefix("clvmodels.")) for wanted in modules):
            by_module[module].append(mutant)
    if share >= 1:
        return [mutant for same in by_module.values() for mutant in same]
    return [
        mutant
        for module, same in sorted(by_module.items())
        for mutant in random.Random(f"{seed} {module}").sample(same, round(share * len(same)))
    ]


def changes(survivors: list[str]) -> dict[str, tuple[str, str]]:
    """Of each survivor the lines that it takes away, and those it puts in their place."""
    by_file: dict[str, list[str]] = defaultdict(list)
    for mutant in survivors:
        by_file[file_of(mutant)].append(mutant)
    pairs = {}
    for file, same in by_file.items():
        functions = sources(ROOT / "mutants" / file)
        for mutant in same:
            name = mutant.rpartition(".")[2]
            original = name.rpartition("__mutmut_")[0] + "__mutmut_orig"
            pairs[mutant] = difference(functions[original], functions[name])
    return pairs


def file_of(mutant: str) -> str:
    """`clvmodels.figures.pit.x_table__mutmut_1` is of clvmodels/figures/pit.py, `clvmodels.figures.x_plot__mutmut_1`
    of the folder's own file."""
    path = mutant.rpartition(".")[0].replace(".", "/")
    return f"{path}/__init__.py" if (ROOT / path).is_dir() else f"{path}.py"


def sources(path: Path) -> dict[str, list[str]]:
    """The lines of each function of a file of mutants, under its own name."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    found = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            head = lines[node.lineno - 1].replace(node.name, place(node.name)[1])
            found[node.name] = [head, *lines[node.lineno : node.end_lineno]]
    return found


def difference(original: list[str], mutant: list[str]) -> tuple[str, str]:
    """The lines that a mutant takes away, and those it puts in their place."""
    _, _, *lines = difflib.unified_diff(original, mutant, n=0, lineterm="")
    was, becomes = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return was, becomes


def arguments() -> list[dict[str, str]]:
    """The arguments that are stored: of single survivors, then of patterns."""
    rows: list[dict[str, str]] = []
    for name in ("survivors.csv", "arguments.csv"):
        if (STORED / name).is_file():
            with (STORED / name).open(encoding="utf-8", newline="") as file:
                rows += [row for row in csv.DictReader(file) if row["argument"] and CLOSED not in row["argument"]]
    return rows


def argued(row: dict[str, str], known: list[dict[str, str]]) -> str:
    """The argument of a survivor, of its own or of a pattern that holds it."""
    for other in known:
        if all(other[name] == row[name] or fnmatch.fnmatchcase(row[name], other[name]) for name in COLUMNS[:4]):
            return other["argument"]
    return ""


def report(mutants: list[str], how: str) -> int:
    """Print and store the kills module by module and the survivors; the exit status.

    Where a run was stopped, the share that was killed is of those that were tried: mutmut tries cheap ones first.
    """
    outcome = {
        mutant: "not tried" if status is None else OUTCOMES.get(status, "killed")
        for mutant, status in outcomes().items()
    }
    by_module: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant in mutants:
        by_module[place(mutant)[0]][outcome[mutant]] += 1
    rows = [kills(module, by_module[module]) for module in sorted(by_module)]
    together = sum(by_module.values(), Counter())
    rows.append(kills(how, together) | interval(together))
    for row in rows:
        say(f"{row['module']:32} {row['killed']:5} of {row['killed'] + row['survived']:5} killed, {row['rate']:6.1%}")
    say(f"binomial 95% interval of those that were tried: {rows[-1]['lower']:.1%} to {rows[-1]['upper']:.1%}")
    say(
        f"{together['timeout']} of the killed ran out of time; {together['not tried']} of {len(mutants)} were not tried"
    )
    write("kills.csv", KILLS, rows)
    known = arguments()
    told = []
    for mutant, (was, becomes) in changes([mutant for mutant in mutants if outcome[mutant] in ALIVE]).items():
        module, function = place(mutant)
        row = {"module": module, "function": function, "was": was, "becomes": becomes}
        told.append({**row, "argument": argued(row, known)})
    write("survivors.csv", COLUMNS, sorted(told, key=lambda row: tuple(row.values())))
    open_ones = sum(not row["argument"] for row in told)
    say(f"{len(told)} survivors in reports/mutation/survivors.csv, {open_ones} of them without an argument")
    return int(rows[-1]["rate"] < NEEDED or open_ones > 0 or together["not tried"] > 0)


def kills(module: str, counts: Counter[str]) -> dict[str, Any]:
    """A row of kills.csv."""
    survived = sum(counts[name] for name in ALIVE)
    tried = counts.total() - counts["not tried"]
    killed = tried - survived
    row = {"module": module, "mutants": counts.total(), "killed": killed, "survived": survived}
    return row | {"not_tried": counts["not tried"], "rate": round(killed / tried, 4) if tried else math.nan}


def interval(counts: Counter[str]) -> dict[str, float]:
    """The exact binomial 95% interval of the share that is killed (Clopper and Pearson, 1934)."""
    from scipy.stats import binomtest

    row = kills("", counts)
    exact = binomtest(row["killed"], row["killed"] + row["survived"]).proportion_ci(method="exact")
    return {"lower": round(float(exact.low), 4), "upper": round(float(exact.high), 4)}


def write(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    STORED.mkdir(parents=True, exist_ok=True)
    with (STORED / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def forget_what_tests_told() -> None:
    """Where a test has changed: which tests pass where, since mutmut sees new names only, and all survivors."""
    files = sorted(path for path in (ROOT / "tests").rglob("*") if path.suffix in (".py", ".txt"))
    present = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    known = ROOT / "mutants" / "tests.sha256"
    if known.is_file() and known.read_text(encoding="utf-8") == present:
        return
    (ROOT / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    for path in results_of_mutmut():
        stored = json.loads(path.read_text(encoding="utf-8"))
        statuses = stored["exit_code_by_key"]
        stored["exit_code_by_key"] = {
            mutant: None if OUTCOMES.get(status) in ALIVE else status for mutant, status in statuses.items()
        }
        path.write_text(json.dumps(stored), encoding="utf-8")
    known.write_text(present, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", help="beginnings of modules: decisions, figures.payback, words")
    parser.add_argument("--share", type=float, default=1.0, help="of each module's mutants; all by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    python = environment()
    remove_what_is_gone()
    run(python, "-c", GENERATE)
    mutants = chosen(list(outcomes()), given.modules, given.share, given.seed)
    forget_what_tests_told()
    status = outcomes()
    to_try = [mutant for mutant in mutants if status[mutant] is None or OUTCOMES.get(status[mutant]) == "timeout"]
    say(f"{len(mutants)} mutants, {len(to_try)} of them to be tried")
    if to_try:
        names = [] if len(to_try) == len(status) else to_try
        run(python, "-m", "mutmut", "run", "--max-children", str(given.workers), *names)
    how = "all" if given.share >= 1 else f"share {given.share:g}, seed {given.seed}"
    return report(mutants, how)


if __name__ == "__main__":
    sys.exit(main())

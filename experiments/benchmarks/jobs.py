"""What is measured, group by group, and what it is held against: `JOBS` and `TARGETS`.

Sizes and limits stand here alone. A job is one task of ours.py, peers.py or another script beside them; its rehearsal
(`--quick`, and what warms the caches before the first repeat) is the same task at another size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

OURS, PYMC_MARKETING, LIFETIMES, BY_HAND = "clvmodels", "PyMC-Marketing", "lifetimes", "DuckDB by hand"
PEERS = (PYMC_MARKETING, LIFETIMES)
"""Who has an environment of their own."""


@dataclass(frozen=True)
class Job:
    """One piece of work that is timed.

    Parameters
    ----------
    group, name, who
        Together its identity: what is compared has the same name and another `who`.
    options
        The task and its arguments; `table` is the name of one of inputs.py.
    rehearsal
        Options that are other in the rehearsal.
    repeats
        Times that are counted.
    timeout
        Seconds after which the process is ended, and the row says so.
    warm_up
        What runs once before, uncounted: the rehearsal, the work itself, or nothing.
    """

    group: str
    name: str
    who: str
    options: dict[str, Any]
    rehearsal: dict[str, Any] = field(default_factory=dict)
    repeats: int = 5
    timeout: float = 900.0
    warm_up: str = "rehearsal"

    @property
    def script(self) -> str:
        """The file of its task."""
        if self.who in PEERS:
            return "peers.py"
        return self.options.get("script", "ours.py")


@dataclass(frozen=True)
class Target:
    """What the median of a job has to be, alone or over that of a job that it is compared with.

    Parameters
    ----------
    text
        What is held, for the table.
    of
        The job's name, in its group; `who` is clvmodels.
    limit, at_most
        The number, and whether it is the largest or the smallest allowed.
    column
        seconds, peak_mib, or what a task tells of itself.
    against, other
        Whose job it is divided by, and its name where that is not the same.
    per
        A number that it is divided by, such as customers times draws.
    """

    group: str
    text: str
    of: str
    limit: float
    at_most: bool = True
    column: str = "seconds"
    against: str = ""
    other: str = ""
    per: float = 1.0


LONG, FEW_REPEATS = 120.0, 2
"""What may take so many seconds is repeated so often."""
TITLES = {
    "bg_nbd": "BG/NBD",
    "gamma_gamma": "Gamma-Gamma",
    "pareto_nbd": "Pareto/NBD",
    "gg_nbd": "GG/NBD",
    "bg_bb": "BG/BB",
}
DRAWS = 1000
"""Of a posterior."""
OF_A_MODE = {"bg_nbd": 1 / 2, "gamma_gamma": 1 / 2, "pareto_nbd": 1 / 5, "gg_nbd": 1.0}
"""Largest ratio of the time of a posterior to that of PyMC-Marketing's mode; of GG/NBD to the mode of Pareto/NBD."""
SECONDS_AGAIN = {"bg_nbd": 0.15, "pareto_nbd": 0.4}
LARGE = {
    "200,000 customers, whole days": ("whole_days_200000", 60),
    "200,000 customers, fractional": ("fractional_200000", 60),
    "1,000,000 customers, fractional": ("fractional_1000000", 300),
}
"""Base -> table, largest seconds."""
POOLED = {
    "5 labels": ["five"],
    "40 labels": ["forty"],
    "500 labels": ["five_hundred"],
    "5 and 40 labels at once": ["five", "forty"],
}
NUTS = {"pareto_nbd": ("cdnow_sample", 10), "bg_nbd": ("cdnow_sample", 3), "bg_bb": ("donations", 50)}
"""Model -> table, and how many times PyMC-Marketing's effective draws a second."""
OUR_CHAINS = {"draws": 1000, "tune": 1000, "chains": 4}
PEERS_DRAWS = {"pareto_nbd": 300, "bg_nbd": 1000, "bg_bb": 100}
"""Of each of two chains, after as many to warm up. Bounded, so that it ends: with PyMC's defaults, those of ours,
Pareto/NBD and BG/BB take half an hour."""
FEW_DRAWS = {"draws": 20, "tune": 20, "chains": 2}
VALUE_DRAWS = 4000
SCORED = {200_000: 60, 1_000_000: 300}
"""Customers -> largest seconds."""
ROWS = 100_000_000
"""Of transactions."""
RUNS = {
    "make demo": (["demo"], 60),
    "experiments/retailer.yaml": (["run", "experiments/retailer.yaml"], 90),
    "experiments/cdnow-models.yaml": (["run", "experiments/cdnow-models.yaml"], 180),
}
"""Run -> words after `clvmodels`, largest seconds."""


def fits() -> Iterator[Job | Target]:
    """A posterior against the other library's mode, on both sizes of CDNOW."""
    for base in ("sample", "master"):
        of_pareto = f"{TITLES['pareto_nbd']}, {base}"
        for model, limit in OF_A_MODE.items():
            name = f"{TITLES[model]}, {base}"
            table = {"table": f"cdnow_{base}"}
            rehearsal = {"table": "cdnow_sample"}
            posterior = {"task": "fit", "model": model, **table, "draws": DRAWS, "method": "auto"}
            yield Job("fits", name, OURS, posterior, {**rehearsal, "draws": 200})
            if model != "gg_nbd":
                yield Job("fits", name, PYMC_MARKETING, {"task": "map", "model": model, **table}, rehearsal)
                yield Job("fits", name, LIFETIMES, {"task": "lifetimes", "model": model, **table}, rehearsal)
            what = f"{name}: a posterior of {DRAWS:,} draws, over PyMC-Marketing's mode"
            if model == "gg_nbd":
                what += " of Pareto/NBD"
            other = of_pareto if model == "gg_nbd" else name
            yield Target("fits", what, name, limit, against=PYMC_MARKETING, other=other)
            yield Target("fits", f"{name}: importance ESS", name, DRAWS, at_most=False, column="importance_ess")
            yield _passes("fits", name)


def second() -> Iterator[Job | Target]:
    """The second fit of a process: nothing is compiled."""
    for model, limit in SECONDS_AGAIN.items():
        name = f"{TITLES[model]}, sample, again"
        again = {"task": "second_fit", "model": model, "table": "cdnow_sample", "draws": DRAWS}
        yield Job("second", name, OURS, again, {"draws": 200})
        yield Target("second", f"{name}: seconds", name, limit)


def large() -> Iterator[Job | Target]:
    """Hundreds of thousands of customers: of whole days many are equal, of fractions of days none."""
    for base, (table, limit) in LARGE.items():
        name = f"Pareto/NBD, {base}"
        posterior = {"task": "fit", "model": "pareto_nbd", "table": table, "draws": DRAWS, "method": "laplace"}
        rehearsal = {"table": f"{table.rpartition('_')[0]}_2000", "draws": 200}
        repeats = FEW_REPEATS if limit >= LONG else 3
        yield Job("large", name, OURS, posterior, rehearsal, repeats, timeout=max(240, 2 * limit))
        yield Target("large", f"{name}: seconds of a posterior of {DRAWS:,} draws", name, limit)
        yield _passes("large", name)


def pooled() -> Iterator[Job | Target]:
    """Pooled groups, by whichever method the default comes to."""
    for model in ("bg_nbd", "pareto_nbd"):
        for labels, columns in POOLED.items():
            name = f"{TITLES[model]}, sample, {labels}"
            base = {"task": "fit", "model": model, "table": "cdnow_sample"}
            posterior = {**base, "draws": DRAWS, "method": "auto", "groups": columns}
            rehearsal = {"draws": 200, "method": "laplace", "groups": ["five"]}
            yield Job("pooled", name, OURS, posterior, rehearsal, repeats=3, timeout=300)
            yield Target("pooled", f"{name}: seconds", name, 30)
            yield _passes("pooled", name)


def nuts() -> Iterator[Job | Target]:
    """Effective draws a second, of the parameter that has the fewest."""
    for model, (table, limit) in NUTS.items():
        name = f"{TITLES[model]}, {table.replace('cdnow_', '')}"
        base = {"model": model, "table": table}
        yield Job("nuts", name, OURS, {"task": "nuts", **base, **OUR_CHAINS}, FEW_DRAWS, repeats=3)
        chains = {"draws": PEERS_DRAWS[model], "tune": PEERS_DRAWS[model], "chains": 2}
        yield Job("nuts", name, PYMC_MARKETING, {"task": "mcmc", **base, **chains}, FEW_DRAWS, repeats=2)
        what = f"{name}: effective draws of NUTS a second, over PyMC-Marketing's"
        against = {"at_most": False, "column": "ess_per_second", "against": PYMC_MARKETING}
        yield Target("nuts", what, name, limit, **against)


def value() -> Iterator[Job | Target]:
    """Values of a year and scores, from posteriors that are given."""
    for model in ("pareto_nbd", "bg_nbd"):
        base = {"script": "value.py", "model": model, "table": "cdnow_master"}
        few = {"table": "cdnow_sample", "draws": 200}
        name = f"{TITLES[model]}, value of a year, {VALUE_DRAWS:,} draws, master"
        yield Job("value", name, OURS, {"task": "value", **base, "draws": VALUE_DRAWS}, few, repeats=3)
        costly = f"{TITLES[model]}, value of a year with all cost models, {DRAWS:,} draws, master"
        with_costs = {"task": "value", **base, "draws": DRAWS, "with_costs": True}
        yield Job("value", costly, OURS, with_costs, few, repeats=3)
        each = "microseconds a customer and draw"
        yield Target("value", f"{name}: {each}", name, 0.25, column="microseconds")
        yield Target("value", f"{name}: peak memory, MiB", name, 1024, column="peak_mib")
        what = f"{costly}: {each}, over those without"
        yield Target("value", what, costly, 4, column="microseconds", against=OURS, other=name)
    for size, seconds in SCORED.items():
        name = f"score, Pareto/NBD, {size:,} customers, {DRAWS:,} draws"
        scored = {"script": "value.py", "task": "score", "model": "pareto_nbd", "table": f"fractional_{size}"}
        few = {"table": "fractional_2000", "draws": 200}
        repeats = FEW_REPEATS if seconds >= LONG else 3
        yield Job("value", name, OURS, {**scored, "draws": DRAWS}, few, repeats, timeout=2 * seconds + 180)
        yield Target("value", f"{name}: seconds", name, seconds)
        yield Target("value", f"{name}: peak memory, MiB", name, 2048, column="peak_mib")


def transactions() -> Iterator[Job | Target]:
    """Rows of Parquet to customers, and the same by hand."""
    name = f"{ROWS // 1_000_000} million rows of Parquet to customers"
    tables = {"table": f"transactions_{ROWS}"}
    rehearsal = {"table": "transactions_1000000"}
    for who, task in ((OURS, "customers"), (BY_HAND, "customers_by_hand")):
        yield Job("transactions", name, who, {"task": task, **tables}, rehearsal, FEW_REPEATS, timeout=1500)
    yield Target("transactions", f"{name}, over DuckDB's SQL by hand", name, 1.5, against=BY_HAND)
    yield Target("transactions", f"{name}: peak memory, MiB", name, 4096, column="peak_mib")


def imports() -> Iterator[Job | Target]:
    """What a process costs before it does anything."""
    for module in ("pytensor", "clvmodels.inference.posterior", "clvmodels.inference.fitting"):
        yield _command("imports", f"import {module}", ["-c", f"import {module}"])
    yield _command("imports", "clvmodels --help", ["-m", "clvmodels", "--help"])
    name, other = "import clvmodels.inference.posterior", "import pytensor"
    yield Target("imports", f"{name}, over {other}", name, 2, against=OURS, other=other)
    yield Target("imports", "clvmodels --help: seconds", "clvmodels --help", 0.3)


def runs() -> Iterator[Job | Target]:
    """Whole runs as a user types them, the command's start and its report included."""
    small = ["-m", "clvmodels", "demo", "--customers", "200", "--out", "{scratch}"]
    for name, (words, limit) in RUNS.items():
        whole = ["-m", "clvmodels", *words, "--out", "{scratch}"]
        yield _command("runs", name, whole, small, repeats=FEW_REPEATS, warm_up="itself")
        yield Target("runs", f"{name}: seconds, from a warm start", name, limit)


def tests() -> Iterator[Job | Target]:
    """The tests as `make test` runs them, without its checks of style."""
    name = "make test"
    two_at_a_time = ["-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    few = ["-m", "pytest", "-q", "tests/ground"]
    yield _command("tests", name, two_at_a_time, few, repeats=1, timeout=1800, warm_up="nothing")
    yield Target("tests", f"{name}: seconds, from a warm start", name, 480)


def _passes(group: str, name: str) -> Target:
    return Target(group, f"{name}: share of fits with all checks passed", name, 1, at_most=False, column="passed")


def _command(group: str, name: str, words: Sequence[str], rehearsal: Sequence[str] = (), **how: Any) -> Job:
    """A job that is a command of this Python, compared with another of ours by its name."""
    other = {"argv": ["{python}", *rehearsal]} if rehearsal else {}
    return Job(group, name, OURS, {"task": "command", "argv": ["{python}", *words]}, other, **how)


_GROUPS = (fits, second, large, pooled, nuts, value, transactions, imports, runs, tests)
_ITEMS = [item for group in _GROUPS for item in group()]
JOBS = [item for item in _ITEMS if isinstance(item, Job)]
TARGETS = [item for item in _ITEMS if isinstance(item, Target)]
GROUPS = tuple(group.__name__ for group in _GROUPS)

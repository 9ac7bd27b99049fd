"""Synthetic runs for the figures and the report: no model, no sampling, only arrays of the right shapes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import xarray as xr
from fakes.company_run import with_company
from fakes.kpis import fake_kpis
from fakes.shared import made_once

from clvmodels.customers.table import Customers, Holdout, Split
from clvmodels.decisions.rank import rank
from clvmodels.figures import FIGURES
from clvmodels.futures.forecast import Futures
from clvmodels.inference.effects import Effect
from clvmodels.inference.terms import Scale, make_terms
from clvmodels.metrics import Judged
from clvmodels.metrics.checks import CHECKS, CheckRow, as_table
from clvmodels.metrics.compare import compare
from clvmodels.metrics.money import Money
from clvmodels.models.parameters import Meaning, Parameter
from clvmodels.models.prior import Prior
from clvmodels.report import write_report
from clvmodels.results.folder import About, EntryResult, Run
from clvmodels.results.tables import named, store_tables
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.valuation import Values

END = pd.Timestamp("2025-06-30")
WEEKS_FITTED, WEEKS_HELD = 26, 26
COVARIATES = ("is_business", "net promoter score at the first contact", "age")
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=cmd|' /C calc'!A0",
    "]]> </text> $x^2$ &amp; \u202eevil\u0007",
    "n" * 300,
)


def about(**changes) -> About:
    """What a fake run is."""
    base = About(
        name="fake",
        title="What are our customers worth, and who are the best?",
        dataset="retailer",
        customers=3000,
        transactions=31_842,
        currency="EUR",
        time_unit="week",
        data_end="2025-12-29",
        calibration_end="2025-06-30",
        holdout_start="2025-07-01",
        holdout_end="2025-12-29",
        holdout=float(WEEKS_HELD),
        value_at="2025-12-29",
        horizon=52.0,
        margin=0.3,
        annual_discount_rate=0.12,
        top_share=0.2,
        entries={"pareto": "Pareto/NBD, by channel", "bg": "BG/NBD", "last": "Last half-year again"},
        recommended="pareto",
        seed=42,
        draws=400,
        public=False,
        made="2026-11-21",
        commit="4be1c09f3a",
        dirty=False,
        versions={"clvmodels": "0.1.0", "PyMC": "6.4.0", "Python": "3.12.8"},
        data_sha256="9c1f" * 16,
        config_sha256="52aa" * 16,
        wall_seconds=108.0,
        peak_memory_mib=612.0,
        cores=2,
        commands=["clvmodels report results/fake", "clvmodels run experiments/fake.yaml"],
    )
    return replace(base, **changes)


def customers(count: int, rng: np.random.Generator, groups: list[str], ids: list[str] | None = None) -> Customers:
    """Customers whose frequency follows a rate of their own; ids sort as strings."""
    rate = rng.gamma(0.5, 0.08, count)
    age = rng.uniform(26, 104, count)
    frequency = rng.poisson(rate * age * rng.uniform(0.3, 1, count))
    recency = np.where(frequency > 0, age * rng.beta(1 + 2 * frequency, 1.5, count), 0.0)
    ids = ids or [f"C-{n:05d}" for n in rng.permutation(count)]
    table = pd.DataFrame(
        {
            "frequency": frequency,
            "recency": recency,
            "T": age,
            "monetary_value": np.where(frequency > 0, rng.gamma(6, 8, count), 0.0),
            "first_purchase": END - pd.to_timedelta(np.ceil(7 * age), "D"),
            "channel": rng.choice(groups, count),
            **{name: (rng.uniform(size=count) < 0.4).astype(float) + k % 2 for k, name in enumerate(COVARIATES)},
        },
        index=pd.Index(ids, name="customer_id"),
    ).sort_index()
    return Customers(table, "week", END, "EUR")


def futures(base: Customers, rng: np.random.Generator, draws: int, noise: float = 0.0) -> tuple[Futures, np.ndarray]:
    """A forecast of the holdout and the rates behind it; `noise` makes a worse forecast."""
    table = base.table
    alive = 1 / (1 + np.exp((table["T"] - table["recency"]) / 12 - 2 - 0.3 * table["frequency"]))
    rate = (
        (table["frequency"].to_numpy() + 0.5)
        / (table["T"].to_numpy() + 8)
        * np.exp(noise * rng.normal(size=len(table)))
    )
    level = np.exp(0.04 * rng.normal(size=(draws, 1)))
    mean = level * rate * WEEKS_HELD
    lives = rng.random((draws, len(table))) < alive.to_numpy()
    purchases = rng.poisson(mean * lives).astype(np.int32)
    share = np.full(WEEKS_HELD, 1 / WEEKS_HELD)
    weeks = np.array([rng.multinomial(n, share) for n in purchases.sum(axis=1)])
    p_any = alive.to_numpy() * -np.expm1(-rate * WEEKS_HELD)
    made = Futures(
        table.index.to_numpy(),
        np.arange(WEEKS_HELD + 1.0),
        purchases,
        weeks,
        (mean * alive.to_numpy()).astype(np.float32),
        np.clip(alive.to_numpy() + 0.02 * rng.normal(size=(draws, len(table))), 0, 1).astype(np.float32),
        p_any,
    )
    return made, np.where(rng.random(len(table)) < alive, rng.poisson(rate * WEEKS_HELD), 0)


def judged(base: Customers, rng: np.random.Generator, draws: int, noise: float = 0.0, truth=None) -> Judged:
    """A forecast beside what came; the truth is one more draw of the forecast unless given."""
    made, own = futures(base, rng, draws, noise)
    actual = own if truth is None else truth
    log_prob = np.log(np.maximum((made.purchases == actual).mean(axis=0), 0.5 / draws)) - 0.02 * noise
    made = replace(made, log_prob=log_prob)
    index = base.table.index
    spend = actual * 48.0
    start = END + pd.Timedelta(days=1)
    holdout = Holdout(
        pd.DataFrame({"purchases": actual, "spend": spend}, index=index),
        float(WEEKS_HELD),
        start,
        END + pd.Timedelta(weeks=WEEKS_HELD),
    )
    past = rng.poisson(max(1.0, base.table["frequency"].sum() / 70), WEEKS_FITTED)
    later = rng.multinomial(int(actual.sum()), np.full(WEEKS_HELD, 1 / WEEKS_HELD))
    if truth is None and later.sum() > 500:
        later[19:24] += int(later.mean() * 0.5)  # a season that no model here knows
    starts = [start + pd.Timedelta(weeks=k) for k in range(-WEEKS_FITTED, WEEKS_HELD)]
    weekly = pd.DataFrame({"start": starts, "purchases": [*past, *later], "held_out": [s >= start for s in starts]})
    return Judged(base, holdout, made, weekly, None, 42, money=fake_money(made, actual))


def fake_money(made: Futures, purchases: np.ndarray) -> dict[str, Money]:
    """What the held-out purchases brought: each customer's own mean amount, gamma about it, and half of it as profit
    less a cost of each customer. What came is drawn as one more draw is."""
    rng = np.random.default_rng(42)
    usual = rng.gamma(6, 8, len(made.customer_id))
    spread = lambda n: usual * rng.gamma(3.0 * np.maximum(n, 1e-9)) / 3.0 * (n > 0)  # noqa: E731
    spend, came = spread(made.purchases).astype(np.float32), spread(purchases)
    mean = made.expected_purchases.mean(axis=0) * usual
    kinds = {"spend": (spend, mean, came), "profit": tuple(0.5 * part - 2.0 for part in (spend, mean, came))}
    until = END + pd.Timedelta(weeks=WEEKS_HELD)
    return {name: Money(name, made.customer_id, *kind, until, 42) for name, kind in kinds.items()}


def values(base: Customers, rng: np.random.Generator, draws: int, cost: float = 1.5) -> Values:
    """Value of each customer in its readings; a fixed cost makes some of them lose money."""
    table = base.table
    count = len(table)
    level = np.exp(0.05 * rng.normal(size=(draws, 1)))
    own = (table["frequency"].to_numpy() + 0.3) * 6 * np.exp(0.15 * rng.normal(size=(draws, count)))
    expected, worth = (level * rate - cost for rate in (own.mean(axis=0), own))
    realised = rng.gamma(1.2, np.maximum(worth + cost, 0.01) / 1.2) - cost
    return Values(
        table.index.to_numpy(),
        expected.astype(np.float32),
        worth.astype(np.float32),
        realised.astype(np.float32),
        Economics(0.3, 0.12, 52.0),
        "week",
        "EUR",
        END + pd.Timedelta(weeks=WEEKS_HELD),
    )


def posterior(rng: np.random.Generator, groups: list[str], draws: int) -> SimpleNamespace:
    """A stand-in for a fitted posterior with one group effect; with many groups, covariates and a tied effect too."""
    prior_of = Prior("LogNormal", {"mu": 0.0, "sigma": 1.2})

    def parameter(name, unit, direction, raises, meaning):
        return Parameter(name, "purchases", unit, prior_of, direction, raises, meaning)

    parameters = (
        parameter("r", "none", 1, "purchase rate", "how alike customers' rates are"),
        parameter("alpha", "time", -1, "purchase rate", "scale of the rates' distribution"),
        parameter("s", "none", 1, "churn", "how alike customers' lifetimes are"),
        parameter("beta", "time", -1, "churn", "scale of the lifetimes' distribution"),
    )
    meanings = (
        Meaning("mean purchase rate while active", "per {time_unit}", lambda theta: theta["r"] / theta["alpha"]),
        Meaning("mean rate of leaving", "per {time_unit}", lambda theta: theta["s"] / theta["beta"]),
    )
    draw = lambda sd: np.exp(sd * rng.normal(size=(4, draws // 4)))  # noqa: E731
    data = {
        p.name: (("chain", "draw"), k * draw(0.08)) for p, k in zip(parameters, (0.6, 10.0, 0.7, 12.0), strict=True)
    }
    normal = lambda *shape: rng.normal(size=(4, draws // 4, *shape))  # noqa: E731
    centre = np.linspace(0.4, -0.3, len(groups))
    data["alpha_by_channel"] = (("chain", "draw", "channel"), centre + 0.08 * normal(len(groups)))
    data["alpha_by_channel_sd"] = (("chain", "draw"), 0.3 * np.exp(0.2 * normal()))
    effects, scales = [Effect("purchases", ("alpha",), "channel")], {}
    if len(groups) > 30:
        effects.append(Effect("purchases", ("r", "s"), "channel"))
        effects.append(Effect("purchases", ("beta",), covariates=COVARIATES, missing="indicator"))
        scales = dict.fromkeys(COVARIATES, Scale(0.4, 2.5))
        data[effects[1].name] = (("chain", "draw", "channel"), 0.3 * normal(len(groups)))
        data[f"{effects[1].name}_sd"] = (("chain", "draw"), 0.3 * np.exp(0.2 * normal()))
        data[effects[2].name] = (("chain", "draw", "covariate"), np.linspace(-0.5, 0.6, 6) + 0.1 * normal(6))
    dataset = xr.Dataset(data, coords={"channel": groups})
    prior = {p.name: k * np.exp(1.2 * rng.normal(size=2000)) for p, k in zip(parameters, (1, 10, 1, 10), strict=True)}
    flat = lambda name: dataset[name].to_numpy().reshape(-1, *dataset[name].shape[2:])  # noqa: E731
    return SimpleNamespace(
        model=SimpleNamespace(
            name="pareto_nbd",
            title="Pareto/NBD",
            reference="Schmittlein, Morrison & Colombo (1987)",
            parameters=parameters,
            meanings=meanings,
            handles=(),
        ),
        priors={p.name: prior_of for p in parameters},
        amount_unit=1.0,
        scales=scales,
        stacked=flat,
        data=xr.DataTree.from_dict({"/posterior": dataset}),
        prior_draws=prior,
        effects=effects,
        time_unit="week",
        terms=make_terms(effects, {"channel": groups}),
        attempts=[],
    )


GAPS = {
    "what": "3 orders stand alone",
    "effect": "the data end later",
    "policy": "latest",
    "model": "Pareto/NBD",
    "method": "nuts",
    "when": "",
    "unit": "week",
    "warning": "",
    "money": "spend",
    "end": "lowest",
    "top": "fifth",
    "covariate": "nps",
    "less": "less",
    "so": "it may count the purchases that it explains",
    "part": "returns",
}
"""What a check of a fake run was put to."""


def check_row(code: str, result: str, entry: str, consequence: str = "", **numbers) -> CheckRow:
    """A row of the table of checks, as its check tells of a fake run's fit."""
    title = CHECKS[code].title.format_map(GAPS)
    remedy = "" if result == "passed" else CHECKS[code].remedy
    return CheckRow(code, CHECKS[code].kind, result, title, entry, consequence=consequence, remedy=remedy, **numbers)


CHECK_ROWS = as_table(
    [
        check_row("rhat", "passed", "pareto", value=1.003, at_most=1.01),
        check_row(
            "periods_inside",
            "failed",
            "pareto",
            "December is forecast too low. Do not plan a single December week with it.",
            value=20,
            of=26,
            at_least=21,
        ),
        check_row("loo_pareto_k", "look", "pareto", "Their share of the score is uncertain.", value=3, at_most=0),
        check_row("bulk_ess", "passed", "pareto", value=1840, at_least=400),
        check_row("loo_pareto_k", "skipped", "bg", "elpd was not asked for."),
        check_row("divergences", "not applicable", "bg", "The Laplace approximation has none."),
    ]
)

ACCOUNT = pd.DataFrame(
    [
        (1, "rows read", "orders.csv", 31_842, "read"),
        (2, "no customer id", "orders.csv", 214, "dropped"),
        (3, "exact duplicates", "orders.csv", 391, "dropped"),
        (4, "refund: netted against the day's orders", "orders.csv", 302, "changed"),
        (5, "rows used", "", 31_237, "used"),
    ],
    columns=["step", "reason", "where", "rows", "kind"],
)

GROUPS = ["Referral", "E-mail", "Search", "Marketplace", "Social"]


def fake_run(
    count: int = 3000,
    draws: int = 400,
    *,
    groups: list[str] | None = None,
    ids: list[str] | None = None,
    holdout: bool = True,
    value: bool = True,
    checks: pd.DataFrame = CHECK_ROWS,
    seed: int = 1,
    **changes,
) -> Run:
    """A run of three entries with every result, or without a holdout, or without value."""
    rng = np.random.default_rng(seed)
    groups = groups or GROUPS
    base = customers(count, rng, groups, ids)
    first = judged(base, rng, draws)
    truth = first.actual
    entries = {}
    fitted = posterior(rng, groups, draws)
    past = first.weekly["purchases"].to_numpy()[:WEEKS_FITTED]
    for name, noise in (("pareto", 0.0), ("bg", 0.25), ("last", 1.2)):
        one = (first if name == "pareto" else judged(base, rng, draws, noise, truth)) if holdout else None
        entries[name] = EntryResult(
            name=name,
            label=about().entries[name],
            posteriors={"purchases": fitted},
            judged=one,
            values=None,
            ranking=None,
            p_alive=None,
            elpd=None,
            calibration_weeks=rng.poisson(past.mean() * np.exp(rng.normal(0, 0.04, (draws, 1))), (draws, WEEKS_FITTED)),
        )
    valued = _valued(entries["pareto"], values(base, rng, draws) if value else None, first)
    comparison = compare({name: entry.judged for name, entry in entries.items()}) if holdout else None
    split = Split(base, first.holdout if holdout else None, first.weekly)
    said = about(customers=count, draws=draws)
    if not holdout:
        said = replace(said, holdout=None, holdout_start=None, holdout_end=None)
    if not value:
        said = replace(said, value_at=None, horizon=None, margin=None, annual_discount_rate=None, currency=None)
    said = replace(said, **changes)
    told = fake_kpis(count, groups, rng, value=value) if value or holdout else None
    return Run(said, ACCOUNT, split, split, entries, "pareto", valued, comparison, checks, _scores(entries), kpis=told)


def _valued(entry: EntryResult, worth: Values | None, first: Judged) -> EntryResult:
    """The recommended entry at the date of value."""
    changed = {
        "judged": None,
        "values": worth,
        "ranking": None if worth is None else rank(worth, top_share=0.2),
        "calibration_weeks": None,
        "p_alive": np.clip(first.futures.p_alive.mean(axis=0), 0, 1),
    }
    return replace(entry, **changed)


def _scores(entries: dict[str, EntryResult]) -> pd.DataFrame:
    numbers = (
        ("crps", "crps", 0.41),
        ("coverage", "coverage_90", 0.91),
        ("total_purchases", "total_purchases.bias_percent", -4.0),
    )
    rows = [(name, "retailer", *number, np.nan, np.nan) for name in entries for number in numbers]
    return pd.DataFrame(rows, columns=["entry", "dataset", "metric", "score", "value", "lower", "upper"])


def store(run: Run, folder: Path) -> Path:
    """The part of a results folder that a report reads."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(asdict(run.about)), encoding="utf-8")
    tables = {"checks": run.checks, "scores": run.scores, "account": run.account}
    for name, figure in FIGURES.items():
        table = figure.table(run)
        if table is not None:
            tables |= named(f"tables/{name}", table)
    store_tables(folder, tables)
    return folder


def hostile_run() -> Run:
    """Every name that can come from the data or the experiment tries to be more than a name."""
    checks = CHECK_ROWS.assign(check=[*HOSTILE, "x"], consequence=[*HOSTILE[::-1], "y"], note=[*HOSTILE, "1"])
    names = {"title": "".join(HOSTILE), "dataset": HOSTILE[1], "commands": list(HOSTILE), "commit": HOSTILE[0]}
    ids = [f"{HOSTILE[i % 5]}{i}" for i in range(50)]
    entries = {"pareto": HOSTILE[4], "bg": HOSTILE[0], "last": HOSTILE[1]}
    run = fake_run(50, 100, ids=ids, groups=list(HOSTILE), checks=checks, entries=entries, **names)
    told = fake_kpis(50, list(HOSTILE), np.random.default_rng(1), campaigns=(HOSTILE[0], HOSTILE[4]))
    run = replace(run, kpis=told)
    return replace(run, account=run.account.assign(reason=list(HOSTILE), where=list(HOSTILE[::-1])))


RUNS: dict[str, Callable[[], Run]] = {
    "full": fake_run,
    "small": lambda: fake_run(50, 100),
    "public": lambda: fake_run(200, 100, public=True),
    "effects": lambda: fake_run(
        2000, 100, seed=8, groups=[f"Sales region number {n} in the north-west of the country" for n in range(40)]
    ),
    "company": lambda: with_company(fake_run()),
    "company-small": lambda: with_company(fake_run(50, 100)),
    "company-public": lambda: with_company(fake_run(200, 100, public=True)),
    "company-hostile": lambda: with_company(hostile_run()),
    "groups": lambda: fake_run(400, 100, seed=7, groups=[f"Region number {n}" for n in range(20)]),
    "no-value": lambda: fake_run(200, 100, value=False),
    "no-holdout": lambda: fake_run(200, 100, holdout=False),
    "bare": lambda: fake_run(200, 100, value=False, holdout=False),
    "hostile": hostile_run,
}


def reported(name: str) -> Path:
    """The results folder of one of `RUNS` with its report, made once for all tests; not to be changed."""
    return made_once(f"report-{name}", lambda folder: write_report(store(RUNS[name](), folder)))

"""What a fake run of a whole company has beside that of one table: parts of value, cost models, several sources."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from fakes.rolling import fake_learned, fake_rolling

from clvmodels.decisions.leaving import Leaving
from clvmodels.decisions.losses import losses
from clvmodels.decisions.payback import Payback
from clvmodels.decisions.rank import rank
from clvmodels.draws import QUANTILES
from clvmodels.inference.effects import Effect
from clvmodels.inference.terms import make_terms
from clvmodels.models.parameters import Meaning, Parameter
from clvmodels.models.prior import Prior
from clvmodels.results.folder import Run
from clvmodels.sources.consolidation import Company
from clvmodels.valuation.valuation import KINDS, Discounted, Values

SHARES = {
    "gross margin": 1.0,
    "returns": -0.14,
    "fulfilment": -0.11,
    "service": -0.06,
    "payments": -0.04,
    "retention": -0.02,
    "referrals": 0.03,
}
"""The parts of a whole company's value, as shares of the gross margin."""


def in_parts(whole: Values, rng: np.random.Generator) -> Values:
    """The value as the sum of parts, each with luck of its own."""
    shape = whole.expected.shape
    noise = {name: np.exp(0.1 * rng.normal(size=(shape[0], 1))) for name in SHARES}
    gross = {kind: np.abs(getattr(whole, kind)) for kind in KINDS}
    parts = {
        name: Discounted(*((share * noise[name] * gross[kind]).astype(np.float32) for kind in KINDS))
        for name, share in SHARES.items()
    }
    sums = {kind: sum(getattr(part, kind).astype(float) for part in parts.values()) for kind in KINDS}
    return replace(whole, **{kind: draws.astype(np.float32) for kind, draws in sums.items()}, parts=parts)


def cost_posterior(rng: np.random.Generator, role: str, groups: list[str], draws: int) -> SimpleNamespace:
    """A stand-in for a fitted cost model: its parameter mu and its quantity are called as those of the others."""
    prior_of = Prior("LogNormal", {"mu": -1.2, "sigma": 1.5})
    parameters = (Parameter("mu", role, "none", prior_of, 1, role, f"{role} a purchase: mean between customers"),)
    meanings = (
        Meaning(f"mean {role}", "per purchase", lambda theta: theta["mu"]),
        Meaning("spread of rates between customers (sd / mean)", "", lambda theta: theta["mu"] ** 0.5),
    )
    normal = lambda *shape: rng.normal(size=(4, draws // 4, *shape))  # noqa: E731
    centre = np.linspace(-0.2, 0.3, len(groups))
    data = {"mu": (("chain", "draw"), 0.2 * np.exp(0.05 * normal()))}
    data["mu_by_channel"] = (("chain", "draw", "channel"), centre + 0.05 * normal(len(groups)))
    data["mu_by_channel_sd"] = (("chain", "draw"), 0.2 * np.exp(0.2 * normal()))
    dataset = xr.Dataset(data, coords={"channel": groups})
    effects = [Effect(role, ("mu",), "channel")]
    return SimpleNamespace(
        model=SimpleNamespace(
            name=f"gamma_poisson_{role}",
            title=f"Gamma-Poisson {role}",
            parameters=parameters,
            reference="Greenwood & Yule (1920)",
            meanings=meanings,
            handles=(),
        ),
        priors={"mu": prior_of},
        amount_unit=1.0,
        scales={},
        effects=effects,
        time_unit="week",
        attempts=[],
        stacked=lambda name: dataset[name].to_numpy().reshape(-1, *dataset[name].shape[2:]),
        data=xr.DataTree.from_dict({"/posterior": dataset}),
        prior_draws={"mu": 0.3 * np.exp(rng.normal(size=2000))},
        terms=make_terms(effects, {"channel": groups}),
    )


SOURCES = {"customers": "crm.sqlite, customers", "orders": "orders.csv", "service": "service.csv"}
ACCOUNT_OF_SEVERAL = pd.DataFrame(
    [
        ("customers", 1, "rows read", 3_010, "read"),
        ("customers", 2, "key is in no identity table", 10, "orphaned"),
        ("customers", 3, "rows used", 3_000, "used"),
        ("orders", 1, "rows read", 31_842, "read"),
        ("orders", 2, "no customer id", 214, "dropped"),
        ("orders", 3, "exact duplicates", 391, "dropped"),
        ("orders", 4, "rows used", 31_237, "used"),
        ("service", 1, "rows read", 1_510, "read"),
        ("service", 2, "key is in no identity table", 29, "orphaned"),
        ("service", 3, "key belongs to several customers", 2, "dropped"),
        ("service", 4, "kind was empty, taken as contact", 48, "changed"),
        ("service", 5, "rows used", 1_479, "used"),
    ],
    columns=["source", "step", "reason", "rows", "kind"],
)
ACCOUNT_OF_SEVERAL.insert(3, "where", ACCOUNT_OF_SEVERAL["source"].map(SOURCES))


def company() -> Company:
    """What figures read of a company of three tables; nothing else of it is there."""
    origins = [
        ("customer_id", "customers", "crm_id", "attributes"),
        ("channel", "customers", "channel", "attributes"),
        ("customer_id", "orders", "account", "orders"),
        ("date", "orders", "ordered_at", "orders"),
        ("amount", "orders", "paid", "orders"),
        ("customer_id", "service", "e_mail", "contacts"),
        ("kind", "service", "topic", "contacts"),
    ]
    conflicts = pd.DataFrame(
        {
            "what": ["key of several customers"] * 2,
            "system": "card",
            "key": ["1", "2"],
            "values": "a, b",
            "where": "crm.sqlite",
            "lines": "1, 2",
        }
    )
    merged = pd.DataFrame({"customer_id": ["a"], "merged": ["b"], "where": ["crm.sqlite"], "line": [7]})
    nothing: Any = None
    return Company(
        nothing,
        nothing,
        pd.DataFrame(),
        pd.DataFrame(),
        pd.DataFrame(origins, columns=["column", "source", "own_column", "role"]),
        ACCOUNT_OF_SEVERAL,
        nothing,
        conflicts,
        merged,
        (),
    )


def paybacks(groups: list[str]) -> Payback:
    """What channels cost and bring: the second pays late, the third beyond the horizon, the last is small."""
    rows = []
    for place, name in enumerate(groups[:-1]):
        q = {0: (0.5, 0.8, 1.1, 1.6, 2.4), 1: (6.0, 8.0, 10.5, np.inf, np.inf), 2: (11.0, *[np.inf] * 4)}
        months = q.get(place % 4, (2.0, 2.6, 3.1, 3.9, 5.2))
        most = (40.0, 27.0, 22.0, 31.0)[place % 4]
        rows.append(
            {"channel": name, "customers": 900 - place, "cost": (12.0, 30.0, 30.0, 12.0)[place % 4]}
            | {"cohort": 400 - place, "made": (44.0, 33.0, 25.0, 36.0)[place % 4]}
            | dict(zip(QUANTILES, months, strict=True))
            | {"rule": 11.96, "odds": (0.999, 0.62, 0.06, 0.97)[place % 4]}
            | {f"most_{n}": most + 3 * k for k, n in enumerate(QUANTILES)}
            | {"horizon": 11.96}
        )
    small = pd.DataFrame([{"channels": 1, "customers": 12, "cost": 30.0}])
    return Payback(pd.DataFrame(rows), small, pd.DataFrame({"part": [], "write": []}, dtype="str"))


def may_leave(worth: Values, rng: np.random.Generator) -> Leaving:
    """Who may leave: half of those who are there now will be gone, each with odds of its own."""
    count = len(worth.customer_id)
    now, mean = rng.beta(0.8, 0.5, count), worth.worth.mean(axis=0)
    stays = now * rng.uniform(0.5, 1.0, count)
    silence = rng.gamma(1.0, 15.0, count)
    columns = {
        "silence": silence,
        "silence_odds": np.exp(-silence / 12),
        "p_alive": now,
        "p_alive_then": stays,
        "odds_of_leaving": 1 - stays,
        "p_purchase": now * 0.8,
        "next_q5": 1.0,
        "next_q50": 8.0,
        "next_q95": 30.0,
        "worth": mean,
        "value_at_risk": mean.clip(0.0) * (1 - stays),
    }
    table = pd.DataFrame(columns, index=pd.Index(worth.customer_id, name="customer_id"))
    return Leaving(13.0, table.sort_values("value_at_risk", ascending=False))


def so_far(revenue: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    """What each customer brought: parts as in the value to come, and what winning the customer cost."""
    gross = 0.3 * revenue
    parts = {name: share * gross for name, share in SHARES.items() if name != "referrals"}
    parts["service"] = -rng.gamma(0.4, 12.0, len(revenue))
    parts["acquisition"] = -rng.choice([0.0, 12.0, 30.0], len(revenue))
    table = pd.DataFrame(parts, index=revenue.index)
    return table.assign(revenue=revenue, purchases=1.0, profit=table.sum(axis=1))


def with_company(run: Run, seed: int = 3) -> Run:
    """The run of a whole company: three tables, cost models, parts of value, channels that cost something."""
    rng = np.random.default_rng(seed)
    groups = sorted(run.value_split.customers.table["channel"].unique())
    worth = in_parts(run.valued.values, rng)
    draws = len(worth.expected)
    costs = {role: cost_posterior(rng, role, groups, draws) for role in ("contacts", "referrals")}
    changed = {"values": worth, "ranking": rank(worth, top_share=0.2), "posteriors": run.valued.posteriors | costs}
    valued = replace(run.valued, **changed)
    known = run.value_split.customers.table.assign(complaint_rate=0.1)
    revenue = known["monetary_value"] * known["frequency"] + rng.gamma(6, 8, len(known))
    made = so_far(revenue, rng)
    learned = fake_learned()
    valued = replace(valued, learned=learned)
    of_forecast = replace(run.entries[run.recommended], learned=learned)
    return replace(
        run,
        entries={**run.entries, run.recommended: of_forecast},
        about=replace(run.about, margin=None, parts=list(SHARES)),
        account=ACCOUNT_OF_SEVERAL,
        valued=valued,
        company=company(),
        consolidated=known,
        payback=paybacks(groups),
        made=made,
        losses=losses(made, worth),
        leaving=may_leave(worth, rng),
        rolling=fake_rolling(),
    )

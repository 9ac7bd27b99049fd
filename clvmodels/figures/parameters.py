"""The models' parameters one by one: meaning, prior as stated, posterior, source. Folded: their meanings come first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clvmodels import words
from clvmodels.figures.figure import Figure, Numbers, Words

if TYPE_CHECKING:
    from clvmodels.models.contract import Parameter
    from clvmodels.posterior import Posterior
    from clvmodels.results import About, Run


def table(run: Run) -> pd.DataFrame | None:
    """A row a population parameter of each part of the entry that is valued."""
    rows = []
    for posterior in run.valued.posteriors.values():
        for parameter in posterior.model.parameters:
            draws = posterior.data["posterior"][parameter.name].values.reshape(-1)
            q5, q50, q95 = (float(q) for q in pd.Series(draws).quantile([0.05, 0.5, 0.95]))
            row: dict[str, object] = {
                "model": posterior.model.title,
                "source": posterior.model.reference,
                "parameter": parameter.name,
            }
            row |= {"meaning": parameter.meaning, "prior": stated(posterior, parameter), "draws": len(draws)}
            rows.append(row | {"q5": q5, "q50": q50, "q95": q95})
    return pd.DataFrame(rows) if rows else None


def stated(posterior: Posterior, parameter: Parameter) -> str:
    """The prior as it was stated: `LogNormal(mu 1.10, sigma 1.50), in weeks`."""
    prior = posterior.priors[parameter.name]
    arguments = ", ".join(f"{name} {value:.3g}" for name, value in prior.args.items())
    unit = {"time": f", in {prior.time_unit}s", "1/time": f", per {prior.time_unit}", "money": ", in the currency"}
    shifted = f", of the excess over {parameter.lower:g}" if parameter.lower else ""
    return f"{prior.dist}({arguments}){unit.get(parameter.unit, '')}{shifted}"


def heading(table: pd.DataFrame, about: About) -> str:
    return "Parameters, priors and sources"


def describe(table: pd.DataFrame, about: About) -> Words:
    sources = table[["model", "source"]].drop_duplicates()
    named = "; ".join(f"{row.model}: {row.source}" for row in sources.itertuples(index=False))
    return Words("", f"Times in {about.time_unit}s. Sources: {named}.", "")


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    rows = []
    for _, row in table.iterrows():
        step = words.width_step(row.q5, row.q95)
        interval = words.span(row.q5, row.q95) if row.draws > 1 else "maximum of the likelihood"
        rows.append((f"{row.model}: {row.parameter}", row.meaning, row.prior, words.number(row.q50, step), interval))
    return Numbers(("Parameter", "Meaning", "Prior", "Middle", "90% interval"), rows)


FIGURE = Figure(
    "parameters", "the parameters one by one, with prior and source", "model", "folded",
    heading, table, describe, None, numbers,
)  # fmt: skip

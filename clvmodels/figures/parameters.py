"""The models' parameters one by one: meaning, prior as stated, posterior, source. Folded: their meanings come first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.figures.figure import Figure, Numbers, Words

if TYPE_CHECKING:
    from clvmodels.inference.posterior import Posterior
    from clvmodels.inference.terms import Term
    from clvmodels.models.parameters import Parameter
    from clvmodels.models.prior import Prior
    from clvmodels.results.folder import About, Run


def table(run: Run) -> pd.DataFrame | None:
    """A row a population parameter of each part of the entry that is valued, with what its effects add."""
    rows = []
    for posterior in run.valued.posteriors.values():
        for parameter in posterior.model.parameters:
            prior, draws = stated(posterior, parameter), posterior.stacked(parameter.name)
            rows.append(_row(posterior, parameter.name, parameter.meaning, prior, draws))
        for term in posterior.terms:
            rows += [_row(posterior, *coefficient) for coefficient in _of_effect(posterior, term)]
    return pd.DataFrame(rows) if rows else None


def _row(posterior: Posterior, name: str, meaning: str, prior: str, draws: np.ndarray) -> dict[str, object]:
    model = posterior.model
    row = {"model": model.title, "source": model.reference, "parameter": name, "meaning": meaning}
    row |= {"prior": prior, "draws": len(draws)}
    q5, q50, q95 = np.quantile(draws, [0.05, 0.5, 0.95]).tolist()
    return row | {"q5": q5, "q50": q50, "q95": q95}


def _of_effect(posterior: Posterior, term: Term) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """The between-group sd, or each covariate's coefficients; a group's own stand in the figure of groups."""
    from clvmodels.inference.effects import raises  # here: a report of a stored folder needs no models

    raised = f"positive: more {raises(posterior.model, term.effect)}"
    pooled = term.effect.group is not None
    prior = distribution(term.effect.sd_prior if pooled else term.effect.coefficient_prior)
    words_of = {
        "per sd": "effect of one sd more",
        "per unit": "effect of one more",
        "missing": "effect of being missing",
    }
    for kind, label, draws in term.coefficients(posterior.stacked, posterior.scales):
        if kind == "sd between groups":
            yield f"{term.name}_sd", "sd between groups, of the logarithm", prior, draws
        elif kind != "group":
            name = f"{' and '.join(term.effect.parameters)} by {label}"
            yield name, f"{words_of[kind]}; {raised}", prior if kind != "per unit" else "as of one sd", draws


def stated(posterior: Posterior, parameter: Parameter) -> str:
    """The prior as it was stated: `LogNormal(mu 1.10, sigma 1.50), in weeks`."""
    prior = posterior.priors[parameter.name]
    units = {"time": f", in {prior.time_unit}s", "1/time": f", per {prior.time_unit}", "money": ", in the currency"}
    text = distribution(prior) + units.get(parameter.unit, "")
    if np.isfinite(parameter.lower) and parameter.lower:
        text += f", of the excess over {parameter.lower:g}"
    return text


def distribution(prior: Prior) -> str:
    """`LogNormal(mu 1.10, sigma 1.50)`."""
    arguments = [f"{name} {value:.3g}" for name, value in prior.args.items()]
    return f"{prior.dist}({', '.join(arguments)})"


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
    "parameters",
    "the parameters one by one, with prior and source",
    "model",
    "folded",
    heading,
    table,
    describe,
    None,
    numbers,
)

"""New customers as the models see them: rows without a history, of stated groups, average in their covariates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from clvmodels.errors import ConfigError, Problem, unknown
from clvmodels.inference.effects import columns_of
from clvmodels.inference.posterior import Posterior


def newcomer_table(posteriors: Mapping[str, Posterior], size: int, group: Mapping[str, str]) -> pd.DataFrame:
    """`size` rows whose statistics are all 0, with the labels of the groups that effects read; a group that is not
    stated is one that no fit has seen, whose coefficient is a fresh draw.

    Raises
    ------
    ConfigError
        A label that no fit has seen; a model on a calendar, to which a customer without a birth date means nothing.
    """
    problems: list[Problem] = []
    columns: dict[str, Any] = {}
    for role, posterior in posteriors.items():
        model = posterior.model
        if model.traits:
            what = "new customers are not simulated on a calendar"
            problems.append(Problem(what, f"{role} posterior", model.title))
        columns |= {name: 0.0 for name in model.observes if name not in model.traits}
    columns |= {"T": 0.0, "recency": 0.0}  # read by the value whatever the models observe
    if "status" in columns:
        columns["status"] = "unknown"
    for posterior in posteriors.values():
        groups, covariates = columns_of(posterior.effects)
        for name in groups:
            if name in group and group[name] not in posterior.groups[name]:
                problems.append(unknown(f"label of {name}", group[name], posterior.groups[name]))
            columns[name] = group.get(name, NEW_GROUP)
        columns |= {name: posterior.scales[name].mean for name in covariates}
    if problems:
        raise ConfigError(problems)
    labels = pd.Index([f"new customer {k}" for k in range(size)], name="customer_id")
    return pd.DataFrame(columns, index=labels)


NEW_GROUP = "(new)"
"""A label that no fit has seen: its coefficient is a fresh draw."""

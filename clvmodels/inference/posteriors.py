"""The posteriors that together tell what customers will bring, each of the kind of model that it must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from clvmodels.errors import ConfigError, Problem
from clvmodels.inference.posterior import Posterior
from clvmodels.models import Cost, PurchaseModel, SpendModel, in_order


@dataclass(frozen=True)
class Posteriors:
    """Of purchases, of spend, and of the costs by name, in the order of their registry."""

    purchases: Posterior[PurchaseModel]
    spend: Posterior[SpendModel]
    costs: Mapping[str, Posterior[Cost]]

    @classmethod
    def of(cls, posteriors: Posteriors | Mapping[str, Posterior]) -> Posteriors:
        """From a dict: "purchases", "spend", and of the costs those that there are, by name.

        Raises
        ------
        ConfigError
            No posterior of purchases or of spend, or one of a model that tells nothing of what it is given as.
        """
        if isinstance(posteriors, Posteriors):
            return posteriors
        problems = [
            Problem(f"no posterior of {name}", "posteriors")
            for name in ("purchases", "spend")
            if name not in posteriors
        ]
        problems += [
            Problem(f"{p.model.title} tells nothing of {name}", f"{name} posterior", ", ".join(p.model.provides))
            for name, p in posteriors.items()
            if name not in p.model.provides
        ]
        if problems:
            raise ConfigError(problems)
        by_name = cast(dict[str, Posterior[Any]], dict(posteriors))
        return cls(by_name.pop("purchases"), by_name.pop("spend"), in_order(by_name))

    def by_name(self) -> dict[str, Posterior]:
        return {"purchases": self.purchases, "spend": self.spend, **self.costs}

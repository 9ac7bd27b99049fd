"""How long a purchase is watched for what comes back: for Python, and for the `window` of an experiment's costs."""

from __future__ import annotations

import functools
from dataclasses import asdict, make_dataclass
from typing import Annotated, Any

from pydantic import Field

from clvmodels.strict import strict

LONGEST = 3660
"""Days: ten years."""
Days = Annotated[int, Field(ge=1, le=LONGEST, description="A whole number of days")]


class Windows:
    """How long a purchase is watched for each cost, in days: a younger one tells nothing yet.

    Parameters
    ----------
    stated
        By cost; of the others their own, 30 for returns and 90 for bad debt. What a company's tables say of returns
        is `purchases.usual_windows`.

    Raises
    ------
    ConfigError
        Less than a day, or more than ten years; a cost that watches no purchase.
    """

    def __init__(self, **stated: int):
        from clvmodels.models import known_costs  # here: to read an experiment takes no models

        usual = tuple((name, cost.window) for name, cost in known_costs().items() if cost.window is not None)
        self.days: dict[str, int] = asdict(_checked_class(usual)(**stated))

    def __repr__(self) -> str:
        return f"Windows({', '.join(f'{name}={days}' for name, days in self.days.items())})"


@functools.cache
def _checked_class(usual: tuple[tuple[str, int], ...]) -> Any:
    """A strict class with a field a cost, so that days are refused in the words of the experiment file."""
    return strict(make_dataclass("Windows", [(name, Days, days) for name, days in usual], frozen=True))

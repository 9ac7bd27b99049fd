"""How long a purchase is watched for what comes back: for Python, and for the `window` of an experiment's costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from clvmodels.strict import strict

Days = Annotated[int, Field(ge=1, le=3660, description="A whole number of days")]


@strict
@dataclass(frozen=True)
class Windows:
    """How long a purchase is watched, in days, by role of a cost model: a younger one tells nothing yet.

    Raises
    ------
    ConfigError
        Less than a day, or more than ten years.
    """

    returns: Days = 30
    bad_debt: Days = 90

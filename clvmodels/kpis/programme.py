"""What a programme is, for Python and for an experiment's `kpis`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from clvmodels.strict import Text, strict


@strict
@dataclass(frozen=True)
class Programme:
    """A campaign whose customers chance dealt to treatment and control, and for how many weeks after the assignment
    its outcome counts.

    Raises
    ------
    ConfigError
        No name, or a number of weeks that is not above 0 and at most 520 (ten years).
    """

    campaign: Text
    weeks: Annotated[float, Field(gt=0, le=520)]

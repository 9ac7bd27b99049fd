"""What was tried before a posterior, and why it was not taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Attempt(NamedTuple):
    """A method that was refused."""

    method: str
    reason: str


class OtherK(NamedTuple):
    """Another regularity of buyers: its elpd less that of the chosen k, with its standard error."""

    method: str
    reason: str
    k: int
    difference: float
    se: float


def from_mapping(mapping: Mapping[str, Any]) -> Attempt | OtherK:
    """As `_asdict` of either gave it."""
    return OtherK(**mapping) if "k" in mapping else Attempt(**mapping)

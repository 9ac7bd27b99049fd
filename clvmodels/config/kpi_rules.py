"""What the keys of an experiment's kpis say together with its data, sources and economics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clvmodels.config.document import as_mapping
from clvmodels.config.finding import as_list, at, known_source
from clvmodels.errors import Problem, unknown

ALWAYS = ("all", "cohort")
"""What the customers are divided by without being asked."""


def kpi_problems(raw: Mapping[str, Any], groups: Sequence[str] | None) -> Iterator[Problem]:
    """Every problem that the keys of kpis have; `groups` are the columns that customers may be divided by."""
    section = as_mapping(raw.get("kpis"))
    yield from _by(section, groups)
    yield from _dates(raw, section)
    yield from _programmes(raw, section)


def _by(section: Mapping[str, Any], groups: Sequence[str] | None) -> Iterator[Problem]:
    names = as_list(section.get("by"))
    for place, name in enumerate(names):
        path = ("kpis", "by", place)
        if name in names[:place]:
            yield at(path, Problem(f"'{name}' is listed twice"))
        elif name in ALWAYS:
            yield at(path, Problem(f"'{name}' is always told", known="Remove it"))
        elif isinstance(name, str) and groups is not None and name not in groups:
            yield at(path, unknown("group", name, dict.fromkeys(groups)))


def _dates(raw: Mapping[str, Any], section: Mapping[str, Any]) -> Iterator[Problem]:
    """Values at dates need economics, and days at which customers can be told."""
    dates = section.get("dates")
    if dates and raw.get("economics") is None:
        message = "What the base is worth at dates needs economics"
        yield at(("kpis", "dates"), Problem(message, known="Add economics, or write dates: 0"), key=True)
    if dates and as_mapping(raw.get("data")).get("time") == "opportunities":
        message = "Where time counts opportunities, the ends of quarters may cut one in two"
        yield at(("kpis", "dates"), Problem(message, known="Write dates: 0"), key=True)


def _programmes(raw: Mapping[str, Any], section: Mapping[str, Any]) -> Iterator[Problem]:
    programmes = as_list(section.get("programmes"))
    if not programmes:
        return
    if raw.get("economics") is None:
        message = "What a programme earned needs economics"
        yield at(("kpis", "programmes"), Problem(message, known="Add economics, or remove programmes"), key=True)
    if not _has_role(raw, "campaigns"):
        message = "No source has the role campaigns, which tells whom a programme reached"
        yield at(("kpis", "programmes"), Problem(message, known="Add one, or remove programmes"), key=True)
    for place, programme in enumerate(programmes):
        if programme in programmes[:place]:
            message = f"The programme '{as_mapping(programme).get('campaign')}' is listed twice"
            yield at(("kpis", "programmes", place), Problem(message))


def _has_role(raw: Mapping[str, Any], role: str) -> bool:
    """Whether a source tells of it; where the data are not known, that is another rule's."""
    if not known_source(as_mapping(raw.get("data"))):
        return True
    sources = as_mapping(raw.get("sources")).values()
    return any(as_mapping(source).get("role") == role for source in sources)

"""What an experiment may leave out, filled in before it is checked: from its data set and from the registries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clvmodels import datasets, figures, metrics
from clvmodels.config.document import as_mapping
from clvmodels.config.finding import as_text
from clvmodels.dates import DAYS_PER_UNIT

REQUIRED_OF_EFFECTS = ("parameters",)
LEFT_OUT_OF_EFFECTS: dict[str, Any] = {
    "group": None,
    "sd_prior": None,
    "covariates": [],
    "coefficient_prior": None,
    "missing": None,
}
"""Keys of an effect in the order in which a dump writes them, its part last: stored runs know their experiment by the
hash of its dump."""


def with_defaults(value: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with what its registries know filled in: a data set's own split, all metrics and figures."""
    raw = {"metrics": list(metrics.METRICS), "figures": list(figures.FIGURES), **value}
    if isinstance(raw.get("economics"), dict):
        raw["economics"] = {"margin": None, **raw["economics"]}  # which Python asks for, and a cost model may tell
    for key in ("models", "costs"):
        sections = raw.get(key)
        if isinstance(sections, dict):
            raw[key] = {name: _with_effects(section) for name, section in sections.items()}
    data = as_mapping(raw.get("data"))
    if "keep" in data and "where" not in data:  # another word for it
        data = {("where" if key == "keep" else key): item for key, item in data.items()}
        raw["data"] = data
    name = as_text(data.get("dataset"))
    if data.get("transactions") is not None:
        raw["data"] = {"policies": {}, **data}
    elif name in datasets.DATASETS:
        dataset = datasets.DATASETS[name]
        raw["data"] = _with_dataset(data, dataset.defaults)
        if dataset.tables:
            raw.setdefault("sources", dataset.sources)
    return raw


def _with_effects(section: Any) -> Any:
    """A section whose effects have all their keys; what is no list of effects stays as it is."""
    if not isinstance(section, dict) or not isinstance(section.get("effects"), list):
        return section
    return {**section, "effects": [_with_all_keys(effect) for effect in section["effects"]]}


def _with_all_keys(effect: Any) -> Any:
    if not isinstance(effect, dict):
        return effect
    first = {key: effect[key] for key in REQUIRED_OF_EFFECTS if key in effect}
    optional = {key: effect.get(key, default) for key, default in LEFT_OUT_OF_EFFECTS.items()}
    return {**first, **optional, **effect}


def _with_dataset(data: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The data set's own time, currency and split where the file has no such key; one of null counts as stated."""
    filled = dict(data)
    for key in ("time", "time_unit", "currency", "calibration_end"):
        if key not in data and defaults.get(key) is not None:
            filled[key] = defaults[key]
    is_split = filled.get("calibration_end") is not None
    time_unit = data.get("time_unit", defaults["time_unit"])
    # a list: a unit that is no text may have no hash
    is_unit = time_unit in list(DAYS_PER_UNIT)
    if "holdout" not in data and defaults.get("holdout") is not None and is_split and is_unit:
        units = DAYS_PER_UNIT[defaults["time_unit"]] / DAYS_PER_UNIT[time_unit]
        filled["holdout"] = defaults["holdout"] * units
    return filled

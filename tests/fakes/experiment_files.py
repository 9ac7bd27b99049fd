"""Experiment files written for a test, and what is told of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from clvmodels.config.experiment import Experiment, load_experiment
from clvmodels.errors import ConfigError

MINIMAL = "title: t\ndata: {dataset: cdnow}\nmodels:\n  bg: {purchases: bg_nbd}\n"


def load(tmp_path: Path, text: str) -> Experiment:
    path = tmp_path / "e.yaml"
    path.write_text(text, encoding="utf-8")
    return load_experiment(path)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return [str(problem).replace(str(tmp_path / "e.yaml"), "e.yaml") for problem in caught.value.problems]

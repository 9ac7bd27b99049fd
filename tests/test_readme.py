"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from clvmodels.config import load_experiment

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def _block(language: str) -> str:
    (block,) = re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)
    return block


def test_the_python_example_runs_and_ranks_the_customers():
    code = _block("python").replace(".load()", ".load(n_customers=500)")  # the same, in less time
    assert "n_customers=500" in code
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    best = names["best"]
    assert len(best) == len(names["customers"])
    assert best["expected_mean"].is_monotonic_decreasing


def test_the_experiment_of_the_readme_is_sound(tmp_path):
    for name in ("orders.csv", "weeks.csv"):
        (tmp_path / name).touch()
    (tmp_path / "experiment.yaml").write_text(_block("yaml"), encoding="utf-8")
    assert list(load_experiment(tmp_path / "experiment.yaml").models) == ["bg_nbd", "by_channel", "in_season"]

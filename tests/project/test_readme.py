"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from clvmodels.config.experiment import load_experiment

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_python_example_runs_and_ranks_the_customers():
    code = _blocks("python")[0].replace(".load()", ".load(n_customers=500)")  # the same, in less time
    assert "n_customers=500" in code
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    best = names["best"]
    assert len(best) == len(names["customers"])
    assert best["expected_mean"].is_monotonic_decreasing


def test_the_experiment_of_the_readme_is_sound(tmp_path):
    for name in ("orders.csv", "weeks.csv"):
        (tmp_path / name).touch()
    (tmp_path / "experiment.yaml").write_text(_blocks("yaml")[0], encoding="utf-8")
    entries = load_experiment(tmp_path / "experiment.yaml").models
    assert list(entries) == ["mbg_nbd", "by_channel", "by_hand", "in_season"] and entries["by_channel"].by == "channel"


def test_the_sources_of_the_readme_are_sound(tmp_path):
    """With a title and an entry, which it leaves out."""
    for name in ("orders.csv", "crm.sqlite", "returns.xlsx"):
        (tmp_path / name).touch()
    sources = next(block for block in _blocks("yaml") if "\nsources:" in block)
    rest = "title: Profit\nmodels: {one: {purchases: pareto_nbd, spend: gamma_gamma}}\n"
    (tmp_path / "experiment.yaml").write_text(rest + sources, encoding="utf-8")
    found = load_experiment(tmp_path / "experiment.yaml")
    assert list(found.costs) == ["margin", "returns", "contacts", "handling"] and len(found.sources) == 5

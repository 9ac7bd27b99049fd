"""The command that measures speed: its parts on tiny tables, without the other libraries, and the table it wrote."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

FOLDER = Path(__file__).parents[2] / "experiments" / "benchmarks"
SPEC = importlib.util.spec_from_file_location("benchmarks", FOLDER / "run.py")
benchmarks = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = benchmarks
SPEC.loader.exec_module(benchmarks)
import child  # noqa: E402  (the command puts its folder on the path)
import inputs  # noqa: E402
import jobs  # noqa: E402
import ours  # noqa: E402
import peers  # noqa: E402
import surroundings  # noqa: E402
import table  # noqa: E402


@pytest.fixture
def scratch(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(inputs, "FOLDER", tmp_path / "inputs")
    return tmp_path


def job(**options) -> jobs.Job:
    return jobs.Job("imports", "a job", jobs.OURS, {"task": "command", **options}, timeout=30)


def rows_of(*numbers: tuple[str, float], status="done", code="now") -> pd.DataFrame:
    """Repeats of one job: who, seconds."""
    of_job = [("fits", "BG/NBD, sample", who, status, seconds, code) for who, seconds in numbers]
    rows = pd.DataFrame(of_job, columns=["group", "name", "who", "status", "seconds", "code"])
    return rows.assign(repeat=rows.groupby("who").cumcount() + 1)


def test_every_target_is_of_a_job_and_every_job_of_a_task():
    names = {(job.group, job.name, job.who) for job in jobs.JOBS}
    for target in jobs.TARGETS:
        assert (target.group, target.of, jobs.OURS) in names
        assert not target.against or (target.group, target.other or target.of, target.against) in names
    for job in jobs.JOBS:
        tasks = {"ours.py": ours.TASKS, "peers.py": peers.TASKS}
        assert job.script not in tasks or job.options["task"] in tasks[job.script]
        assert set(job.rehearsal) <= {*job.options, "draws", "method", "groups"}
    assert len(names) == len(jobs.JOBS)


@pytest.mark.parametrize("task", ["fit", "second_fit"])
def test_a_posterior_is_timed_and_tells_its_checks(scratch, task):
    options = {"model": "bg_nbd", "table": str(inputs.table("whole_days_300")), "draws": 200}
    clock = child.Clock()
    told = ours.TASKS[task](clock, **options, **({"method": "laplace"} if task == "fit" else {}))
    assert clock.seconds > 0 and clock.cpu_seconds >= 0
    assert told["method"] == "laplace" and told["passed"] and told["importance_ess"] >= 400


def test_sql_by_hand_gives_the_customers_that_summarize_gives(scratch):
    """What is compared is the same work."""
    from clvmodels.customers.summarize import summarize
    from clvmodels.sources.transactions import read_transactions

    file = str(inputs.table("transactions_20000"))
    split = summarize(read_transactions(file), calibration_end=ours.CALIBRATION_END, holdout=ours.HOLDOUT)
    by_hand = ours.by_hand(file).set_index("customer_id")
    for name, column in split.customers.table.items():
        pd.testing.assert_series_equal(by_hand[name].astype(column.dtype), column, rtol=1e-9, atol=1e-9)
    held = by_hand.rename(columns={"held_purchases": "purchases", "held_spend": "spend"})
    for name, column in split.holdout.table.items():
        pd.testing.assert_series_equal(held[name].astype(column.dtype), column, rtol=1e-9)


def test_simulated_customers_are_such_as_models_take(scratch):
    for name in ("whole_days_2000", "fractional_2000"):
        customers = ours._customers(str(inputs.table(name)), "pareto_nbd", ["forty"]).table
        assert len(customers) == 2000 and customers["forty"].nunique() == 40
        is_repeated = customers[["frequency", "recency", "T"]].duplicated()
        assert (is_repeated.mean() > 0.1) == (name == "whole_days_2000")


def test_a_measurement_has_a_process_of_its_own(scratch):
    result = benchmarks.measure(job(), {"task": "command", "argv": ["{python}", "-c", "print(1)"]})
    assert result["status"] == "done" and 0 < result["seconds"] < 20 and result["peak_mib"] > 1


def test_what_takes_too_long_is_ended_and_what_fails_is_told(scratch, capsys):
    slow = replace(job(), timeout=2.0)
    assert benchmarks.measure(slow, {"task": "command", "argv": ["sleep", "60"]}) == {
        "status": "stopped",
        "seconds": 2.0,
    }
    failed = benchmarks.measure(job(), {"task": "command", "argv": ["{python}", "-c", "raise SystemExit('no data')"]})
    assert failed == {"status": "failed", "seconds": None} and "no data" in capsys.readouterr().err


def test_a_command_that_was_stopped_goes_on_and_other_code_is_measured_again(tmp_path, monkeypatch):
    measured = []

    def measure(job, options):
        measured.append((job.name, job.who))
        return {"status": "done", "seconds": 1.0}

    monkeypatch.setattr(benchmarks, "measure", measure)
    monkeypatch.setattr(benchmarks, "warm_up", lambda job: None)
    versions = {"second": "now"}
    count = sum(job.repeats for job in jobs.JOBS if job.group == "second")
    rows = benchmarks.Rows(tmp_path / "rows.csv", versions.get)
    benchmarks.run_group("second", rows, is_quick=False)
    assert len(measured) == len(rows.table) == count
    stored = pd.read_csv(tmp_path / "rows.csv")
    stored[stored["repeat"] > 1].to_csv(tmp_path / "rows.csv", index=False)
    measured.clear()
    benchmarks.run_group("second", benchmarks.Rows(tmp_path / "rows.csv", versions.get), is_quick=False)
    assert len(measured) == 2, "the first repeats were lost"
    versions["second"] = "newer"
    benchmarks.run_group("second", benchmarks.Rows(tmp_path / "rows.csv", versions.get), is_quick=False)
    assert len(measured) == 2 + count
    assert set(pd.read_csv(tmp_path / "rows.csv")["code"]) == {"newer"}


def test_what_was_stopped_is_not_tried_again(tmp_path):
    rows = benchmarks.Rows(tmp_path / "rows.csv", lambda group: "now")
    first = jobs.JOBS[0]
    rows.add(first, 1, {"status": "stopped", "seconds": 900.0})
    assert rows.missing(first, 5) == [] and rows.missing(jobs.JOBS[1], 2) == [1, 2]


def test_a_ratio_is_of_medians_with_the_repeats_around_it():
    rows = rows_of((jobs.OURS, 1.0), (jobs.OURS, 2.0), (jobs.OURS, 4.0), *[(jobs.PYMC_MARKETING, 8.0)] * 3)
    rows = rows.assign(importance_ess=900.0, passed=True, cpu_seconds=1.0, import_seconds=3.0, peak_mib=400.0)
    verdict = table.verdicts(rows, lambda group: "now")
    assert (verdict[0].got, verdict[0].lowest, verdict[0].highest) == (0.25, 0.125, 0.5)
    assert [v.verdict for v in verdict[:4]] == ["met", "missed by a factor of 1.1", "met", "not measured"]
    page = table.page(rows, lambda group: "now", ["a machine"])
    assert "| BG/NBD, sample | clvmodels | 2 (1 to 4) |" in page and "- a machine" in page


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (rows_of((jobs.OURS, 9.0), (jobs.PYMC_MARKETING, 6.0)), "missed by a factor of 3"),
        (rows_of((jobs.OURS, 1.0), (jobs.PYMC_MARKETING, 6.0), code="older"), "met, by earlier code"),
        (rows_of((jobs.OURS, 900.0), (jobs.PYMC_MARKETING, 6.0), status="stopped"), "missed: stopped after 900 s"),
        (rows_of((jobs.OURS, 1.0)), "not measured"),
    ],
)
def test_a_verdict_says_what_was_got(rows, words):
    assert table.verdicts(rows, lambda group: "now")[0].verdict == words


def test_missing_libraries_are_an_error_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(surroundings, "PEERS_FOLDER", tmp_path / "environment")
    monkeypatch.setattr(surroundings, "PEERS_PINNED", tmp_path / "peers.txt")
    (tmp_path / "peers.txt").write_text("no-such-folder/of-wheels.whl\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(SystemExit, match="run this again"):
        surroundings.peers_python.__wrapped__()


def test_the_stored_table_is_of_the_stored_rows_and_says_which_are_of_earlier_code():
    path = benchmarks.FOLDER / "rows.csv"
    if not path.exists():
        pytest.skip("nothing is measured yet: make benchmark")
    about = json.loads((benchmarks.FOLDER / "about.json").read_text())
    page = table.page(pd.read_csv(path), benchmarks.code_version, about)
    stored = (benchmarks.FOLDER / "README.md").read_text()
    assert stored == page, "run `python experiments/benchmarks/run.py --table`, or `make benchmark`"

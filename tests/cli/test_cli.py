"""The command line: help without weight, errors without traceback, and the monthly job from a file to scores."""

from __future__ import annotations

import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fakes.command_line import invoke, runner

from clvmodels import __version__
from clvmodels.cli import app as cli
from clvmodels.cli.arguments import read_columns
from clvmodels.config.experiment import Experiment
from clvmodels.decisions.payback import Payback
from clvmodels.errors import ConfigError
from clvmodels.results.export import write_table

COMMANDS = ["demo", "run", "report", "fit", "score", "list"]


def test_help_is_short_has_an_example_and_imports_nothing_heavy():
    """In one process, command after command: whatever one of them imports stays."""
    heavy = ["pymc", "pytensor", "arviz", "duckdb", "ibis", "pandas", "numpy", "scipy", "matplotlib"]
    code = f"""
import sys
from clvmodels.cli.app import app
for command in {["", *COMMANDS]}:
    try:
        app(([command] if command else []) + ["--help"])
    except SystemExit as end:
        assert end.code in (0, None)
    print("heavy:", sorted(set({heavy}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    helps = done.stdout.split("heavy: []\n")
    assert len(helps) == len(COMMANDS) + 2 and helps[-1] == "", "something heavy was imported"
    for printed in helps[:-1]:
        assert "Example: clvmodels" in printed or "Begin with: clvmodels" in printed
        assert len(printed.splitlines()) < 60


def test_version():
    assert invoke("--version").out.strip() == f"clvmodels {__version__}"


@pytest.mark.parametrize(
    ("family", "member"), [("models", "bg_nbd"), ("datasets", "cdnow"), ("metrics", "crps"), ("figures", "tracking")]
)
def test_lists(family, member):
    done = invoke("list", family)
    assert done.status == 0
    assert member in done.out.split()


def test_an_unknown_family_is_told_with_the_nearest():
    done = invoke("list", "model")
    assert done.status == 2
    assert "did you mean 'models'?" in done.err
    assert "Traceback" not in done.err


def test_every_problem_of_an_experiment_is_printed_and_nothing_is_made(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("title: t\ndata: {dataset: cdnov}\nmodels:\n  x: {purchases: bgnbd}\n", encoding="utf-8")
    done = invoke("run", path, "--out", tmp_path / "results")
    assert done.status == 2
    assert "did you mean 'cdnow'?" in done.err and "did you mean 'bg_nbd'?" in done.err
    assert f"{path}:2:17" in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "results").exists()


def test_what_the_data_do_not_allow_is_told_with_the_line_of_the_key(tmp_path):
    (tmp_path / "orders.csv").write_text("cust,day,sales\na,2024-01-01,5\na,2024-03-01,5\n", encoding="utf-8")
    path = tmp_path / "mine.yaml"
    columns = "{customer_id: cust, date: day, amount: sale}"
    text = f"title: t\ndata:\n  transactions: orders.csv\n  columns: {columns}\n  groups: [chanel]\nmodels:\n"
    path.write_text(text + "  x: {purchases: mbg_nbd}\n", encoding="utf-8")
    unnamed = invoke("run", path, "--out", tmp_path)
    assert f"{path}:4:51: data.columns.amount: orders.csv: Unknown column 'sale'; did you mean 'sales'?" in unnamed.err
    assert f"{path}:5:12: data.groups[0]: orders.csv: Unknown column 'chanel'" in unnamed.err
    days = "calibration_end: 2024-02-01\n  holdout: 5\n"
    text = text.replace("sale}", "sales}").replace("groups: [chanel]\n", days)
    path.write_text(text + "  x: {purchases: mbg_nbd}\n", encoding="utf-8")
    late = invoke("run", path, "--out", tmp_path)
    assert f"{path}:6:12: data.holdout: would end on 2024-03-07, after the data; got 5.0" in late.err
    assert "say data_end, where they were exported later than the last purchase" in late.err
    unreadable = "title: t\ndata: {dataset: cdnow}\nmodels:\n  x: {purchases: mbgnbd}\n"
    path.write_text(unreadable, encoding="utf-8")
    assert invoke("run", path, "--out", tmp_path).err.count(str(path)) == 1  # told once, where the file is read


def test_a_long_error_is_not_wrapped_by_the_terminals_width(tmp_path):
    done = runner.invoke(cli.app, ["run", str(tmp_path / ("x" * 150 + ".yaml"))], env={"COLUMNS": "40"})
    assert len(done.stderr.strip().splitlines()) == 1


def _fake_run(monkeypatch, run):
    from clvmodels import report
    from clvmodels.runs import experiment

    monkeypatch.setattr(experiment, "run", run)
    monkeypatch.setattr(report, "write_report", lambda folder: folder / "report.html")


def test_run_passes_the_experiment_on_and_its_status_back(monkeypatch, tmp_path):
    calls = []

    def run(experiment, folder, *, config_dir, progress, fresh, command):
        progress("Fitting")
        assert command == f"clvmodels run {path}"
        calls.append((experiment, folder, config_dir, fresh))
        return SimpleNamespace(exit_status=len(calls) - 1, run=SimpleNamespace(payback=None, company=None))

    _fake_run(monkeypatch, run)
    path = tmp_path / "mine.yaml"
    path.write_text("title: t\ndata: {dataset: cdnow}\nmodels:\n  x: {purchases: bg_nbd}\n", encoding="utf-8")
    first = invoke("run", path, "--out", tmp_path / "results")
    assert first.status == 0
    assert str(tmp_path / "results" / "mine" / "report.html") in first.out
    assert "Fitting: 0 s" in first.err
    second = invoke("run", path, "--fresh", "--out", tmp_path)
    assert second.status == 1
    assert "sampling check failed" in second.err
    assert [(folder, fresh) for _, folder, _, fresh in calls] == [
        (tmp_path / "results" / "mine", False),
        (tmp_path / "mine", True),
    ]
    assert calls[0][2] == tmp_path


@pytest.mark.parametrize("parts", [["lifetime", "spend"], []], ids=["withheld", "told"])
def test_run_says_that_payback_is_withheld_and_what_to_write(monkeypatch, tmp_path, parts):
    nothing, alike = pd.DataFrame(), pd.DataFrame({"part": parts, "write": "by: channel"})
    outcome = SimpleNamespace(
        exit_status=0, run=SimpleNamespace(payback=Payback(nothing, nothing, alike), company=None)
    )
    _fake_run(monkeypatch, lambda *_, **__: outcome)
    done = invoke("demo", "--customers", 200, "--out", tmp_path)
    said = "withheld: lifetime and spend take all channels as alike; write by: channel" in done.err
    assert said == bool(parts) and ("payback" in done.err) == bool(parts)


def test_run_says_what_is_suspicious_in_the_orders_and_what_settles_it(monkeypatch, tmp_path):
    orders = SimpleNamespace(doubts=("1 id is a word that may mean nobody: GAST. The policy empty: [GAST] ...",))
    run = SimpleNamespace(payback=None, company=SimpleNamespace(transactions=orders))
    _fake_run(monkeypatch, lambda *_, **__: SimpleNamespace(exit_status=0, run=run))
    assert f"Note: {orders.doubts[0]}" in invoke("demo", "--customers", 200, "--out", tmp_path).err


def test_an_interrupted_run_says_how_to_go_on(monkeypatch, tmp_path):
    def run(*_, **__):
        raise KeyboardInterrupt

    _fake_run(monkeypatch, run)
    done = invoke("demo", "--customers", 200, "--out", tmp_path)
    assert done.status == 130
    assert "goes on from there" in done.err


def test_the_demo_is_a_sound_experiment():
    experiment = Experiment.from_dict(cli.demo_experiment(500))
    assert experiment.data.customers == 500
    assert len(experiment.sources) == 12 and set(experiment.costs) == {"returns", "contacts"}
    assert experiment.economics is not None and experiment.economics.retention is not None


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    """A file of a user's own: other names, other dates, a group, ids that a spreadsheet would run."""
    from clvmodels.datasets.retailer import generate

    table = generate(400, 1).orders.dropna().query("amount > 0")
    table = table.assign(day=table["time"].dt.strftime("%d/%m/%Y"), cust="-" + table["customer_id"])
    path = tmp_path_factory.mktemp("orders") / "orders.csv"
    table[["cust", "day", "amount", "channel"]].to_csv(path, index=False)
    return path


OWN = ("--columns", "customer_id=cust,date=day", "--date-format", "%d/%m/%Y")
FIT = ("--time-unit", "week", "--end", "2025-06-30", "--method", "laplace", "--draws", 400)


@pytest.fixture(scope="module")
def posteriors(orders):
    files = {}
    for model in ("bg_nbd", "gamma_gamma"):
        files[model] = orders.parent / f"{model}.nc"
        done = invoke("fit", orders, "--model", model, "--out", files[model], *OWN, *FIT)
        assert done.status == 0, done.err
        assert files[model].exists()
    return files


def test_fit_then_score_gives_one_row_a_customer_harmless_in_a_spreadsheet(orders, posteriors, tmp_path):
    words = (
        "score",
        posteriors["bg_nbd"],
        orders,
        "--as-of",
        "2025-09-30",
        "--horizon",
        26,
        *OWN,
        "--spend-posterior",
        posteriors["gamma_gamma"],
        "--margin",
        0.3,
        "--annual-discount-rate",
        0.1,
    )
    for name in ("scores.csv", "scores.parquet"):
        done = invoke(*words, "--out", tmp_path / name)
        assert done.status == 0 and re.search(r"Scoring \d+ customers: \d+ s", done.err)
    few = invoke(*words, "--draws", 50, "--out", tmp_path / "few.parquet")
    assert few.status == 0
    text, exact = pd.read_csv(tmp_path / "scores.csv"), pd.read_parquet(tmp_path / "scores.parquet")
    ids = pd.read_csv(orders, dtype=str).assign(day=lambda t: pd.to_datetime(t["day"], format="%d/%m/%Y"))
    expected = sorted(ids.loc[ids["day"] <= "2025-09-30", "cust"].unique())
    assert exact.index.tolist() == expected
    assert text["customer_id"].tolist() == ["'" + label for label in expected]
    assert np.allclose(text["p_alive"], exact["p_alive"], equal_nan=True)
    of_few = pd.read_parquet(tmp_path / "few.parquet")["p_alive"]
    assert not of_few.equals(exact["p_alive"]) and np.allclose(of_few, exact["p_alive"], atol=0.1, equal_nan=True)
    assert exact["p_alive"].dropna().between(0, 1).all() and exact["p_alive"].notna().any()
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []


def test_an_rfm_table_scores_as_its_transactions_do(orders, posteriors, tmp_path):
    from clvmodels.cli.arguments import read_customers

    customers, _ = read_customers(
        orders,
        False,
        "week",
        time="continuous",
        end="2025-06-30",
        effects=[],
        reading={"data": {"columns": read_columns(OWN[1]), "date_format": OWN[3]}},
    )
    customers.table[["frequency", "recency", "T"]].reset_index().to_csv(tmp_path / "rfm.csv", index=False)
    words = ("score", posteriors["bg_nbd"], tmp_path / "rfm.csv", "--rfm", "--as-of", "2025-06-30", "--horizon", 26)
    done = invoke(*words, "--out", tmp_path / "a.parquet")
    assert done.status == 2
    assert "--time-unit" in done.err and "Is it week?" in done.err
    assert invoke(*words, "--time-unit", "day", "--out", tmp_path / "a.parquet").status == 2
    assert invoke(*words, "--time-unit", "week", "--out", tmp_path / "a.parquet").status == 0
    again = ("score", posteriors["bg_nbd"], orders, "--as-of", "2025-06-30", "--horizon", 26, *OWN)
    assert invoke(*again, "--out", tmp_path / "b.parquet").status == 0
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), pd.read_parquet(tmp_path / "b.parquet"))


def test_score_after_the_last_order_takes_t_at_the_day_and_asks_about_a_stale_file(orders, posteriors, tmp_path):
    words = ("score", posteriors["bg_nbd"], orders, "--as-of", "2026-06-30", "--horizon", 26, *OWN)
    done = invoke(*words, "--out", tmp_path / "late.parquet")
    assert done.status == 0
    assert "days before 2026-06-30: is it all?" in done.err
    invoke(*words[:4], "2025-12-31", *words[5:], "--out", tmp_path / "now.parquet")
    late, now = (pd.read_parquet(tmp_path / f"{name}.parquet")["p_alive"] for name in ("late", "now"))
    assert late.mean() < now.mean()


WRONG = {
    "format": (("--out", "scores.xlsx"), "Unknown format '.xlsx'"),
    "half of the economics": (("--margin", "0.3"), "--spend-posterior and --annual-discount-rate missing"),
    "horizon": (("--horizon", "0"), "--horizon"),
    "day": (("--as-of", "30.6.2025"), "Write days as 2024-06-30"),
    "columns": (("--columns", "customer_id:cust"), "Write meaning=column"),
}


@pytest.mark.parametrize(("more", "phrase"), WRONG.values(), ids=WRONG)
def test_words_that_cannot_be_meant(orders, posteriors, tmp_path, more, phrase):
    base = ("score", posteriors["bg_nbd"], orders, "--as-of", "2025-06-30", "--horizon", 26, *OWN)
    done = invoke(*base, "--out", tmp_path / "s.csv", *more)
    assert done.status == 2
    assert phrase in done.err
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []


def test_effects_of_the_command_line_name_a_parameter_of_the_model(orders, tmp_path):
    done = invoke("fit", orders, "--model", "bg_nbd", *FIT, "--effect", "alfa:channel", "--out", tmp_path / "p.nc")
    assert done.status == 2
    assert "parameters: r, alpha, a, b" in done.err
    done = invoke("fit", orders, "--model", "bgnbd", *FIT, "--out", tmp_path / "p.nc")
    assert done.status == 2
    assert "did you mean 'bg_nbd'?" in done.err


def test_columns_are_pairs():
    assert read_columns("customer_id=cust,date=order day") == {"customer_id": "cust", "date": "order day"}
    assert read_columns("") == {}
    for wrong in ("customer_id", "=cust", "customer_id="):
        with pytest.raises(ConfigError):
            read_columns(wrong)


def test_tables_leave_harmless_and_whole(tmp_path):
    labels = ["=1+1", "+49", "-17", "@x", "\tx", "\rx", "17", "a=b", ""]
    table = pd.DataFrame(
        {"n": range(len(labels)), "loss": -1.5, "=head": "ok"}, index=pd.Index(labels, name="customer_id")
    )
    write_table(table, tmp_path / "t.csv")
    write_table(table, tmp_path / "t.parquet")
    text = pd.read_csv(tmp_path / "t.csv", keep_default_na=False, dtype={"customer_id": str}, lineterminator="\n")
    assert text["customer_id"].tolist() == ["'=1+1", "'+49", "'-17", "'@x", "'\tx", "'\rx", "17", "a=b", ""]
    assert text["loss"].tolist() == [-1.5] * len(labels)
    assert "'=head" in text.columns
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), table)
    with pytest.raises(ConfigError):
        write_table(table, tmp_path / "t.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv", "t.parquet"]

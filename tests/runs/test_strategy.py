"""What a run says of the strategy: the base's value at dates without look ahead, its tables, its part of the file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes.companies import cut
from fakes.experiments import MAPPING, experiment, made_up

from clvmodels import datasets
from clvmodels.config.experiment import Experiment, dump
from clvmodels.errors import ConfigError, FitError, Problem
from clvmodels.inference import fitting
from clvmodels.report import write_report
from clvmodels.results.folder import EntryResult
from clvmodels.runs.backtests import LEAST_CUSTOMERS
from clvmodels.runs.context import Context
from clvmodels.runs.experiment import run
from clvmodels.runs.fits import fit_entry
from clvmodels.runs.inputs import customers_at
from clvmodels.runs.strategy import quarter_ends, strategy_tables
from clvmodels.runs.values import value_entry
from clvmodels.sources.consolidation import Company

SOURCES = datasets.DATASETS["retailer"].sources

KPIS = {"by": ["channel"], "dates": 3, "draws": 100}
LAST = pd.Timestamp("2025-12-28")


def of_data(model, customers, **options):
    """In place of `fitting.fit`: draws that depend on all the customers' data, so that other data give others."""
    made = made_up(model, customers, **options)
    level = 1 + 1e-3 * float(customers.table["frequency"].mean() + customers.table["T"].mean())
    tree = made.data.map_over_datasets(lambda data: data * level if data.data_vars else data)
    return dataclasses.replace(made, data=tree)


def context_of(folder: Path, **changes) -> Context:
    of = experiment(
        kpis={**KPIS, **changes.pop("kpis", {})},
        data={"dataset": "retailer", "customers": 260},
        sources=SOURCES,
        **changes,
    )
    return Context(of, folder, folder, "sha", lambda text: None, False)


def followed(context: Context, company: Company, day: pd.Timestamp):
    """As a run does, at this date of value."""
    split = customers_at(context.experiment, company, {}, day)
    entry = EntryResult("bg_nbd", "BG/NBD", fit_entry(context, "bg_nbd", split))
    return strategy_tables(context, company, value_entry(context, entry, split, split), split)


@pytest.fixture(scope="module")
def company() -> Company:
    return datasets.DATASETS["retailer"].load_company(n_customers=260)


def test_dates_are_ends_of_quarters_and_the_date_of_value():
    start, end = pd.Timestamp("2024-01-05"), pd.Timestamp("2025-02-10")
    days = [f"{day:%Y-%m-%d}" for day in quarter_ends(start, end, 3)]
    assert days == ["2024-09-30", "2024-12-31", "2025-02-10"]
    assert quarter_ends(start, end, 1) == [end]
    assert quarter_ends(start, end, 0) == []
    assert len(quarter_ends(start, end, 40)) == 5
    assert quarter_ends(start, pd.Timestamp("2024-12-31"), 2)[0] == pd.Timestamp("2024-09-30")


def test_values_at_dates_do_not_look_ahead(company, tmp_path, monkeypatch):
    """What the run said of a past date, a run of that day would have said; parameters and values."""
    monkeypatch.setattr(fitting, "fit", of_data)
    now = followed(context_of(tmp_path / "now", sampler={"draws": 100}), company, LAST).base_value
    day = pd.Timestamp("2025-06-30")
    then = context_of(tmp_path / "then", sampler={"draws": 100})
    past = followed(then, cut(company, f"{day:%Y-%m-%d}"), day).base_value
    assert list(now["date"].unique()) == ["2025-06-30", "2025-09-30", "2025-12-28"]
    numbers = ["date", "kind", "of", "customers", "repeat_purchases", "q5", "q25", "q50", "q75", "q95"]
    both = [table.loc[table["date"] == "2025-06-30", numbers].reset_index(drop=True) for table in (now, past)]
    pd.testing.assert_frame_equal(*both)
    assert len(both[0]) == 4


def test_totals_customers_and_dates_left_out(company, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "fit", of_data)
    found = followed(context_of(tmp_path, kpis={"dates": 8}), company, LAST)
    table = found.base_value
    told = table[table["kind"].notna()]
    total, each = (told[told["of"] == of].reset_index(drop=True) for of in ("total", "customer"))
    np.testing.assert_allclose(total["q50"] / total["customers"], each["q50"])
    levels = told[["q5", "q25", "q50", "q75", "q95"]].to_numpy()
    assert (np.diff(levels, axis=1) > 0).all()
    realised, expected = (total.loc[total["kind"] == kind] for kind in ("realised", "expected"))
    assert ((realised["q95"] - realised["q5"]).to_numpy() > (expected["q95"] - expected["q5"]).to_numpy()).all()
    out = table[table["kind"].isna()]
    assert len(out) and out["left_out"].str.contains(f"at least {LEAST_CUSTOMERS} are needed").all()
    moved = found.migration[found.migration["of"] == "expected value"]
    assert set(moved["to_period"]) == set(total["date"].unique()[1:])
    np.testing.assert_allclose(moved.groupby(["from_period", "from_group"])["share"].sum(), 1)
    sizes = moved[moved["to_period"] == "2025-12-28"].groupby("to_group")["customers"].sum()
    assert len(sizes) == 5 and sizes.max() - sizes.min() <= 1


def test_a_fit_that_fails_leaves_its_date_out(company, tmp_path, monkeypatch):
    def fails(model, customers, **options):
        if customers.observation_end == pd.Timestamp("2025-06-30"):
            raise FitError(Problem("no mode", "laplace"))
        made = of_data(model, customers, **options)
        return dataclasses.replace(made, checks=[made.checks[0]._replace(passed=customers.observation_end == LAST)])

    monkeypatch.setattr(fitting, "fit", fails)
    table = followed(context_of(tmp_path), company, LAST).base_value
    assert table.loc[table["date"] == "2025-06-30", "left_out"].to_list() == ["no mode"]
    (refusal,) = table.loc[table["date"] == "2025-09-30", "left_out"]
    assert "R-hat" in refusal
    allowed = followed(context_of(tmp_path, sampler={"allow_failed": ["R-hat"]}), company, LAST).base_value
    assert set(allowed.loc[allowed["date"] == "2025-09-30", "note"]) == {"failed: R-hat"}


def test_without_economics_only_what_can_be_counted(company, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "fit", made_up)
    context = context_of(tmp_path, kpis={"dates": None}, economics=None)
    split = customers_at(context.experiment, company, {}, LAST)
    found = strategy_tables(context, company, EntryResult("bg_nbd", "BG/NBD", {}), split)
    assert set(found.tables()) == {"kpis"}
    assert "profit" not in set(found.kpis["kpi"]) and "revenue" in set(found.kpis["kpi"])


@pytest.mark.slow
def test_a_run_stores_its_tables_and_resumes(tmp_path, monkeypatch):
    asked = []

    def counted(model, customers, **options):
        asked.append(f"{customers.observation_end:%Y-%m-%d}")
        return of_data(model, customers, **options)

    monkeypatch.setattr(fitting, "fit", counted)
    programmes = [{"campaign": "welcome-back voucher", "weeks": 4}, {"campaign": "VIP call", "weeks": 4}]
    of = experiment(
        kpis={**KPIS, "dates": 2, "programmes": programmes},
        data={"dataset": "retailer", "customers": 260},
        sources=SOURCES,
    )
    done = run(of, tmp_path / "one")
    page = write_report(done.folder).read_text(encoding="utf-8")
    assert asked.count("2025-09-30") == 2  # purchases and spend
    for name in ("kpis", "base_value", "programmes", "migration"):
        assert len(pd.read_csv(done.folder / f"{name}.csv")), name
    figures = {path.name.partition(".")[0] for path in (done.folder / "tables").iterdir()}
    assert {"kpi_trend", "kpi_base_value", "kpi_programmes"} <= figures
    assert "What the strategy does" in page and "Refused: no row tells an arm" in page
    table = pd.read_csv(done.folder / "kpis.csv")
    assert list(table.columns[:8]) == ["period", "by", "label", "kpi", "value", "lower", "upper", "n"]
    before = (done.folder / "base_value.csv").read_bytes()
    asked.clear()
    run(of, tmp_path / "one")
    assert asked == [] and (done.folder / "base_value.csv").read_bytes() == before
    run(of.model_copy(update={"kpis": None}), tmp_path / "one")
    assert not list((tmp_path / "one").glob("kpis.csv")) and not list((tmp_path / "one" / "tables").glob("kpi_*"))


# ---------------------------------------------------------------------------------------------- the section


def test_the_section_reads_back_as_it_was_written():
    import yaml

    of = experiment(kpis={"by": ["segment", "channel"], "period": "month"}, sources=SOURCES)
    assert Experiment.from_dict(yaml.safe_load(dump(of))) == of
    bare = experiment(kpis={}, economics=None)
    assert Experiment.from_dict(yaml.safe_load(dump(bare))) == bare


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"period": "week"}, "kpis.period: Must be 'month' or 'quarter'"),
        ({"by": ["chanel"]}, "Unknown group 'chanel'; did you mean 'channel'"),
        ({"by": ["cohort"]}, "'cohort' is always told"),
        ({"by": ["channel", "channel"]}, "'channel' is listed twice"),
        ({"value_groups": 1}, "kpis.value_groups"),
        ({"satisfaction": {"prior_answers": 0}}, "kpis.satisfaction.prior_answers"),
        ({"programmes": [{"campaign": "x"}]}, "kpis.programmes[0]"),
        ({"programmes": [{"campaign": "x", "weeks": 1}] * 2}, "The programme 'x' is listed twice"),
        ({"date": 4}, "Unknown key 'date'"),
    ],
)
def test_a_section_that_cannot_be_meant(section, expected):
    with pytest.raises(ConfigError) as caught:
        Experiment.from_dict({**MAPPING, "kpis": section})
    assert expected in str(caught.value)


def test_what_needs_economics_or_campaigns():
    section = {"dates": 2, "programmes": [{"campaign": "x", "weeks": 1}]}
    with pytest.raises(ConfigError) as caught:
        Experiment.from_dict({**MAPPING, "data": {"dataset": "cdnow"}, "economics": None, "kpis": section})
    for words in ("worth at dates needs economics", "programme earned needs economics", "role campaigns"):
        assert words in str(caught.value)
    donations = {"dataset": "donations"}
    models = {"bg_bb": {"purchases": "bg_bb"}}
    with pytest.raises(ConfigError, match="may cut one in two"):
        Experiment.from_dict({**MAPPING, "data": donations, "models": models, "economics": None, "kpis": {"dates": 1}})

"""Supplied calendars: read, joined to customers, modelled as others do it, in the future, run to a report."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
from contracts.cases import CASES, customers_of, posterior_of
from contracts.toys_calendar import CALENDAR_CASES
from fakes.reference import close

from clvmodels.config.experiment import Experiment
from clvmodels.customers.summarize import summarize
from clvmodels.datasets import DATASETS
from clvmodels.errors import ConfigError, DataError
from clvmodels.futures import forecast
from clvmodels.futures.histories import orders, simulate_amounts, simulate_purchases
from clvmodels.inference.fitting import fit
from clvmodels.inference.leave_one_out import loo
from clvmodels.inference.posterior import load
from clvmodels.inference.unique_rows import numbers
from clvmodels.models import MODELS, get_model
from clvmodels.models.evaluate import dert, log_prob
from clvmodels.report import write_report
from clvmodels.runs.experiment import run
from clvmodels.runs.inputs import read_calendars
from clvmodels.sources.calendars import holiday_weeks, read_calendar
from clvmodels.sources.transactions import read_transactions

ORDERS = pd.DataFrame(
    {
        "customer_id": ["a", "a", "a", "b", "b", "c"],
        "date": ["2024-01-01", "2024-01-07", "2024-01-08", "2024-01-03", "2024-02-10", "2024-01-20"],
        "amount": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    }
)


def weeks(start="2024-01-01", count=20, **columns) -> pd.DataFrame:
    return pd.DataFrame({"date": pd.date_range(start, periods=count, freq="7D"), **columns})


def weekly(**more):
    """An index of 1, 2, 1, 2, ... and a covariate that counts the weeks."""
    table = weeks(factor=np.tile([1.0, 2.0], 10), number=np.arange(20.0))
    return read_calendar(table, name="weeks", index="factor", covariates=["number"], **more)


def lengths(table, model, values):
    rows = {name: numbers(table, name)[None] for name in model.observes}
    return log_prob(model, rows, {p.name: np.array([[v]]) for p, v in zip(model.parameters, values, strict=True)})[0]


# what customers' tables hold of it


def test_purchases_are_read_in_the_week_of_their_day():
    table = summarize(read_transactions(ORDERS), calendars=[weekly()]).customers.table
    # a: Sunday of the first week and Monday of the second; b: the sixth week; c: none
    assert table["weeks.log_index"].tolist() == pytest.approx([np.log(2.0), np.log(2.0), 0.0])
    assert table["weeks.number"].tolist() == [1.0, 5.0, 0.0]
    first = (pd.Timestamp("2024-01-02") - pd.Timestamp("1970-01-01")).days / 7  # the end of the day
    assert table["birth"].tolist() == pytest.approx([first, first + 2 / 7, first + 19 / 7])
    assert "weeks.pattern" not in table


def test_the_calibration_alone_is_summed():
    split = summarize(read_transactions(ORDERS), calibration_end="2024-01-27", holdout=2, calendars=[weekly()])
    assert split.customers.table["weeks.number"].tolist() == [1.0, 0.0, 0.0]


def test_customers_with_weeks_of_their_own_share_patterns():
    own = pd.concat(
        [
            weeks(customer_id=name, sale=[*map(float, sale), *[0.0] * 14])
            for name, sale in {"a": "010000", "b": "000001", "c": "010000"}.items()
        ]
    )
    calendar = read_calendar(own, name="own", covariates=["sale"])
    assert calendar.values.shape == (2, 20, 1) and calendar.until == pd.Timestamp("2024-05-19")
    table = summarize(read_transactions(ORDERS), calendars=[calendar]).customers.table
    assert table["own.sale"].tolist() == [1.0, 1.0, 0.0]
    assert table["own.pattern"].nunique() == 2 and table["own.pattern"]["a"] == table["own.pattern"]["c"]


def test_nothing_of_a_calendar_stays_in_the_engine():
    transactions = read_transactions(ORDERS)

    def stored() -> list[tuple[str, bool]]:
        tables = transactions.backend.con.execute("SELECT table_name, temporary FROM duckdb_tables() ORDER BY ALL")
        return tables.fetchall()

    before = stored()
    own = pd.concat([weeks(customer_id=name, sale=place / 2) for place, name in enumerate("abc")])
    summarize(transactions, calendars=[weekly(), read_calendar(own, name="own", covariates=["sale"])])
    assert stored() == before


def test_holidays_are_weeks_from_monday_to_sunday():
    calendar = holiday_weeks(["2024-12-25", "2023-12-25"], name="xmas")
    held = calendar.bounds[:-1][calendar.values[0, :, 0] > 0]
    assert [*held] == [pd.Timestamp("2023-12-25"), pd.Timestamp("2024-12-23")]
    assert calendar.bounds[0] == pd.Timestamp("2022-12-26") and calendar.until == pd.Timestamp("2024-12-31")


# the same as others, and as itself said otherwise


@pytest.mark.parametrize(
    "place", [pytest.param(0, marks=pytest.mark.slow), 1, pytest.param(2, marks=pytest.mark.slow), 3]
)  # without factors it is slow: what stays at 1 is asked of apparel below
def test_weekly_factors_on_cdnow_equal_the_reference(place, shared_data, shared_reference, monkeypatch):
    monkeypatch.setenv("CLVMODELS_DATA", str(shared_data))
    told = json.loads((shared_reference / "joint_and_shocks.json").read_text())["shocks"][place]
    w = np.arange(told["weeks"])
    factor = np.ones(len(w)) if told["log_h"] == "zero" else np.exp(0.3 * np.sin(w))
    calendar = read_calendar(weeks("1997-01-01", len(w), factor=factor), name="weeks", index="factor")
    customers = summarize(DATASETS["cdnow"].load(), calibration_end="1997-09-30", calendars=[calendar]).customers
    option = customers.calendar_option(calendar)
    assert np.exp(option["log_mean"]) == pytest.approx(factor.mean())  # the calibration is these 39 whole weeks
    model = get_model(told["model"], {"calendar": option | {"log_mean": 0.0}})  # the reference's are not scaled
    found = pd.Series(lengths(customers.table, model, told["params"]), customers.table.index)
    own = found - customers.table["weeks.log_index"]
    close([own[one["id"]] for one in told["customers"]], [one["log_prob"] for one in told["customers"]])
    assert found.sum() == pytest.approx(told["with_week_term"], abs=1e-6)


def test_apparel_with_its_season_at_0_equals_clvtools(shared_data, shared_reference, monkeypatch):
    """The reference's other parameters move the lifetime with the season too, which is another model."""
    monkeypatch.setenv("CLVMODELS_DATA", str(shared_data))
    told = json.loads((shared_reference / "log_likelihoods_covariates.json").read_text())
    zero = next(one for one in told if one["model"] == "pnbd_dyn" and one["param_set"] == "zero")
    calendar = DATASETS["apparel"].load_calendar("season")
    assert calendar.until == pd.Timestamp("2011-01-01") and len(calendar.values) == 1
    customers = summarize(DATASETS["apparel"].load(), calibration_end="2006-12-31", calendars=[calendar]).customers
    model = get_model("pareto_nbd", {"calendar": customers.calendar_option(calendar)})
    found = pd.Series(lengths(customers.table, model, [*zero["params"], 0.0]), customers.table.index)
    close(found[zero["first20_cust"]], zero["first20"])
    assert found.sum() == pytest.approx(zero["total"], abs=1e-6)


def test_covariates_of_the_weeks_that_do_not_change_equal_static_ones(shared_data, shared_reference, monkeypatch):
    """CLVTools' Pareto/NBD with static covariates, those of the purchases read from the table of weeks."""
    monkeypatch.setenv("CLVMODELS_DATA", str(shared_data))
    told = json.loads((shared_reference / "log_likelihoods_covariates.json").read_text())
    path, columns = shared_data / "apparel" / "apparelDynCov.csv.zst", {"date": "Cov.Date", "customer_id": "Id"}
    calendar = read_calendar(path, name="weeks", columns=columns, covariates=["Gender", "Channel"])
    assert len(calendar.values) == 4
    split = summarize(
        DATASETS["apparel"].load(), calibration_end="2006-12-31", calendars=[calendar], covariates=["Gender", "Channel"]
    )
    table = split.customers.table
    model = get_model("pareto_nbd", {"calendar": split.customers.calendar_option(calendar)})
    rows = {name: numbers(table, name)[None] for name in model.observes}
    for one in told:
        if one["model"] == "pnbd_static":
            r, alpha, s, beta = one["params"]
            beta = beta * np.exp(-(table[["Gender", "Channel"]].to_numpy() @ one["life"]))[None]
            theta = {"r": r, "alpha": alpha, "s": s, "beta": beta}
            theta |= dict(zip(("calendar_Gender", "calendar_Channel"), one["trans"], strict=True))
            found = pd.Series(log_prob(model, rows, theta)[0], table.index)
            close(found[one["first20_cust"]], one["first20"])
            assert found.sum() == pytest.approx(one["total"], abs=1e-6)


def test_an_index_is_scaled_to_mean_1():
    """Ten times the index is the same calendar, and so is a covariate whose exponent is the index."""
    table = weeks(factor=np.tile([1.0, 2.0], 10), log=np.log(np.tile([1.0, 2.0], 10)))
    table["tenfold"] = 10.0 * table["factor"]
    theta = [0.6, 5.0, 0.8, 12.0]
    found = []
    for column in ("factor", "tenfold"):
        calendar = read_calendar(table, name="weeks", index=column)
        customers = summarize(read_transactions(ORDERS), calendars=[calendar]).customers
        model = get_model("pareto_nbd", {"calendar": customers.calendar_option(calendar)})
        found.append(lengths(customers.table, model, theta))
    close(found[1], found[0])
    calendar = read_calendar(table, name="weeks", covariates=["log"])
    customers = summarize(read_transactions(ORDERS), calendars=[calendar]).customers
    model = get_model("pareto_nbd", {"calendar": customers.calendar_option(calendar)})
    mean = (21 * 1 + 20 * 2) / 41  # 1 January to 10 February: the first, third and fifth week, and the others
    by_covariate = lengths(customers.table, model, [0.6, 5.0 * mean, 0.8, 12.0, 1.0])
    close(by_covariate, found[0])


def test_a_patterned_table_of_equals_is_everybodys():
    own = [weeks(customer_id=one, number=np.arange(20.0)) for one in "abc"]
    own = pd.concat([*own, weeks(customer_id="another", number=0.0)])
    calendars = [
        read_calendar(weeks(number=np.arange(20.0)), name="weeks", covariates=["number"]),
        read_calendar(own, name="weeks", covariates=["number"]),
    ]
    assert [len(one.values) for one in calendars] == [1, 2]
    found = []
    for calendar in calendars:
        customers = summarize(read_transactions(ORDERS), calendars=[calendar]).customers
        model = get_model("pareto_nbd", {"calendar": customers.calendar_option(calendar)})
        found.append(lengths(customers.table, model, [0.6, 5.0, 0.8, 12.0, 0.2]))
    close(found[1], found[0])


# what is refused


def refused(*args, **kwargs) -> str:
    with pytest.raises(DataError) as error:
        read_calendar(*args, **kwargs)
    return str(error.value)


def test_every_problem_of_a_table_is_told_at_once():
    table = weeks(count=4, factor=[1.0, 0.0, -2.0, np.nan], sale=["1", "x", "200", "0"])
    table["date"] = ["2024-01-01", "2024-01-08", "2024-01-08", "soon"]
    message = refused(table, name="weeks", index="factor", covariates=["sale"])
    assert "1 row has no day in 'date'; got first row 4: 'soon'" in message
    for part in (
        "2 rows have a factor that is not positive in 'factor'; got first row 2",
        "1 row has no number in 'factor'",
        "1 row has no number in 'sale'",
        "1 row has a value beyond 100 in 'sale'",
        "a step that is there already",
    ):
        assert part in message


def test_columns_that_are_missing_are_named(tmp_path):
    path = tmp_path / "w.csv"
    path.write_text("week,factor\n2024-01-01,1\n")
    assert "Unknown column 'date'" in refused(path, name="w", index="factor")
    assert "has an index or covariates" in refused(path, name="w", columns={"date": "week"})
    assert "nobody knows how long it lasts" in refused(path, name="w", columns={"date": "week"}, index="factor")
    assert "Unknown column meaning 'day'" in refused(path, name="w", columns={"day": "week"}, index="factor")


def test_gaps_and_strangers_are_refused():
    own = pd.concat([weeks(customer_id="a", sale=0.0), weeks(customer_id="b", sale=0.0).drop(index=3)])
    assert "1 customer has a gap between their rows" in refused(own, name="own", covariates=["sale"])
    assert "an index is everybody's" in refused(own.drop(index=3).assign(sale=1.0), name="own", index="sale")
    late = pd.concat([weeks(customer_id="a", sale=0.0), weeks(customer_id="b", sale=0.0)[1:]])
    calendar = read_calendar(late, name="own", covariates=["sale"])
    with pytest.raises(DataError) as error:
        summarize(read_transactions(ORDERS), calendars=[calendar])
    assert "1 customer has no rows; got first 'c'" in str(error.value)
    assert "the rows of 1 customer begin after their first purchase; got first 'b'" in str(error.value)


def test_the_data_must_be_covered():
    late = read_calendar(weeks("2024-01-08", 4, factor=1.0), name="late", index="factor")
    with pytest.raises(DataError) as error:
        summarize(read_transactions(ORDERS), calendars=[late])
    assert "its first row is of 2024-01-08, and the first customer bought on 2024-01-01" in str(error.value)
    assert "its rows end on 2024-02-04, and the data are used until 2024-02-10" in str(error.value)


def test_a_future_without_rows_is_refused_and_says_when_they_end():
    case = CALENDAR_CASES["bg_nbd on weeks"]
    table = case.table().assign(status="unknown")
    posterior = posterior_of(case.model, case.theta, 20)
    customers = customers_of(table)
    with pytest.raises(DataError, match=r"the calendar 'weeks' has no rows for .* time units.*until 2030-01-01"):
        forecast.forecast(posterior, customers, 200.0, seed=1, draws=20)
    with pytest.raises(ConfigError, match="DERT is of purchases whose rate does not follow a calendar"):
        dert(case.model, {n: v[None] for n, v in case.rows().items()}, {n: [[v]] for n, v in case.theta.items()}, 0.01)


def test_a_model_on_another_calendar_is_not_fitted():
    customers = summarize(read_transactions(ORDERS), calendars=[weekly()]).customers
    short = read_calendar(weeks(count=5, factor=1.0, number=0.0), name="weeks", index="factor", covariates=["number"])
    model = get_model("bg_nbd", {"calendar": customers.calendar_option(short)})
    with pytest.raises(DataError, match="3 customers were observed on days that the calendar 'weeks' has no rows for"):
        fit(model, customers)
    with pytest.raises(DataError, match="It ends on 2024-02-04"):
        loo(posterior_of(model, CALENDAR_THETA | {"calendar_number": 0.1}, 10), customers)


def test_regular_buyers_and_opportunities_lack_a_calendar():
    option = CALENDAR_CASES["bg_nbd on weeks"].model.options["calendar"]
    with pytest.raises(ConfigError, match="BG/CNBD-2: its purchases do not go with a calendar"):
        get_model("bg_cnbd_k", {"calendar": option})
    for name in ("bg_bb", "sbg", "gamma_gamma"):
        with pytest.raises(ConfigError, match="has no option 'calendar'"):
            MODELS[name].given(calendar=option)


# the whole line

MAPPING = {
    "title": "Does the sale matter?",
    "data": {
        "transactions": "orders.csv",
        "calibration_end": "2023-12-31",
        "holdout": 26,
        "data_end": "2024-06-30",
    },
    "calendars": {
        "weeks": {"path": "weeks.csv", "covariates": ["sale"], "until": "2025-06-30"},
    },
    "models": {
        "on_weeks": {
            "purchases": "bg_nbd",
            "spend": "gamma_gamma",
            "calendar": "weeks",
            "priors": {"calendar_sale": {"dist": "Normal", "mu": 0, "sigma": 2}},
        },
        "plain": {"purchases": "bg_nbd", "spend": "gamma_gamma"},
    },
    "sampler": {"method": "laplace", "draws": 200},
    "economics": {"margin": 0.3, "annual_discount_rate": 0.12, "horizon": 52},
}
TRUTH = 1.2


def line(folder, size=400):
    """Customers who buy more in weeks of sale, and the two files."""
    starts = pd.date_range("2022-12-26", "2025-06-30", freq="7D")
    table = pd.DataFrame({"date": starts, "sale": (np.random.default_rng(2).random(len(starts)) < 0.2).astype(float)})
    table.to_csv(folder / "weeks.csv", index=False)
    calendar = read_calendar(table, name="weeks", covariates=["sale"], until="2025-06-30")
    births = pd.Timestamp("2023-01-02") + pd.to_timedelta(np.random.default_rng(1).integers(0, 180, size), unit="D")
    model = get_model("bg_nbd", {"calendar": calendar.option(births.min(), births.max(), "week")})
    born = ((births - pd.Timestamp("1970-01-01")).days.to_numpy() + 1) / 7
    ages = ((pd.Timestamp("2024-06-30") - births).days.to_numpy()) / 7
    truth = CASES["bg_nbd"].theta | {"r": 1.0, "calendar_sale": TRUTH}
    purchases = simulate_purchases(model, truth, ages, 1, {"birth": born})
    purchases["amount"] = simulate_amounts(MODELS["gamma_gamma"], CASES["gamma_gamma"].theta, purchases, 1)
    orders(purchases, births, "week").round({"amount": 2}).to_csv(folder / "orders.csv", index=False)


@pytest.mark.slow
def test_a_calendar_goes_from_its_file_to_the_report(tmp_path):
    line(tmp_path)
    outcome = run(Experiment.from_dict(MAPPING, config_dir=tmp_path), tmp_path / "r", config_dir=tmp_path)
    assert outcome.exit_status == 0 and outcome.run.recommended == "on_weeks"
    assert outcome.run.entries["on_weeks"].label == "BG/NBD on weeks"
    found = outcome.run.entries["on_weeks"].posteriors["purchases"]
    draws = found.stacked("calendar_sale")
    assert abs(draws.mean() - TRUTH) < 4 * draws.std() < 1.0
    again = load(next((tmp_path / "r" / "posteriors").glob("bg_nbd-2023*.nc")))
    assert again.model.name == "bg_nbd"
    page = write_report(tmp_path / "r").read_text()
    assert "BG/NBD on weeks" in page and "calendar_sale: factor on the purchase rate" in page
    assert "excess over -inf" not in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"calendars": {}}, "models.on_weeks.calendar: Unknown calendar 'weeks'"),
        ({"calendars": {"weeks": {"index": "f"}}}, "A calendar has one source, and this one has none"),
        ({"calendars": {"weeks": {"path": "w.csv", "holidays": ["2024-12-25"]}}}, "has path and holidays"),
        ({"calendars": {"weeks": {"path": "orders.csv"}}}, "Nothing of the table is read"),
        ({"calendars": {"weeks": {"holidays": ["2024-12-25"], "index": "f"}}}, "'index' is of a table of your own"),
        ({"calendars": {"weeks": {"dataset": "cdnow"}}}, "Unknown data set with a calendar 'cdnow'. Known: apparel"),
        ({"calendars": {"weeks": {"path": "none.csv", "index": "f"}}}, "No such file: none.csv"),
        (
            {"calendars": {"weeks": {"path": "postgresql://me:secret@host/shop", "covariates": ["sale"]}}},
            "calendars.weeks.path: A password does not belong in an experiment",
        ),
        ({"calendars": {"a b": {"holidays": ["2024-12-25"]}, "weeks": MAPPING["calendars"]["weeks"]}}, "no name for a"),
    ],
)
def test_a_file_says_what_is_wrong_with_its_calendars(changes, message, tmp_path):
    (tmp_path / "orders.csv").write_text("customer_id,date,amount\n1,2024-01-01,2\n")
    (tmp_path / "weeks.csv").write_text("date,sale\n2023-01-02,0\n2023-01-09,1\n")
    with pytest.raises(ConfigError) as error:
        Experiment.from_dict({**MAPPING, **changes}, config_dir=tmp_path)
    assert message in str(error.value)


def test_a_calendar_of_a_database_is_named_by_its_url(tmp_path):
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection:
        weeks(sale=np.tile([0.0, 1.0], 10)).astype({"date": str}).to_sql("weeks", connection, index=False)
    (tmp_path / "orders.csv").touch()
    named = {"weeks": {"path": f"sqlite://{tmp_path}/shop.sqlite", "covariates": ["sale"]}}
    experiment = Experiment.from_dict({**MAPPING, "calendars": named}, config_dir=tmp_path)
    calendar = read_calendars(experiment, tmp_path)["weeks"]
    assert calendar.values.ravel().tolist() == [0.0, 1.0] * 10 and calendar.bounds[0] == pd.Timestamp("2024-01-01")


def test_models_that_lack_a_calendar_are_refused_in_the_file():
    entries = {"regular": {"purchases": "bg_cnbd_k", "calendar": "weeks"}}
    with pytest.raises(ConfigError, match="do not go with a calendar"):
        Experiment.from_dict({**MAPPING, "models": entries, "economics": None})


def test_a_run_whose_calendar_ends_too_early_is_refused_before_a_fit(tmp_path, monkeypatch):
    line(tmp_path, 30)
    monkeypatch.setattr("clvmodels.inference.fitting.fit", None)
    short = {**MAPPING["calendars"]["weeks"], "until": "2024-12-31"}
    table = pd.read_csv(tmp_path / "weeks.csv")
    table[table["date"] <= "2024-12-31"].to_csv(tmp_path / "weeks.csv", index=False)
    experiment = Experiment.from_dict({**MAPPING, "calendars": {"weeks": short}}, config_dir=tmp_path)
    with pytest.raises(DataError, match="its rows end on 2024-12-31, and 2025-06-29 is asked for"):
        run(experiment, tmp_path / "r", config_dir=tmp_path)


def test_a_posterior_on_a_calendar_is_stored_whole(tmp_path):
    """Also where the calendar is large: 3,000 patterns of 100 weeks."""
    rng = np.random.default_rng(1)
    ids = [f"p{i}" for i in range(3000)]
    own = pd.concat([weeks(count=100, customer_id=one, sale=rng.random(100).round(3)) for one in [*"abc", *ids]])
    calendar = read_calendar(own, name="own", covariates=["sale"])
    customers = summarize(read_transactions(ORDERS), calendars=[calendar]).customers
    model = get_model("bg_nbd", {"calendar": customers.calendar_option(calendar)})
    again = load(posterior_of(model, CALENDAR_THETA, 10).save(tmp_path / "p.nc"))
    assert again.model.options["calendar"] == model.options["calendar"]
    close(
        lengths(customers.table, again.model, list(CALENDAR_THETA.values())),
        lengths(customers.table, model, list(CALENDAR_THETA.values())),
    )


CALENDAR_THETA = {"r": 0.6, "alpha": 5.0, "a": 0.8, "b": 2.4, "calendar_sale": 0.3}

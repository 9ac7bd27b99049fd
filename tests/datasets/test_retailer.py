"""The simulated retailer as a whole company: its raw tables can be read, say what the truth says, and hold as many
mistakes as the account of them tells.

Where a rate is compared with the truth, `z` is its distance in standard errors, those of the sampling given the
customers' own parameters. Seeds are fixed; five standard errors would mean a fault.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import special

from clvmodels.datasets import retailer
from clvmodels.datasets.retailer import habits, marketing, story
from clvmodels.datasets.retailer.aftermath import CONTACT_DAYS, RETURN_DAYS, WRITTEN_OFF_DAYS
from clvmodels.sources.reading import Layout, connect, open_source

N, SEED = 3000, 1
SOURCES = retailer.SOURCES
BY_ORDER = ("order_lines", "returns", "payments")


@pytest.fixture(scope="module")
def company():
    return retailer.generate(N, SEED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("company")
    retailer.write(path, N, SEED)
    return path


def read(folder, name) -> pd.DataFrame:
    """A raw table by pandas or the database's own library."""
    path, source = folder / SOURCES[name]["path"], SOURCES[name]
    if path.suffix == ".sqlite":
        with closing(sqlite3.connect(path)) as connection:
            return pd.read_sql(f"SELECT * FROM {source['table']}", connection)
    if path.suffix == ".duckdb":
        with duckdb.connect(path, read_only=True) as connection:
            return connection.execute(f"SELECT * FROM {source['table']}").df()
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".xlsx":
        return pd.read_excel(path)
    text = dict.fromkeys(("account", "e_mail", "card", "new_card"), str)
    return pd.read_csv(path, sep=source.get("delimiter", ","), encoding=source.get("encoding", "utf-8"), dtype=text)


def dirt(company, table, kind, reason=None) -> int:
    rows = company.dirt[(company.dirt["table"] == table) & (company.dirt["kind"] == kind)]
    return int((rows if reason is None else rows[rows["reason"] == reason])["rows"].sum())


def z(found: float, expected: float, variance: float) -> float:
    return abs(found - expected) / np.sqrt(variance)


# ---------------------------------------------------------------------------------------------- the files


@pytest.mark.parametrize("name", SOURCES)
def test_every_table_is_read_as_its_source_says(company, folder, name):
    source = SOURCES[name]
    options = {key: source[key] for key in ("table", "delimiter", "encoding") if key in source}
    opened = open_source(folder / source["path"], layout=Layout(**options))
    assert opened.columns == tuple(company.tables[name].columns)
    assert set(source["columns"].values()) | set(source.get("groups", ())) <= set(opened.columns)
    raw = opened.scan(connect(), opened.columns)
    assert raw.table.count().execute() == len(company.tables[name]) == dirt(company, name, "read")
    assert raw.rejects.empty


@pytest.mark.parametrize("name", SOURCES)
def test_every_file_holds_its_table(company, folder, name):
    known, found = company.tables[name], read(folder, name)
    assert list(found) == list(known)
    date = SOURCES[name]["columns"].get("date", "joined" if name == "customers" else None)
    if date:
        written = pd.to_datetime(found[date], format=SOURCES[name].get("date_format"))
        assert (written.to_numpy() == known[date].dt.floor("min").to_numpy()).all()
    for column in set(known) - {date}:
        assert (found[column].isna().to_numpy() == known[column].isna().to_numpy()).all(), column
        there = known[column].notna().to_numpy()
        if known[column].dtype == "float64":  # a workbook keeps 16 digits
            np.testing.assert_allclose(found[column][there], known[column][there], rtol=1e-15, err_msg=column)
        else:
            assert found[column][there].tolist() == known[column][there].tolist(), column


def test_the_service_is_latin_1_and_nothing_else(folder):
    with pytest.raises(UnicodeDecodeError):
        (folder / "service.csv").read_text(encoding="utf-8")


def test_the_same_seed_writes_the_same_and_replaces_what_is_there(tmp_path):
    for name in ("one", "two"):
        retailer.write(tmp_path / name, 200, 3)
    retailer.write(tmp_path / "two", 200, 4)
    other = {name: read(tmp_path / "two", name) for name in SOURCES}
    retailer.write(tmp_path / "two", 200, 3)
    for name in SOURCES:
        pd.testing.assert_frame_equal(read(tmp_path / "one", name), read(tmp_path / "two", name))
        assert not other[name].equals(read(tmp_path / "one", name))
    for name in ("orders.csv", "surveys.csv.gz", "order_lines.parquet", "crm.sqlite", "returns.xlsx"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("n", [1, 2, 10, 60])
def test_a_small_company_is_one_too(n, tmp_path):
    made = retailer.generate(n, 5)
    assert len(made.truth) == n and set(made.tables) == set(SOURCES)
    retailer.write(tmp_path, n, 5)


# ---------------------------------------------------------------------------------------------- the dirt


def follow(company, folder) -> dict[str, dict[str, str | None]]:
    """By system, the customer of each key, None for a conflict: a consolidation in a few lines, from the files."""
    identity = read(folder, "identity")
    into = identity[identity["system"] == "customer_id"].set_index("key")["crm_id"].to_dict()
    found: dict[str, dict[str, str | None]] = {}
    for system, key, customer in identity.itertuples(index=False):
        while customer in into:
            customer = into[customer]
        key = key.strip().casefold().replace("-", "")
        known = found.setdefault(system, {})
        known[key] = customer if known.get(key, customer) == customer else None
    return found


@pytest.fixture(scope="module")
def customers_of(company, folder):
    """By table, the customer that each row leads to; "" for unknown keys, None for conflicts and empty keys."""
    found = follow(company, folder)

    def customers(name, column, system):
        keys = read(folder, name)[column].str.strip().str.casefold()
        return [None if pd.isna(key) else found[system].get(key, "") for key in keys]

    return customers


def test_the_account_adds_up(company):
    table = company.dirt.pivot_table(index="table", columns="kind", values="rows", aggfunc="sum", fill_value=0)
    assert (table["read"] == table["used"] + table["dropped"] + table["orphaned"]).all()
    assert table["read"].to_dict() == {name: len(table) for name, table in company.tables.items()}
    assert (table.loc[["orders", *BY_ORDER, "service", "surveys", "referrals", "campaigns"], "orphaned"] > 0).all()
    assert dirt(company, "orders", "dropped", "key of two customers") > 0
    assert dirt(company, "identity", "noted", "customer was merged") == 33  # 1%, and a tenth of them once more


@pytest.mark.parametrize("name", ["customers", "orders", "service", "surveys", "referrals", "campaigns"])
def test_keys_lead_to_as_many_customers_as_the_account_says(company, customers_of, name):
    source = SOURCES[name]
    found = pd.Series(customers_of(name, source["columns"]["key"], source["system"]), dtype=object)
    assert (found == "").sum() == dirt(company, name, "orphaned")
    nobody = dirt(company, name, "dropped", "key of two customers") + dirt(company, name, "dropped", "no key")
    assert found.isna().sum() == nobody
    assert set(found.dropna()) - {""} <= set(company.truth.index)


def test_orders_lead_to_their_customers(company, customers_of):
    raw = company.tables["orders"]
    found = pd.Series(customers_of("orders", "account", "shop"), raw["order_no"])
    known = company.facts["orders"].set_index("order_no")["customer_id"]
    resolved = found[found.notna() & (found != "")]
    assert (resolved == known.loc[resolved.index]).all()
    assert raw.duplicated().sum() == dirt(company, "orders", "dropped", "entered twice")
    used = set(resolved.index)
    assert len(used) == dirt(company, "orders", "used")
    for name in BY_ORDER:
        numbers = company.tables[name]["order_no"]
        assert numbers.isin(used).sum() == dirt(company, name, "used")
        unknown = ~numbers.isin(raw["order_no"])
        assert unknown.sum() == dirt(company, name, "orphaned", "unknown order")


def test_friends_are_known_by_their_cards_or_not(company, customers_of):
    who = pd.Series(customers_of("referrals", "card", "card"), dtype=object)
    friend = pd.Series(customers_of("referrals", "new_card", "card"), dtype=object)
    used = who.notna() & (who != "")
    written = company.tables["referrals"]["new_card"].notna()
    assert (used & ~written).sum() == dirt(company, "referrals", "noted", "nobody joined")
    known = used & friend.notna() & (friend != "")
    assert (used & written & ~known).sum() == dirt(company, "referrals", "noted", "unknown friend")
    assert (company.truth.loc[friend[known], "referred_by"] == who[known].to_numpy()).all()


# ---------------------------------------------------------------------------------------------- the truth


def test_lines_sum_to_orders_and_costs_follow_the_margin(company):
    facts, truth = company.facts, company.truth
    orders = facts["orders"].set_index("order_no")
    lines = facts["order_lines"].groupby("order_no")[["amount", "cost"]].sum().loc[orders.index]
    np.testing.assert_allclose(lines["amount"], orders["amount"], rtol=0, atol=1e-9)
    assert (facts["order_lines"]["amount"] > 0).all()
    assert facts["order_lines"].groupby("order_no").size().between(1, 4).all()
    assert (lines["cost"] - orders["amount"] * (1 - orders["margin_rate"])).abs().max() <= 4 * 0.005 + 1e-9
    np.testing.assert_allclose(orders["gross"] - orders["discount"], orders["paid"], atol=1e-9)
    deviation = orders["margin_rate"] - truth.loc[orders["customer_id"], "margin_rate"].to_numpy()
    assert z(deviation.mean(), 0, habits.ORDER_MARGIN_SD**2 / len(orders)) < 4
    assert deviation.std() == pytest.approx(habits.ORDER_MARGIN_SD, rel=0.03)
    for name, of_channel in truth.groupby("channel")["margin_rate"]:
        assert z(of_channel.mean(), habits.HABITS[name].margin, habits.MARGIN_SD**2 / len(of_channel)) < 4
    groups = facts["order_lines"].groupby("customer_id")["product_group"].nunique()
    assert (groups <= truth.loc[groups.index, "groups_liked"]).all()


def test_francs_are_worth_what_the_rates_say(company):
    orders, rates = company.facts["orders"], company.facts["rates"]
    assert 0.03 < (orders["currency"] == "CHF").mean() < 0.12
    francs = orders[orders["currency"] == "CHF"]
    rate = pd.merge_asof(francs[["time"]], rates, left_on="time", right_on="date")["rate"]
    assert (francs["rate"].to_numpy() == rate.to_numpy()).all()
    assert (francs["amount"].to_numpy() == francs["paid"].to_numpy() * rate.to_numpy()).all()
    assert (np.round(orders["paid"], 2) == orders["paid"]).all()


@pytest.mark.parametrize(
    ("table", "parameter", "days", "kind"),
    [
        ("returns", "return_rate", RETURN_DAYS, None),
        ("payments", "late_rate", 45, "late"),
        ("payments", "bad_debt_rate", WRITTEN_OFF_DAYS, "bad_debt"),
    ],
)
def test_visits_end_as_their_customers_probabilities_say(company, table, parameter, days, kind):
    """Visits old enough that everything about them was known: a sum of independent coins."""
    facts, truth = company.facts, company.truth
    visits = facts["orders"].drop_duplicates("visit")
    visits = visits[visits["time"] < story.END - pd.Timedelta(days=days)]
    p = truth.loc[visits["customer_id"], parameter]
    if kind == "late":
        p = p * (1 - truth.loc[visits["customer_id"], "bad_debt_rate"])
    if kind == "bad_debt":  # what was sent back whole is owed no more
        p = p * (1 - truth.loc[visits["customer_id"], "return_rate"] / 2)
    rows = facts[table] if kind is None else facts[table][facts[table]["kind"] == kind]
    found = visits["visit"].isin(rows["visit"])
    assert z(found.sum(), p.sum(), (p * (1 - p)).sum()) < 4
    half = (p > p.median()).to_numpy()
    assert found[half].mean() > 1.5 * found[~half].mean()


def test_returns_are_whole_or_a_share(company):
    orders = company.facts["orders"].set_index("order_no")
    share = company.facts["returns"].set_index("order_no")["amount"]
    share = share / orders["amount"].loc[share.index]
    assert share.max() == 1.0 and share.min() > 0.1
    assert z((share == 1).sum(), len(share) / 2, len(share) / 4) < 4
    assert share[share < 1].mean() == pytest.approx(0.55, abs=0.03)


def test_contacts_and_their_minutes(company):
    facts, truth = company.facts, company.truth
    visits = facts["orders"].drop_duplicates("visit")
    visits = visits[visits["time"] < story.END - pd.Timedelta(days=CONTACT_DAYS)]
    rate, contacts = truth.loc[visits["customer_id"], "contact_rate"], facts["contacts"]
    assert z(contacts["visit"].isin(visits["visit"]).sum(), rate.sum(), rate.sum()) < 4
    own = truth.loc[contacts["customer_id"]]
    minutes = np.log(contacts["minutes"].to_numpy() / own["contact_minutes"].to_numpy())
    assert z(minutes.mean(), 0, habits.CONTACT_MINUTES_SD**2 / len(contacts)) < 4
    p = own["complaint_share"]
    assert z((contacts["kind"] == "complaint").sum(), p.sum(), (p * (1 - p)).sum()) < 4


def test_the_unhappy_complain_and_leave_and_say_so(company):
    facts, truth = company.facts, company.truth
    surveys = facts["surveys"]
    usual = truth["channel"].map({name: channel.lifetime for name, channel in retailer.CHANNELS.items()})
    found = np.corrcoef(truth["contentment"], np.log(truth["hazard"] * usual))[0, 1]
    assert found == pytest.approx(-habits.LEAVING, abs=4 * (1 - habits.LEAVING**2) / np.sqrt(N))
    assert surveys["score"].isna().mean() == pytest.approx(0.45, abs=4 * np.sqrt(0.45 * 0.55 / len(surveys)))
    nps = surveys[surveys["kind"] == "nps"].groupby("customer_id")["score"].mean().dropna()
    assert nps.between(0, 10).all()
    assert nps.corr(truth["contentment"].loc[nps.index]) > 0.5
    complaints = facts["contacts"].loc[facts["contacts"]["kind"] == "complaint", "customer_id"]
    assert nps[nps.index.isin(complaints)].mean() < nps[~nps.index.isin(complaints)].mean() - 0.4


def test_referrals_bring_customers_of_the_channel_on_their_first_day(company):
    facts, truth = company.facts, company.truth
    rows = facts["referrals"]
    visits = facts["orders"].drop_duplicates("visit")
    visits = visits[visits["time"] < story.END - pd.Timedelta(days=marketing.INVITED_DAYS + marketing.JOINED_DAYS)]
    rate = truth.loc[visits["customer_id"], "referral_rate"]
    assert z(rows["visit"].isin(visits["visit"]).sum(), rate.sum(), rate.sum()) < 4
    brought = rows.dropna(subset="referred")
    friends = truth.loc[brought["referred"]]
    assert friends.index.is_unique and set(friends["channel"]) == {"Referral"}
    assert (friends["joined"].to_numpy() == brought["time"].to_numpy()).all()
    assert (truth.loc[brought["customer_id"], "joined"].to_numpy() < friends["joined"].to_numpy()).all()
    assert truth["referred_by"].notna().sum() == len(brought) > 0.7 * (truth["channel"] == "Referral").sum()


def test_the_voucher_is_a_coin_and_brings_back_as_many_as_the_truth_says():
    """More customers, since its effect is small."""
    made = retailer.generate(20_000, 2)
    silent = made.truth[made.truth["voucher_arm"].notna()]
    treated = silent["voucher_arm"] == "treatment"
    assert z(treated.sum(), len(silent) / 2, len(silent) / 4) < 4
    assert silent["joined"].max() < marketing.VOUCHER_DAY - marketing.SILENT
    visits = made.facts["orders"].drop_duplicates("visit")
    after = (visits["time"] - marketing.VOUCHER_DAY).between(pd.Timedelta(0), pd.Timedelta(weeks=8), "left")
    count = visits[after].groupby("customer_id").size().reindex(silent.index, fill_value=0)
    variance = count[treated].var() / treated.sum() + count[~treated].var() / (~treated).sum()
    found, effect = count[treated].mean() - count[~treated].mean(), silent["voucher_effect"].mean()
    assert 0.02 < effect < 0.06
    assert z(found, effect, variance) < 3
    people, seen = retailer.simulate_voucher(made.truth, visits[["time", "customer_id", "amount"]], 2)
    p = people.loc[people["voucher_arm"] == "treatment", "voucher_effect"]
    assert z(seen["voucher"].sum(), p.sum(), (p * (1 - p)).sum()) < 4 and seen["voucher"].sum() > 50
    ended = silent["joined"] + pd.to_timedelta(silent["lifetime"] * 7, unit="D")
    assert ((silent["voucher_effect"] > 0) == (ended > marketing.VOUCHER_DAY)).all()
    mails = made.facts["campaigns"].query("kind == @marketing.VOUCHER").set_index("customer_id")
    assert (mails["arm"] == silent["voucher_arm"].loc[mails.index]).all() and len(mails) == len(silent)
    came = count.loc[mails.index] > 0
    assert (mails["responded"] == came).all()


def test_nobody_shops_after_the_end_and_nothing_is_known_after_the_export(company):
    facts, truth = company.facts, company.truth
    for name, table in facts.items():
        last = table["date" if name == "rates" else "time"].max()
        assert last < story.END + pd.Timedelta(days=1), name
    orders = facts["orders"]
    own = truth.loc[orders["customer_id"]]
    weeks = (orders["time"].to_numpy() - own["joined"].to_numpy()) / pd.Timedelta(weeks=1)
    assert (weeks <= own["lifetime"].to_numpy() + 18 / (7 * 1440)).all()  # a second order comes 17 minutes later
    assert (orders.groupby("customer_id")["time"].min() == truth["joined"]).all()


def test_channels_cost_what_their_customers_cost(company):
    costs, truth = company.facts["channel_costs"], company.truth
    spent = costs.groupby("channel")["amount"].sum()
    joined = truth.groupby("channel").size()
    each = spent / joined
    assert all(each[name] == pytest.approx(own.cost_to_win, rel=0.1) for name, own in retailer.HABITS.items())
    assert costs["customers"].sum() == N


def test_with_dependence_large_buyers_send_more_back_and_leave_less_and_nothing_else_differs():
    independent, dependent = (retailer.generate(2000, 5, dependence) for dependence in (0.0, 1.0))
    before, after = independent.truth, dependent.truth
    pd.testing.assert_frame_equal(retailer.generate(2000, 5).truth, before)
    moved = ["return_rate", "margin_rate"]
    pd.testing.assert_frame_equal(after.drop(columns=moved), before.drop(columns=moved))
    median = before["channel"].map({name: channel.spend for name, channel in story.CHANNELS.items()})
    surplus = np.log(before["mean_spend"] / median) / story.SPEND_SD
    logit_before, logit_after = (special.logit(truth["return_rate"]) for truth in (before, after))
    np.testing.assert_allclose(logit_after - logit_before, surplus, atol=1e-9)
    np.testing.assert_allclose(after["margin_rate"] - before["margin_rate"], -0.06 * surplus, atol=1e-12)

    def large_over_small(company: retailer.Retailer) -> dict[str, float]:
        """Share of the amounts sent back, and margin, of large buyers less those of small ones."""
        orders = company.facts["orders"]
        back = company.facts["returns"].groupby("order_no")["amount"].sum().reindex(orders["order_no"], fill_value=0.0)
        is_large = (surplus > 0).loc[orders["customer_id"]].to_numpy()
        money = {"returned": back.to_numpy(), "margin": (orders["amount"] * orders["margin_rate"]).to_numpy()}
        paid = orders["amount"].to_numpy()
        shares = {name: [m[of].sum() / paid[of].sum() for of in (is_large, ~is_large)] for name, m in money.items()}
        return {name: large - small for name, (large, small) in shares.items()}

    assert abs(large_over_small(independent)["returned"]) < 0.01 < 0.03 < large_over_small(dependent)["returned"]
    assert abs(large_over_small(independent)["margin"]) < 0.02 < 0.06 < -large_over_small(dependent)["margin"]

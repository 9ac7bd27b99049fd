"""A company whose orders lie in PostgreSQL: a server on loopback, started by the test and stopped after it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pandas as pd
import pytest

from clvmodels.datasets import retailer
from clvmodels.errors import DataError
from clvmodels.sources.consolidation import Table, consolidate
from clvmodels.sources.transactions import read_transactions

pytestmark = pytest.mark.db

SIZE, SEED = 200, 1


def _program(name: str) -> str | None:
    """A program of the server, which Debian keeps off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return shutil.which(name) or (str(found[0]) if found else None)


def _as_server(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root: then it runs as nobody."""
    return command if os.geteuid() else ["runuser", "-u", "nobody", "--", *command]


@pytest.fixture(scope="module")
def server():
    """The URL of a database of a server on loopback that holds nothing else."""
    psycopg = pytest.importorskip("psycopg", reason="PostgreSQL's driver is not installed")
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("no PostgreSQL server is installed")
    folder = Path(tempfile.mkdtemp(prefix="clvmodels-pg-"))
    try:
        if not os.geteuid():
            shutil.chown(folder, "nobody")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        data, where = folder / "data", {"cwd": folder, "check": True, "stdout": subprocess.DEVNULL}
        subprocess.run(_as_server([initdb, "-D", str(data), "-U", "clv", "--auth=trust", "--encoding=UTF8"]), **where)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        start = [pg_ctl, "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start"]
        subprocess.run(_as_server(start), **where)
        try:
            yield f"postgresql://clv@127.0.0.1:{port}/postgres", psycopg
        finally:
            subprocess.run(_as_server([pg_ctl, "-D", str(data), "-m", "immediate", "stop"]), **where)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def shop(server):
    """The retailer's orders and payments in the database, the other tables as they are; and the folder of these."""
    url, psycopg = server
    tables = retailer.generate(SIZE, SEED).tables
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "create table orders (order_no text, ordered_at timestamp, account text, gross numeric(12, 2), "
            'discount numeric(12, 2), paid numeric(12, 2), currency char(3), "a note" text)'
        )
        cursor.execute("create table payments (order_no text, day date, status text, amount double precision)")
        cursor.execute("create view nothing as select 1 as one, current_date as two where false")
        for name, table in (("orders", tables["orders"].assign(note="")), ("payments", tables["payments"])):
            with cursor.copy(f"copy {name} from stdin") as copy:
                for row in table.astype(object).where(table.notna(), None).itertuples(index=False):
                    copy.write_row(row)
    return url, tables


def test_a_company_is_the_same_from_a_database(shop, tmp_path):
    """Orders and payments read from PostgreSQL give what the files give: customers, money and account."""
    url, _ = shop
    retailer.write(tmp_path, SIZE, SEED)
    files = {name: Table.from_mapping(told) for name, told in retailer.SOURCES.items()}
    stored = dict(files)
    for name, table in (("orders", "orders"), ("payments", "payments")):
        told = {k: v for k, v in retailer.SOURCES[name].items() if k not in ("delimiter", "date_format", "encoding")}
        stored[name] = Table.from_mapping({**told, "path": url, "table": table})
    found = [consolidate(tables, folder=tmp_path, currency="EUR", data_end=retailer.END) for tables in (files, stored)]
    rows = [one.transactions.table.execute().sort_values(["order_id", "amount"], ignore_index=True) for one in found]
    pd.testing.assert_frame_equal(rows[0], rows[1], check_dtype=False)
    counts = [one.account.groupby(["source", "reason", "kind"])["rows"].sum() for one in found]
    pd.testing.assert_series_equal(*counts)
    where = found[1].account.set_index("source")["where"]
    assert where["orders"].iloc[0].endswith("/postgres, orders") and "clv@127.0.0.1" in where["orders"].iloc[0]


def test_transactions_are_read_by_url(shop):
    url, tables = shop
    columns = {"customer_id": "account", "date": "ordered_at", "amount": "paid"}
    found = read_transactions(url, table="orders", columns=columns)
    assert len(found) == tables["orders"]["account"].notna().sum()
    assert found.table.amount.sum().execute() == pytest.approx(tables["orders"].dropna(subset="account")["paid"].sum())


def test_what_is_not_there_is_said(shop):
    url, _ = shop
    columns = {"customer_id": "account", "date": "ordered_at"}
    with pytest.raises(DataError, match=r"Unknown table 'order'.*orders"):
        read_transactions(url, table="order", columns=columns)
    with pytest.raises(DataError, match="the database has 3 tables"):
        read_transactions(url, columns=columns)
    with pytest.raises(DataError, match="no rows"):
        read_transactions(url, table="nothing", columns={"customer_id": "one", "date": "two"})
    with pytest.raises(DataError) as refused:
        read_transactions(url.replace("clv@", "clv:geheim@").replace("/postgres", "/elsewhere"), columns=columns)
    assert "cannot be opened" in str(refused.value) and "geheim" not in str(refused.value)

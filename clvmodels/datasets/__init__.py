"""Named data sets: public ones and the simulated retailer. Loading is in a file each; the registry imports none."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clvmodels.sources.calendars import SuppliedCalendar
    from clvmodels.sources.consolidation import Company
    from clvmodels.sources.transactions import Transactions


@dataclass(frozen=True)
class Dataset:
    """A data set by name.

    Parameters
    ----------
    name, title
        As in the registry; as in a report.
    source, licence
        Where it comes from, and on what terms it may be used.
    columns
        Name -> meaning, of the table that `load` reads.
    loader
        "module:function" of the loader, imported when it is called.
    defaults
        time, time_unit, currency, calibration_end, holdout, groups, covariates that suit it.
    no_split
        Why it cannot be split into calibration and holdout, where it cannot.
    calendar, calendar_covariates
        "module:function" of the reader of its own calendar, and that calendar's covariates, where it has one.
    tables
        Of a simulated company, the module that has `SOURCES`, what its raw tables are, and `write`, which writes them.
    """

    name: str
    title: str
    source: str
    licence: str
    columns: Mapping[str, str]
    loader: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    no_split: str = ""
    calendar: str = ""
    calendar_covariates: tuple[str, ...] = ()
    tables: str = ""

    def load_calendar(self, name: str) -> SuppliedCalendar:
        """Its own calendar, under that name."""
        module, function = self.calendar.split(":")
        return getattr(importlib.import_module(module), function)(name)

    @property
    def sources(self) -> dict[str, dict[str, Any]]:
        """What its raw tables are, as an experiment's `sources` says it; empty where it has none."""
        return dict(importlib.import_module(self.tables).SOURCES) if self.tables else {}

    def write(self, folder: Path, seed: int = 0, **options: Any) -> None:
        """Write the raw tables of a simulated company into a folder."""
        importlib.import_module(self.tables).write(folder, seed=seed, **options)

    def load_company(self, seed: int = 0, **options: Any) -> Company:
        """Its orders, with what they themselves tell of returns."""
        from clvmodels.sources.consolidation import Company

        return Company.of(self.load(seed=seed, **options))

    def load(self, seed: int = 0, **options: Any) -> Transactions:
        """Read it, clean it. `seed` matters for simulated data only; options are the loader's own."""
        module, function = self.loader.split(":")
        return getattr(importlib.import_module(module), function)(seed=seed, **options)


DATASETS: dict[str, Dataset] = {
    "retailer": Dataset(
        name="retailer",
        title="A simulated retailer with known truth",
        source="clvmodels.datasets.retailer, simulated",
        licence="Apache-2.0",
        columns={
            "order_id": "number of the order or return",
            "time": "local time of the order",
            "customer_id": "customer; one or two are missing",
            "channel": "acquisition channel",
            "amount": "EUR; returns are negative",
        },
        loader="clvmodels.datasets.retailer:load",
        tables="clvmodels.datasets.retailer",
        defaults={
            "time_unit": "week",
            "currency": "EUR",
            "calibration_end": "2025-06-29",
            "holdout": 26,
            "groups": ("channel",),
        },
    ),
    "cdnow": Dataset(
        name="cdnow",
        title="CDNOW, the 1/10 sample: customers who first bought in January to March 1997",
        source="Fader & Hardie, http://www.brucehardie.com/datasets (CDNOW_sample.zip)",
        licence="free for research, no licence stated",
        columns={"customer_id": "place in the sample", "date": "day", "cds": "CDs bought", "amount": "USD"},
        loader="clvmodels.datasets.cdnow:load_sample",
        defaults={"time_unit": "week", "currency": "USD", "calibration_end": "1997-09-30", "holdout": 39, "groups": ()},
    ),
    "cdnow_master": Dataset(
        name="cdnow_master",
        title="CDNOW, the whole cohort of 23,570 customers who first bought in January to March 1997",
        source="Fader & Hardie, http://www.brucehardie.com/datasets (CDNOW_master.zip)",
        licence="free for research, no licence stated",
        columns={"customer_id": "customer", "date": "day", "cds": "CDs bought", "amount": "USD"},
        loader="clvmodels.datasets.cdnow:load_master",
        defaults={"time_unit": "week", "currency": "USD", "calibration_end": "1997-09-30", "holdout": 39, "groups": ()},
    ),
    "online_retail": Dataset(
        name="online_retail",
        title="Online Retail: a British online shop for gifts, 2010 to 2011",
        source="Chen, Sain & Guo (2012), https://archive.ics.uci.edu/dataset/352",
        licence="CC BY 4.0",
        columns={
            "InvoiceNo": "invoice; C... are cancellations",
            "StockCode": "article",
            "Description": "article's name",
            "Quantity": "pieces; negative in cancellations",
            "InvoiceDate": "local time",
            "UnitPrice": "GBP",
            "CustomerID": "customer; missing in a quarter of the lines",
            "Country": "country, a group column as `country`",
        },
        loader="clvmodels.datasets.online_retail:load",
        defaults={
            "time_unit": "week",
            "currency": "GBP",
            "calibration_end": "2011-06-30",
            "holdout": 23,
            "groups": ("country",),
        },
    ),
    "apparel": Dataset(
        name="apparel",
        title="Apparel: the simulated retailer of R's CLVTools, customers who first bought on 2 January 2005",
        source="CLVTools (R), data sets apparelTrans and apparelStaticCov, simulated by its authors",
        licence="GPL-3",
        columns={"Id": "customer", "Date": "day", "Price": "amount", "Gender": "0 or 1", "Channel": "0 or 1"},
        loader="clvmodels.datasets.apparel:load",
        defaults={
            "time_unit": "week",
            "currency": None,
            "calibration_end": "2006-12-31",
            "holdout": 207,
            "groups": ("Gender", "Channel"),
            "covariates": ("Gender", "Channel"),
        },
        calendar="clvmodels.datasets.apparel:load_calendar",
        calendar_covariates=("High.Season",),
    ),
    "donations": Dataset(
        name="donations",
        title="Donations: 11,104 people who first gave in 1995, and the next six years",
        source="Fader, Hardie & Shang (2010), Marketing Science 29(6), Table 1",
        licence="a published table of 22 numbers",
        columns={"customer_id": "donor, made up", "date": "1 July of the year of a gift"},
        loader="clvmodels.datasets.donations:load",
        defaults={"time": "opportunities", "time_unit": "year", "groups": ()},
        no_split="The published table does not tell the years of all gifts, so that these data cannot be split",
    ),
    "subscriptions": Dataset(
        name="subscriptions",
        title="Subscriptions: two segments of 1,000 customers, and who was left after one to twelve years",
        source="Fader & Hardie (2007), Journal of Interactive Marketing 21(1), Table 1",
        licence="a published table of 26 numbers",
        columns={"customer_id": "customer, made up", "date": "1 July of the year of a payment", "segment": "segment"},
        loader="clvmodels.datasets.subscriptions:load",
        defaults={
            "time": "opportunities",
            "time_unit": "year",
            "calibration_end": "2007-12-31",
            "holdout": 5,
            "groups": ("segment",),
        },
    ),
}

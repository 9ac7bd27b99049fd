"""The command line: reads arguments, calls the stages, says what happened. Commands import what they need themselves.

Exit status: 0 done, 1 a sampling check failed, 2 the input cannot be meant as it stands, 130 interrupted.
"""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from clvmodels import __version__, words
from clvmodels.cli.arguments import (
    check_economics,
    common_unit,
    joined,
    read_customers,
    read_effects,
    read_k,
    stated_reading,
)
from clvmodels.errors import ClvError, ConfigError, unknown, unwritable

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.config.experiment import Experiment

FAILED_CHECK, BAD_INPUT, INTERRUPTED = 1, 2, 130
FAMILIES = ("models", "costs", "roles", "datasets", "metrics", "figures")

out, err = Console(), Console(stderr=True)


class _Group(TyperGroup):
    """Errors that the package raises on purpose are told as they are, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ClvError as error:
            err.print(Text(str(error), style="red"), soft_wrap=True)
            raise typer.Exit(BAD_INPUT) from error
        except OSError as error:  # of what a disk does not take; libraries say it in words of their own
            err.print(
                Text(str(unwritable(error.filename or tempfile.gettempdir(), error)), style="red"), soft_wrap=True
            )
            raise typer.Exit(BAD_INPUT) from error
        except KeyboardInterrupt as error:
            err.print(
                "\nInterrupted. Finished models of a run are kept: the same command goes on from there.", soft_wrap=True
            )
            raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Bayesian customer lifetime value: from a table of transactions to a report.",
    epilog="Begin with: clvmodels demo",
)


def _version(is_asked: bool) -> None:
    if is_asked:
        out.print(f"clvmodels {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", help="Say the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


OutFolder = Annotated[Path, typer.Option("--out", help="Folder that results folders are made in.")]
Rfm = Annotated[bool, typer.Option("--rfm", help="A row a customer.")]
OutFile = Annotated[Path, typer.Option("--out", help="File to write.")]
Columns = Annotated[str, typer.Option(help="As customer_id=cust,date=day.")]
DateFormat = Annotated[
    str | None,
    typer.Option(help="Such as %d/%m/%Y, epoch or excel."),
]
Timezone = Annotated[str | None, typer.Option(help="Such as Europe/Berlin.")]
Delimiter = Annotated[str | None, typer.Option(help="What stands between the columns of a CSV file.", hidden=True)]
Encoding = Annotated[str | None, typer.Option(help="Of a CSV file, such as cp1252.", hidden=True)]
TableName = Annotated[
    str | None, typer.Option("--table", help="The table of a database, or the sheet of a workbook.", hidden=True)
]
Decimal = Annotated[str | None, typer.Option(help="What stands before the cents: . or ,", hidden=True)]
Thousands = Annotated[str | None, typer.Option(help="What stands between thousands.", hidden=True)]
Header = Annotated[
    str | None,
    typer.Option(help="The line of the names of the columns; or false, or the names: id,date,amount.", hidden=True),
]
Escape = Annotated[str | None, typer.Option(help="What stands before a quote within quotes, such as \\.", hidden=True)]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", help="Rows to keep: status=paid,delivered, or status!=cancelled.", hidden=True),
]
Seed = Annotated[int, typer.Option(min=0, help="Same seed, same answer.")]
AllowFailed = Annotated[
    list[str] | None,
    typer.Option("--allow-failed", help="A sampling check that may have failed: R-hat."),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start over instead of going on where a run stopped.")]

Policies = Annotated[str, typer.Option(help="Such as 'refunds: net'.")]
Currency = Annotated[str | None, typer.Option(help="Of the amounts, such as EUR.", hidden=True)]
AmountUnit = Annotated[
    float | None, typer.Option(help="Of one unit of the amounts: 0.01 where they are in cents.", hidden=True)
]
AcquiredBetween = Annotated[
    str | None,
    typer.Option(help="Only customers who first bought between two days: 2024-01-01,2024-12-31.", hidden=True),
]
Reading = Annotated[Path | None, typer.Option(help="An experiment that says it.")]


@app.command(epilog="Example: clvmodels demo --customers 1000")
def demo(
    customers: Annotated[int, typer.Option(min=200, help="How many customers to simulate.")] = 600,
    folder: OutFolder = Path("results"),
    fresh: Fresh = False,
) -> None:
    """Simulate a company's tables, join them, fit, value its customers in profit, write the report."""
    from clvmodels.config.experiment import Experiment

    experiment = Experiment.from_dict(demo_experiment(customers))
    _run(experiment, folder / "demo", Path(), fresh, f"clvmodels demo --customers {customers}")


def demo_experiment(customers: int) -> dict[str, Any]:
    """The experiment of `clvmodels demo`: a simulated company's ten tables, and what its customers earn after returns,
    service and retention marketing."""
    return {
        "title": "Which customers of the simulated retailer earn money?",
        "data": {"dataset": "retailer", "customers": customers},
        "models": {
            "by_channel": {"purchases": "mbg_nbd", "spend": "gamma_gamma", "by": "channel"},
            "mbg_nbd": {"purchases": "mbg_nbd", "spend": "gamma_gamma"},
        },
        "costs": {
            "returns": {"model": "beta_binomial_returns", "window": 21},
            "contacts": {"model": "gamma_poisson_contacts"},
        },
        "sampler": {"draws": 500},
        "economics": {
            "margin": 0.4,
            "annual_discount_rate": 0.12,
            "horizon": 52,
            "cost_per_order": 2.5,
            "cost_per_return": 4.0,
            "cost_per_contact": 6.0,
            "written_off": 0.2,
            "retention": {"cost": 0.9, "every": 4, "until_silent": 24, "campaigns": ["newsletter"]},
        },
    }


@app.command(epilog="Example: clvmodels run experiments/cdnow.yaml")
def run(
    experiment: Annotated[Path, typer.Argument(help="The experiment, a YAML file.")],
    folder: OutFolder = Path("results"),
    fresh: Fresh = False,
) -> None:
    """Run an experiment and write its report; a run that was stopped goes on at the model it was at."""
    from clvmodels.config.experiment import load_experiment, problems_by_line

    command = f"clvmodels run {shlex.quote(str(experiment))}"
    stated = load_experiment(experiment)
    with problems_by_line(experiment):
        _run(stated, folder / experiment.stem, experiment.parent, fresh, command)


def _run(experiment: Experiment, folder: Path, config_dir: Path, fresh: bool, command: str) -> None:
    from clvmodels.report import write_report
    from clvmodels.runs.experiment import run as run_experiment

    with _stages() as progress:
        outcome = run_experiment(
            experiment, folder, config_dir=config_dir, progress=progress, fresh=fresh, command=command
        )
        progress("Writing the report")
        page = write_report(folder)
    company, channels = outcome.run.company, outcome.run.payback
    if company is not None:
        _print_notes(tuple(map(str, company.transactions.doubts)))
    if channels is not None and channels.withheld:
        _print_notes((f"payback by channel and what may be paid are withheld: {channels.reason}",))
    out.print(f"Report: {page}", highlight=False, soft_wrap=True)
    if outcome.exit_status:
        err.print(Text("A sampling check failed: the report says first which, and what not to decide with it.", "red"))
        raise typer.Exit(outcome.exit_status)


@app.command(epilog="Example: clvmodels report results/cdnow")
def report(
    results: Annotated[Path, typer.Argument(help="A results folder.")],
) -> None:
    """Write the report of a results folder again, without sampling."""
    from clvmodels.report import write_report

    out.print(f"Report: {write_report(results)}", highlight=False, soft_wrap=True)


@app.command(
    epilog="Example: clvmodels fit orders.csv --model mbg_nbd --time-unit week "
    "--columns customer_id=cust,date=day --effect alpha:channel --out posterior.nc"
)
def fit(
    orders: Annotated[
        str, typer.Argument(help="Transactions: CSV, Parquet, Excel, a folder or pattern of them, a database.")
    ],
    model: Annotated[str, typer.Option(help="A model's name: see clvmodels list models.")],
    time_unit: Annotated[str, typer.Option(help="hour, day, week, month, month30 (30 days), quarter or year.")],
    file: OutFile = Path("posterior.nc"),
    rfm: Rfm = False,
    columns: Columns = "",
    date_format: DateFormat = None,
    timezone: Timezone = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    table_name: TableName = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    header: Header = None,
    escape: Escape = None,
    where: Where = None,
    policies: Policies = "",
    currency: Currency = None,
    amount_unit: AmountUnit = None,
    acquired_between: AcquiredBetween = None,
    reading: Reading = None,
    end: Annotated[str | None, typer.Option(help="Last day, as 2024-06-30.")] = None,
    effect: Annotated[
        list[str] | None, typer.Option(help="parameter:group or parameter~covariate; may be repeated.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="A group that pools all that it can move on average.")] = None,
    missing: Annotated[str, typer.Option(help="Customers without a covariate: refuse, mean or indicator.")] = "refuse",
    k: Annotated[str | None, typer.Option(help="The k of models that have one: 3, or 1,2,3 to choose from.")] = None,
    method: Annotated[str, typer.Option(help="auto, laplace, nuts or mle.")] = "auto",
    draws: Annotated[int, typer.Option(min=100, help="Posterior draws (of each chain with nuts).")] = 1000,
    chains: Annotated[int, typer.Option(min=2, help="Chains of nuts.")] = 4,
    seed: Seed = 42,
) -> None:
    """Fit one model to a table of transactions and store its posterior.

    Also as in an experiment's data: --table --delimiter --encoding --decimal --thousands --header --escape --where
    --currency --amount-unit --acquired-between; or all of it by --reading, an experiment file.
    """
    from clvmodels.inference import choice_of_k, fitting
    from clvmodels.models import get_model

    effects = read_effects(model, effect or [], missing, by)
    ks = read_k(k) if k else ()
    variants = [get_model(model, {"k": choice}) for choice in ks] or [get_model(model)]
    its_reading = stated_reading(
        reading,
        columns=columns,
        date_format=date_format,
        timezone=timezone,
        delimiter=delimiter,
        encoding=encoding,
        table=table_name,
        decimal=decimal,
        thousands=thousands,
        header=header,
        escape=escape,
        where=where,
        policies=policies,
        currency=currency,
        amount_unit=amount_unit,
        acquired_between=acquired_between,
    )
    with _stages() as stage:
        stage(f"Reading {Path(orders).name}")
        customers, notes = read_customers(
            orders,
            rfm,
            time_unit,
            time=variants[0].counts,
            end=end,
            effects=effects,
            reading=its_reading,
        )
        stage(f"Fitting {model} to {words.counted(len(customers), 'customer')}")
        options: dict[str, Any] = {
            "effects": effects,
            "method": method,
            "draws": draws,
            "chains": chains,
            "seed": seed,
        }
        if len(variants) > 1:
            fitted = choice_of_k.choose_k(model, customers, ks, **options).posterior
            tried = [f"{other.method}: {other.reason}" for other in choice_of_k.others(fitted)]
            notes = (*notes, f"{fitted.model.title} has the best elpd", *tried)
        else:
            fitted = fitting.fit(variants[0], customers, **options)
        replace(fitted, reading=its_reading).save(file)
    _print_notes(notes)
    out.print(f"Posterior: {file}", highlight=False, soft_wrap=True)
    failed = [check for check in fitted.checks if not check.passed]
    for check in failed:
        text = f"Failed: {check.check} is {check.found}, limit {check.limit}. {check.consequence}"
        err.print(Text(text, style="red"), soft_wrap=True)
    if failed:
        err.print("No value or score is made of this posterior, unless allowed: --allow-failed, with the check's name.")
        raise typer.Exit(FAILED_CHECK)


@app.command(
    epilog="Example: clvmodels score posterior.nc orders.csv --as-of 2024-06-30 --horizon 52 "
    "--spend-posterior spend.nc --margin 0.3 --annual-discount-rate 0.12 --out scores.csv"
)
def score(
    posterior: Annotated[Path, typer.Argument(help="A stored posterior of a purchase model.")],
    table: Annotated[
        str,
        typer.Argument(help="Transactions, or an RFM table; a folder of several."),
    ],
    as_of: Annotated[str, typer.Option(help="The last day, as 2024-06-30.")],
    horizon: Annotated[float, typer.Option(help="How far ahead, in the posterior's time unit.")],
    file: OutFile = Path("scores.csv"),
    rfm: Rfm = False,
    time_unit: Annotated[str | None, typer.Option(help="Of an RFM table.")] = None,
    columns: Columns = "",
    date_format: DateFormat = None,
    timezone: Timezone = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    table_name: TableName = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    header: Header = None,
    escape: Escape = None,
    where: Where = None,
    policies: Policies = "",
    currency: Currency = None,
    amount_unit: AmountUnit = None,
    acquired_between: AcquiredBetween = None,
    reading: Reading = None,
    spend_posterior: Annotated[Path | None, typer.Option(help="A stored posterior of a spend model.")] = None,
    margin: Annotated[float | None, typer.Option(help="Of revenue: 0.3 is 30%.")] = None,
    annual_discount_rate: Annotated[float | None, typer.Option(help="0.12 is 12% a year.")] = None,
    draws: Annotated[int, typer.Option(min=2, help="Posterior draws, at most.")] = 1000,
    allow_failed: AllowFailed = None,
    allow_unknown_labels: Annotated[
        bool, typer.Option("--allow-unknown-labels", help="Labels may all be new.")
    ] = False,
    seed: Seed = 42,
) -> None:
    """Score customers from stored posteriors: one row a customer, as CSV or Parquet by the name of --out.

    In CSV, text that begins with = + - @ gets an apostrophe, so that no spreadsheet runs it. The table is read as the
    fit's was, unless it is said otherwise by the options of fit.
    """
    from clvmodels.inference.posterior import load
    from clvmodels.inference.posteriors import allowed_failures
    from clvmodels.results.export import check_format, write_table
    from clvmodels.runs.reading import in_words
    from clvmodels.valuation.scoring import score as score_customers
    from clvmodels.valuation.scoring import unknown_labels

    check_format(file)
    check_economics(horizon, spend_posterior, margin, annual_discount_rate)
    posteriors = {"purchases": load(posterior)}
    if spend_posterior is not None:
        posteriors["spend"] = load(spend_posterior)
    allowed_failures(posteriors, allow_failed or ())  # before a table is read
    unit = common_unit(rfm, time_unit, {posterior.time_unit for posterior in posteriors.values()})
    effects = [effect for posterior in posteriors.values() for effect in posterior.effects]
    its_reading = stated_reading(
        reading,
        columns=columns,
        date_format=date_format,
        timezone=timezone,
        delimiter=delimiter,
        encoding=encoding,
        table=table_name,
        decimal=decimal,
        thousands=thousands,
        header=header,
        escape=escape,
        where=where,
        policies=policies,
        currency=currency,
        amount_unit=amount_unit,
        acquired_between=acquired_between,
    )
    remembered = posteriors["purchases"].reading
    if not rfm:  # one row a customer was made already of what the fit read
        its_reading = joined(remembered, its_reading)
    with _stages() as stage:
        stage(f"Reading {Path(table).name}")
        customers, notes = read_customers(
            table,
            rfm,
            unit,
            time=posteriors["purchases"].model.counts,
            end=as_of,
            effects=effects,
            reading=its_reading,
        )
    with _bar(f"Scoring {words.counted(len(customers), 'customer')}", len(customers)) as progress:
        scores = score_customers(
            posteriors,
            customers,
            horizon=horizon,
            margin=margin,
            annual_discount_rate=annual_discount_rate,
            seed=seed,
            draws=draws,
            progress=progress,
            allow_failed=allow_failed or (),
            allow_unknown_labels=allow_unknown_labels,
        )
        write_table(scores, file)
    if remembered and its_reading["data"] and not rfm:
        notes = (f"read as the table of the fit was, but for what is stated here: {in_words(its_reading)}", *notes)
    strangers = unknown_labels(posteriors, customers)
    if len(strangers):
        _print_notes((_about_strangers(strangers),))
    _print_notes(notes)
    out.print(f"Scores: {file}", highlight=False, soft_wrap=True)


def _about_strangers(strangers: pd.DataFrame) -> str:
    """How many customers have labels that the fit never met, and which."""
    largest = strangers.sort_values("customers", ascending=False).head(5)
    named = [f"{row.group} {row.label} ({row.customers:,})" for row in largest.itertuples()]
    more = f" and {len(strangers) - len(named)} more" if len(strangers) > len(named) else ""
    labels = words.counted(len(strangers), "label")
    return (
        f"{labels} that the fit never met, with the customers of each: {', '.join(named)}{more}; drawn from all labels"
    )


@app.command("list", epilog="Example: clvmodels list models")
def list_members(
    family: Annotated[str, typer.Argument(help="models, costs, roles, datasets, metrics or figures.")],
) -> None:
    """Say what a family holds: the names that an experiment may use."""
    for name, member in _registry(family).items():
        title = getattr(member, "title", "") or getattr(member, "shows", "")
        options = "".join(f", option {option}" for option in getattr(member, "options", ()))
        out.print(Text(f"{name:24}{title}{options}"), soft_wrap=True)


def _registry(family: str) -> Mapping[str, Any]:
    """The members of a family by name. Each registry is imported where it is asked for: `--help` imports none."""
    if family == "models":
        from clvmodels.models import MODELS

        return MODELS
    if family == "costs":
        from clvmodels.models import COSTS

        return COSTS
    if family == "roles":
        from clvmodels.sources.roles import TABLE_ROLES

        return TABLE_ROLES
    if family == "datasets":
        from clvmodels.datasets import DATASETS

        return DATASETS
    if family == "metrics":
        from clvmodels.metrics import METRICS

        return METRICS
    if family == "figures":
        from clvmodels.figures import FIGURES

        return FIGURES
    raise ConfigError(unknown("family", family, FAMILIES))


def _print_notes(notes: tuple[str, ...]) -> None:
    for note in notes:
        err.print(Text(f"Note: {note}"), soft_wrap=True)


@contextmanager
def _stages() -> Iterator[Callable[[str], None]]:
    """A function that says what begins now; each stage's time is told when the next begins."""
    current, began = "", time.monotonic()
    with err.status("") as status:

        def stage(text: str) -> None:
            nonlocal current, began
            finish()
            current, began = text, time.monotonic()
            status.update(Text(f"{text} ..."))

        def finish() -> None:
            if current:
                err.print(Text(f"{current}: {time.monotonic() - began:.0f} s"), soft_wrap=True)

        yield stage
        finish()


@contextmanager
def _bar(text: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """A function that says how much is done, for a bar on a terminal; the time is told when all is."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    began = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda done, _: bar.update(task, completed=done)
    err.print(Text(f"{text}: {time.monotonic() - began:.0f} s"), soft_wrap=True)

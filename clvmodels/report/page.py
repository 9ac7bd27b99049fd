"""The page: chapters with their leads and figures, in the order of the argument."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import jinja2
from markupsafe import Markup, escape

from clvmodels import words
from clvmodels.figures import FIGURES, Figure, Numbers, Words, checks, style
from clvmodels.report import first_screen, leads, svg, totals
from clvmodels.report.stored import Stored

CHAPTERS = {
    "worth": "What the base is worth",
    "best": "Who the best customers are",
    "leave": "Who is about to leave",
    "spend": "How much may be spent",
    "strategy": "What the strategy does",
    "trust": "Can the forecast be trusted",
    "data": "Data: what came in, what was used",
    "model": "Model and priors",
    "checks": "All checks",
    "limits": "Limits",
    "reproduce": "Reproduce this report",
}
SCREENS = {"square": {style.NARROW: "both"}}
ON_ALL_SCREENS = {style.WIDE: "wide", style.NARROW: "small"}
"""How wide a figure is drawn and on which screens each drawing is shown, by its shape; a square one is drawn small
only."""
MOST_DIGITS = 40
"""A longer cell is a sentence, whatever digits are in it."""
_HERE = Path(__file__).parent


class ReadyFigure(NamedTuple):
    """A figure ready for the page."""

    figure: Figure
    heading: str
    words: Words
    numbers: Numbers | None
    drawings: list[Markup]


class Chapter(NamedTuple):
    """A chapter ready for the page."""

    name: str
    heading: str
    lead: str
    figures: list[ReadyFigure]


def build(stored: Stored) -> tuple[str, dict[str, str]]:
    """The page, and the drawings as files of their own, by file name."""
    files: dict[str, str] = {}
    figures = [_ready(name, stored, files) for name in FIGURES if name in stored.tables]
    page = (
        _environment()
        .get_template("template.html")
        .render(
            about=stored.about,
            title=words.label(stored.about.title, 200),
            chapters=_chapters(stored, figures),
            kicker=_kicker(stored),
            failures=first_screen.failures(stored),
            answer=first_screen.answer(stored),
            answers=first_screen.answers(stored),
            valued="total_value" in stored.tables,
            limits=leads.limits(stored),
            facts=_facts(stored),
            commands=[words.label(command, 200) for command in stored.about.commands],
            symbols=checks.SYMBOLS,
            footer=_footer(stored),
            css=Markup((_HERE / "style.css").read_text(encoding="utf-8")),
        )
    )
    return page, files


def _ready(name: str, stored: Stored, files: dict[str, str]) -> ReadyFigure:
    """Words and drawings of one figure; its drawings are put among the files as well."""
    figure, table, about = FIGURES[name], stored.tables[name], stored.about
    drawings = []
    if figure.draw is not None:
        for width, screen in SCREENS.get(figure.shape, ON_ALL_SCREENS).items():
            raw = svg.render(figure.draw(table, about, width))
            files[f"{name}-{width}.svg"] = svg.for_file(raw)
            inline = svg.for_page(raw, f"{name}{width}", screen, f"{name}-alt")
            drawings.append(Markup(inline))
    heading = figure.heading(table, about)
    texts = totals.guarded(name, figure.words(table, about), stored)
    numbers = None if figure.numbers is None else figure.numbers(table, about)
    return ReadyFigure(figure, heading, texts, numbers, drawings)


def _chapters(stored: Stored, figures: list[ReadyFigure]) -> list[Chapter]:
    """The chapters that have something to show; limits and how to reproduce are always there."""
    chapters = []
    for name, heading in CHAPTERS.items():
        of_chapter = [ready for ready in figures if ready.figure.chapter == name]
        if of_chapter or name in ("limits", "reproduce"):
            chapters.append(Chapter(name, heading, _lead(name, stored), of_chapter))
    return chapters


def _lead(name: str, stored: Stored) -> str:
    if name in leads.LEADS:
        return leads.LEADS[name](stored)
    if name == "checks":
        return checks.lead(stored.tables["checks"], stored.about)
    if name == "limits":
        return "What these numbers do not say."
    return "One command rebuilds this page without sampling, another repeats the whole run."


def _kicker(stored: Stored) -> str:
    """One line of origin, with both dates: until when trust was judged, and at which day value counts."""
    about = stored.about
    data_end = words.date(about.data_end)
    value_at = words.date(about.value_at) if about.value_at and "total_value" in stored.tables else None
    parts = [words.label(about.dataset, 60)]
    if value_at == data_end:
        parts.append(f"data to and value at {data_end}")
    else:
        parts.append(f"data to {data_end}")
        if value_at is not None:
            parts.append(f"value at {value_at}")
    if about.holdout_end:
        parts.append(f"trust judged from {words.date(about.calibration_end)}")
    parts.append(f"made {words.date(about.made)}")
    return " · ".join(parts)


def _facts(stored: Stored) -> list[tuple[str, str]]:
    """What is needed to repeat the run."""
    about = stored.about
    tree = "with uncommitted changes" if about.dirty else "clean"
    commit = f"{words.label(about.commit, 40)} ({tree})" if about.commit else "no commit"
    memory = f"{words.count(about.peak_memory_mib)} MiB"
    cores = words.counted(about.cores, "core")
    return [
        ("Commit", commit),
        ("Versions", ", ".join(f"{name} {version}" for name, version in about.versions.items())),
        ("Seed", f"{about.seed}, {words.counted(about.draws, 'draw')}"),
        ("Data", f"sha256 {about.data_sha256}"),
        ("Config", f"sha256 {about.config_sha256}"),
        ("Run", f"{words.seconds(about.wall_seconds)}, {cores}, {memory}"),
        ("Beside it", ", ".join(_files(stored))),
    ]


def _files(stored: Stored) -> list[str]:
    """What lies beside the page; of a public one no file of customers does."""
    names = ["config.yaml", "scores.csv", "checks.csv", "tables/*.csv", "figures/*.svg"]
    if stored.about.public:
        return names
    names += ["customers.csv", "customers.xlsx", "customers.by_entry.csv", "consolidated.csv", "dropped.csv"]
    of_figures = {"losses": "profit.csv", "leaving": "leaving.csv"}
    return names + [file for figure, file in of_figures.items() if figure in stored.tables]


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = prose
    environment.globals["right"] = _right
    return environment


def _footer(stored: Stored) -> Markup:
    """What stands at the foot of each printed page beside its number: the title and the day, as the text of a style.

    Whatever is no letter, digit or space is written by its number, so that no title ends the text or the style.
    """
    text = f"{words.label(stored.about.title, 70)} · {words.date(stored.about.made)}"
    safe = [c if c.isalnum() or c == " " else f"\\{ord(c):x} " for c in text]
    return Markup("".join(safe))


def prose(text: str) -> Markup:
    """Escaped text in which `**x**` stands out and a file's name is set as code."""
    safe = str(escape(text))
    safe = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", safe)
    safe = re.sub(r"\b((?:\w+\.)+(?:csv|parquet|yaml))\b", r"<code>\1</code>", safe)
    return Markup(safe)


def _right(numbers: Numbers) -> list[bool]:
    """Which columns hold numbers, and so are set to the right; the first names the row."""
    is_right = []
    for place in range(len(numbers.columns)):
        cells = [row[place] for row in numbers.rows]
        is_right.append(place > 0 and _is_numeric(cells))
    return is_right


def _is_numeric(cells: list[str]) -> bool:
    """Whether each cell that is not empty is short and has a digit."""
    filled = [cell for cell in cells if cell not in ("", "—")]
    return bool(filled) and all(_is_number(cell) for cell in filled)


def _is_number(cell: str) -> bool:
    has_digit = any(character.isdigit() for character in cell)
    return has_digit and len(cell) <= MOST_DIGITS

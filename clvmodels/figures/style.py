"""One style for every figure, and the marks that figures share.

A figure is drawn in CSS pixels: its size in inches is pixels / 72, so that font sizes are pixels too. Colours are
roles, not a cycle; the report swaps each of these values for a CSS variable, so that one drawing serves light, dark
and print. Layout is computed in DejaVu Sans, which is wide: narrower system fonts fit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clvmodels import words
from clvmodels.draws import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
    from matplotlib.text import Text

INK = "#1b1e23"  # what happened
BLUE = "#0072b2"  # the model
TEAL = "#007a59"  # a second series, dashed or apart
RED = "#b84a00"  # loss, failure
MUTED = "#5c6470"  # words, rivals
RULE = "#858d98"  # reference lines, chance
GRID = "#e3e6ea"
PAPER = "#ffffff"
COLOURS = {
    "ink": INK,
    "blue": BLUE,
    "teal": TEAL,
    "red": RED,
    "muted": MUTED,
    "rule": RULE,
    "grid": GRID,
    "paper": PAPER,
}
"""By the name of the variable that a page sets, light or dark."""

WIDE, NARROW = 688, 328
SIZE = 12
CHANCE_ALPHA, BAND_90, BAND_50 = 0.3, 0.2, 0.45

RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": SIZE,
    "text.color": INK,
    "text.parse_math": False,
    "text.hinting": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "clvmodels",
    "figure.dpi": 72,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": RULE,
    "axes.linewidth": 1,
    "axes.labelcolor": MUTED,
    "axes.labelsize": SIZE,
    "axes.labelpad": 3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": GRID,
    "grid.linewidth": 1,
    "xtick.color": RULE,
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": SIZE,
    "xtick.major.size": 4,
    "xtick.major.width": 1,
    "ytick.color": RULE,
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": SIZE,
    "ytick.major.size": 0,
    "lines.linewidth": 2,
    "lines.solid_capstyle": "butt",
    "lines.dash_capstyle": "butt",
    "path.simplify": True,
    "path.simplify_threshold": 0.3,
}


def styled[**P, R](draw: Callable[P, R]) -> Callable[P, R]:
    """Run a drawing under this style, whatever the caller's own settings are."""

    @functools.wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        from matplotlib import style

        with style.context(["default", RC]):
            return draw(*args, **kwargs)

    return inside


def canvas(width: int, height: float) -> Canvas:
    """An empty figure of this size in pixels, apart from pyplot's state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width / 72, height / 72), dpi=72)


def panel(figure: Canvas, left: float, right: float, top: float, bottom: float) -> Axes:
    """Axes with these margins in pixels."""
    width, height = (side * 72 for side in figure.get_size_inches())
    box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    return figure.add_axes(box)


def whole(axes: Axes) -> Canvas:
    """The figure that axes stand in."""
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("axes without a figure")
    return figure


def pixels(axes: Axes) -> tuple[float, float]:
    """Width and height of axes in pixels."""
    width, height = (side * 72 for side in whole(axes).get_size_inches())
    return axes.get_position().width * width, axes.get_position().height * height


@functools.lru_cache(maxsize=4096)
def text_width(text: str, weight: str = "normal", size: float = SIZE) -> float:
    """Width of a line in pixels, in the font that layout is computed in."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", weight=weight, size=size)
    return text_to_path.get_text_width_height_descent(plain(text), font, False)[0]


def plain(text: str) -> str:
    """Text of a drawing: it never breaks, so it needs no joiners, which some fonts draw as a box."""
    return text.replace("\u2060", "").replace("\u00a0", " ")


def say(axes: Axes, x: float, y: float, text: str, colour: str = INK, **options: Any) -> Text:
    """A label, in data coordinates unless a transform is given."""
    return axes.text(x, y, plain(text), color=colour, **options)


def shift(axes: Axes, x: float = 0, y: float = 0):
    """Data coordinates moved by pixels, right and up."""
    from matplotlib.transforms import ScaledTranslation

    return axes.transData + ScaledTranslation(x / 72, y / 72, axes.figure.dpi_scale_trans)


def name_y(axes: Axes, text: str, colour: str = MUTED, rise: float = 12) -> None:
    """The name of the vertical axis: flat, above it, from the figure's left edge."""
    left = axes.get_position().x0 * whole(axes).get_size_inches()[0] * 72
    axes.annotate(
        plain(text), (0, 1), (1 - left, rise), "axes fraction", "offset pixels", color=colour, va="bottom", ha="left"
    )


def name_x(axes: Axes, text: str) -> None:
    """The name of the horizontal axis, below its middle."""
    axes.set_xlabel(plain(text))


def ticks(low: float, high: float, most: int = 6, *, whole: bool = False) -> list[float]:
    """Round ticks inside a range."""
    from matplotlib.ticker import MaxNLocator

    slack = 1e-9 * (high - low)
    inside = []
    for tick in MaxNLocator(most, steps=[1, 2, 2.5, 5, 10], integer=whole).tick_values(low, high):
        if low - slack <= tick <= high + slack:
            inside.append(0.0 if abs(tick) < slack else float(tick))
    return inside


def unit_of(largest: float, least: float) -> tuple[float, str]:
    """The largest unit of which there are at least so many, with its letter: 1 where there is none."""
    for unit, letter in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if largest >= least * unit:
            return unit, letter
    return 1.0, ""


def tick_names(values: Sequence[float], end: str = "") -> list[str]:
    """Labels of ticks, all in one unit: 0, 50k, 100k."""
    step = float(min(np.diff(values))) if len(values) > 1 else 1.0
    digits = words.value_step(step, 2)
    # one digit where it tells the step exactly (50k, 100k), else two (25k, 50k)
    exact = next((d for d in (10 * digits, digits) if abs(round(step / d) * d - step) < 1e-9 * step), digits)
    unit, letter = unit_of(max(map(abs, values), default=0), 10)
    names = []
    for value in values:
        suffix = letter if value else ""
        names.append(plain(words.number(value / unit, exact / unit)) + suffix + end)
    return names


def x_ticks(axes: Axes, values: Iterable[float], names: Sequence[str] | None = None) -> None:
    places = [float(value) for value in values]
    axes.set_xticks(places, [plain(n) for n in (names or tick_names(places))])


def y_ticks(axes: Axes, values: Iterable[float], names: Sequence[str] | None = None, grid: bool = True) -> None:
    places = [float(value) for value in values]
    axes.set_yticks(places, [plain(n) for n in (names or tick_names(places))])
    if grid:
        axes.grid(axis="y")


def interval(axes: Axes, y: float, q: Sequence[float], colour: str = BLUE, *, high: bool = False) -> None:
    """White dot: median; thick bar: 50%; thin bar: 90%. `q` are the 5, 25, 50, 75 and 95% quantiles."""
    low, low_half, middle, high_half, upper = q
    axes.plot([low, upper], [y, y], color=colour, linewidth=2, alpha=0.65, clip_on=False, zorder=3)
    axes.plot([low_half, high_half], [y, y], color=colour, linewidth=6, clip_on=False, zorder=3)
    dot: dict = {"markerfacecolor": PAPER, "markeredgecolor": colour, "markeredgewidth": 1.5}
    axes.plot(middle, y, "o", markersize=7 if high else 6, clip_on=False, zorder=4, **dot)


def bands(axes: Axes, x: Sequence[float], q: Any, colour: str = BLUE, **options: Any) -> None:
    """The 90% band, and the 50% band in it; `q` has the columns q5, q25, q75, q95."""
    axes.fill_between(x, q["q5"], q["q95"], color=colour, alpha=BAND_90, linewidth=0, **options)
    axes.fill_between(x, q["q25"], q["q75"], color=colour, alpha=0.3, linewidth=0, **options)


def cells(axes: Axes, boxes: Any, counts: Any) -> None:
    """Boxes (left, right, bottom, top) in eight shades of one blue, by the root of the count.

    All of a shade are one path, in which neighbours in a row are one box.
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    shades = np.ceil(8 * np.sqrt(counts / counts.max()))
    for shade in np.unique(shades):
        paths = [Path(corners, closed=True) for corners in _joined(boxes[shades == shade])]
        path = Path.make_compound_path(*paths)
        alpha = round(0.06 + 0.09 * float(shade), 2)
        axes.add_patch(PathPatch(path, color=BLUE, alpha=alpha, linewidth=0))


def _joined(boxes: Any) -> list[list[tuple[float, float]]]:
    """The corners of boxes of one shade, neighbours in a row joined."""
    row_by_row = np.lexsort((boxes[:, 0], boxes[:, 2]))  # from the left
    left, right, bottom, top = boxes[row_by_row].T
    begins = _begins_anew(left, right, bottom)
    ends = np.append(begins[1:], True)
    joined = np.column_stack([left[begins], right[ends], bottom[begins], top[begins]])
    return [_corners(*box) for box in joined]


def _begins_anew(left: Any, right: Any, bottom: Any) -> Any:
    """Which boxes do not go on from the one before: in another row, or apart from it."""
    is_in_next_row = bottom[1:] != bottom[:-1]
    is_apart = np.abs(left[1:] - right[:-1]) > 1e-9 * right.max()
    return np.append(True, is_in_next_row | is_apart)


def _corners(left: float, right: float, bottom: float, top: float) -> list[tuple[float, float]]:
    """Once around a box, to where it began."""
    return [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]


def spread(centres: Sequence[float], widths: Sequence[float], low: float, high: float, gap: float = 10) -> list[float]:
    """Move the centres of labels on a line apart, as little as needed, so that none overlaps or leaves [low, high]."""
    placed: list[float] = []
    edge = low
    for centre, width in zip(centres, widths, strict=True):
        placed.append(max(centre, edge + width / 2))
        edge = placed[-1] + width / 2 + gap
    edge = high
    for place in range(len(placed) - 1, -1, -1):
        placed[place] = min(placed[place], edge - widths[place] / 2)
        edge = placed[place] - widths[place] / 2 - gap
    return placed


def above(axes: Axes, rise: float, x: float = 0):
    """Fractions of the axes, moved by pixels: for words above a panel."""
    from matplotlib.transforms import ScaledTranslation

    return axes.transAxes + ScaledTranslation(x / 72, rise / 72, axes.figure.dpi_scale_trans)


def beside(axes: Axes, move: float, rise: float = 0):
    """x in fractions of the axes, y in data, moved by pixels: for columns of words right of a panel."""
    from matplotlib.transforms import ScaledTranslation

    return axes.get_yaxis_transform() + ScaledTranslation(move / 72, rise / 72, axes.figure.dpi_scale_trans)


type Column = tuple[str, float, list[str]]
"""Title, width in pixels and cells, from the top down, of a column of words right of a panel."""


def column(title: str, cells: list[str]) -> Column:
    """A column as wide as what stands in it."""
    return title, max(map(text_width, (title, *cells))), cells


def write_columns(axes: Axes, columns: list[Column], heights: Array, rise: float = 8) -> None:
    """Columns right of a panel whose first row lies half a unit below its top; the titles `rise` pixels above it."""
    move = 0.0
    for title, size, cells in columns:
        move += size + 18
        say(axes, 1, 0.5, title, MUTED, ha="right", va="bottom", transform=beside(axes, move, rise))
        for y, cell in zip(heights, cells, strict=True):
            say(axes, 1, y, cell, ha="right", va="center", transform=beside(axes, move))


def wrap(text: str, width: float, most: int) -> list[str]:
    """A text in at most so many lines of this width in pixels; what does not fit ends in an ellipsis."""
    lines = [""]
    for word in words.label(text, 200).split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1] + words.ELLIPSIS]
    return [_cut(line, width) for line in lines]


def row_names(names: Sequence[str], wide: bool) -> list[str]:
    """Names of rows: one line in the wide drawing, up to two short ones in the small."""
    return ["\n".join(wrap(name, 190 if wide else 104, 1 if wide else 2)) for name in names]


def room(names: Sequence[str], least: float = 60) -> float:
    """The left margin that rows' names need."""
    widths = [text_width(line) for name in names for line in name.split("\n")]
    return max(least, max(widths, default=0) + 14)


def _cut(line: str, width: float) -> str:
    while text_width(line) > width and len(line) > 2:
        line = line[:-2].rstrip() + words.ELLIPSIS
    return line

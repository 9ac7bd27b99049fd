"""A drawing told in lines of text: what stands where, in whole pixels from the left and from the bottom.

It is compared with a stored text, so that a moved mark, another colour or a lost word is seen as a difference of lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from fakes.says import Says, stored
from matplotlib.axes import Axes
from matplotlib.collections import Collection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from clvmodels.figures import FIGURES
from clvmodels.figures.style import COLOURS, NARROW, WIDE

FOLDER = Path(__file__).parents[1] / "figures" / "drawn"
NAMES = {value: name for name, value in COLOURS.items()}
ACCEPT = "make drawings, and look at the difference"
SHOWN = 8
"""Points of a line that are told one by one; of more, every so-manyth."""


def drawings(name: str, cases: Mapping[str, Says]) -> str:
    """Each case's drawing at both widths, as text."""
    blocks = []
    for title, case in cases.items():
        run = case.run()
        table = stored(FIGURES[name].table(run))
        for width in (WIDE, NARROW):
            canvas = FIGURES[name].draw(table, run.about, width)
            blocks.append("\n".join([f"## {title}, {width} pixels", *told(canvas)]))
    return "\n\n".join(blocks) + "\n"


def check_drawings(name: str, cases: Mapping[str, Says], accept: bool) -> None:
    """The drawings are the stored ones; with `accept` those of now are stored."""
    path = FOLDER / f"{name}.txt"
    found = drawings(name, cases)
    if accept:
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert path.is_file(), f"no stored drawings of '{name}': {ACCEPT}"
    assert found == path.read_text(encoding="utf-8"), f"'{name}' is drawn otherwise; where that is meant: {ACCEPT}"


def told(canvas: Canvas) -> Iterator[str]:
    """The page, its axes, and every mark and word on them that is seen."""
    width, height = canvas.get_size_inches() * 72
    yield f"page {width:.0f} x {height:.0f}"
    for axes in canvas.axes:
        yield from _axes(axes)


def _axes(axes: Axes) -> Iterator[str]:
    (left, bottom), (right, top) = axes.transAxes.transform([(0, 0), (1, 1)])
    ends = [f"{end:.4g}" for end in (*axes.get_xlim(), *axes.get_ylim())]
    scales = f"x {ends[0]} to {ends[1]} {axes.get_xscale()}, y {ends[2]} to {ends[3]} {axes.get_yscale()}"
    yield f"axes {left:.0f},{bottom:.0f} to {right:.0f},{top:.0f}: {scales}"
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        lines = "with lines" if any(line.get_visible() for line in axis.get_gridlines()) else "without lines"
        labels = [label.get_text() for label in axis.get_ticklabels()]
        told_of = ", ".join(
            f"{place:.4g} {text!r}" for place, text in zip(axis.get_majorticklocs(), labels, strict=True)
        )
        yield f"{name} ticks {lines}: {told_of}"
        if axis.label.get_text():
            yield f"{name} name {axis.label.get_text()!r}"
    for artist in axes.get_children():
        if artist.get_visible():
            yield from _artist(artist, axes)


def _artist(artist: Any, axes: Axes) -> Iterator[str]:
    if isinstance(artist, Text) and artist.get_text():
        x, y = _place(artist.get_transform(), artist.get_position())
        how = f"{_colour(artist.get_color())} {artist.get_fontweight()} {artist.get_ha()} {artist.get_va()}"
        turned = f" turned {artist.get_rotation():.0f}" if artist.get_rotation() else ""
        yield f"text {x:.0f},{y:.0f} {how}{turned} {artist.get_text()!r}"
    elif isinstance(artist, Line2D):
        pixels = _place(artist.get_transform(), artist.get_xydata())
        mark = f"{artist.get_linestyle()} {artist.get_linewidth():g}"
        if artist.get_marker() != "None":
            face, edge = _colour(artist.get_markerfacecolor()), _colour(artist.get_markeredgecolor())
            mark += f" {artist.get_marker()} {artist.get_markersize():.3g} {face}"
            mark += f" in {edge} {artist.get_markeredgewidth():g}"
        shown = "" if artist.get_alpha() is None else f" {artist.get_alpha():g}"
        yield f"line {_colour(artist.get_color())} {mark}{shown}{_layer(artist)}: {_points(pixels)}"
    elif isinstance(artist, PathCollection):
        pixels = _place(artist.get_offset_transform(), artist.get_offsets())
        (face, *_), sizes = artist.get_facecolor(), ", ".join(f"{size:.3g}" for size in artist.get_sizes()[:SHOWN])
        edges = f"{artist.get_linewidth()[0]:g}"
        yield f"dots {_colour(face)} {face[3]:.3g} of {sizes} in {edges}{_layer(artist)}: {_points(pixels)}"
    elif isinstance(artist, Collection):
        for place, path in enumerate(artist.get_paths()):
            pixels = _place(artist.get_transform(), path.vertices)
            faces, edges = artist.get_facecolor(), artist.get_edgecolor()
            faint = faces[place % len(faces)] if len(faces) else [0, 0, 0, 0]
            edge = _colour(edges[place % len(edges)]) if len(edges) else "no edge"
            edge += f" {artist.get_linewidth()[0]:g}{_layer(artist)}"
            yield f"area {_colour(faint)} {faint[3]:.3g} {edge}: {_box(pixels)}, {len(path.vertices)} corners"
    elif isinstance(artist, Patch) and artist is not axes.patch:
        pixels = _place(artist.get_transform(), artist.get_path().vertices)
        face, edge = artist.get_facecolor(), f"{artist.get_linewidth():g}{_layer(artist)}"
        yield f"box {_colour(face)} {face[3]:.3g} {edge}: {_box(pixels)}"


LAYERS = {Line2D: 2, Collection: 1, Patch: 1}
"""Where marks stand one over the other if nothing is said."""


def _layer(artist: Any) -> str:
    """What may hide a mark: another that stands over it, the end of the axes."""
    usual = next(layer for kind, layer in LAYERS.items() if isinstance(artist, kind))
    over = "" if artist.get_zorder() == usual else f" over {artist.get_zorder():g}"
    return over + ("" if artist.get_clip_on() else " beyond the axes")


def _place(transform: Any, points: Any) -> np.ndarray:
    return np.asarray(transform.transform(np.asarray(points, dtype=float)))


def _points(pixels: np.ndarray) -> str:
    step = max(1, -(-len(pixels) // SHOWN))
    some = " ".join(f"{x:.0f},{y:.0f}" for x, y in pixels[::step])
    return some if step == 1 else f"{some} .. of {len(pixels)}"


def _box(pixels: np.ndarray) -> str:
    (left, bottom), (right, top) = np.nanmin(pixels, axis=0), np.nanmax(pixels, axis=0)
    return f"{left:.0f},{bottom:.0f} to {right:.0f},{top:.0f}"


def _colour(colour: Any) -> str:
    if isinstance(colour, str) and colour in ("none", "auto"):
        return colour
    return NAMES.get(to_hex(colour), to_hex(colour))

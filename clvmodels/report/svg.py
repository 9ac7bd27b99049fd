"""A drawing as SVG: as a file of its own with fixed colours, and as a part of the page that follows its theme.

In the page, the eight role colours become CSS variables, ids carry the figure's name (those of several drawings
would collide), fonts are inherited, and coordinates are rounded: in attributes only, since rounding words would turn
0.25 into 0.2.
"""

from __future__ import annotations

import html
import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from clvmodels.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_COORDINATES = {"d", "x", "y", "transform", "width", "height", "points", "viewBox"}
_NUMBER = re.compile(r"-?\d+\.\d+")
_REFERENCE = re.compile(r"(^|url\()#([\w.-]+)")
_COLOURS = re.compile("|".join(style.COLOURS.values()), re.IGNORECASE)
_VARIABLES = {value: f"var(--{role})" for role, value in style.COLOURS.items()}
_INHERITED = {"stroke-linejoin: miter", "stroke-linecap: butt", f"font-size: {style.SIZE}px", f"fill: {style.MUTED}"}


@style.styled
def render(canvas: Canvas) -> str:
    """The drawing as matplotlib writes it: reproducible, text as text."""
    out = io.StringIO()
    canvas.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return out.getvalue()


def for_file(text: str) -> str:
    """A file of its own, on paper: it keeps the colours and stands alone in a slide."""
    paper = f'<rect width="100%" height="100%" fill="{style.PAPER}"/>'
    return re.sub(r"(<svg\b[^>]*>)", lambda found: found[0] + "\n " + paper, text, count=1)


def for_page(text: str, name: str, css_class: str, labelled_by: str) -> str:
    """A part of the page: themed, its ids its own, named by the paragraph `labelled_by`."""
    root = ElementTree.fromstring(text)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rsplit("}")[-1] in ("metadata", "style"):
                parent.remove(child)
    _rename_ids(root, name)
    for element in root.iter():
        _tidy(element)
    _drop_empty(root)
    box = root.get("viewBox", "")
    start = (
        f'<svg viewBox="{html.escape(_rounded(box))}" class="{css_class}" role="img" '
        f'aria-labelledby="{labelled_by}" focusable="false">'
    )
    return start + "".join(_written(child) for child in root) + "</svg>"


def _rename_ids(root: ElementTree.Element, name: str) -> None:
    """Short ids that begin with the drawing's name; ids that nothing refers to go."""
    used: list[str] = []
    for element in root.iter():
        for value in element.attrib.values():
            used += [reference[2] for reference in _REFERENCE.finditer(value)]
    new = {old: f"{name}-{number}" for number, old in enumerate(dict.fromkeys(used))}

    def renamed(reference: re.Match[str]) -> str:
        start, old = reference[1], reference[2]
        return f"{start}#{new.get(old, old)}"

    for element in root.iter():
        element_id = element.attrib.pop("id", None)
        if element_id in new:
            element.set("id", new[element_id])
        for key, value in list(element.attrib.items()):
            if key != "id":
                element.set(key, _REFERENCE.sub(renamed, value))


def _rounded(value: str) -> str:
    def short(found: re.Match[str]) -> str:
        text = f"{float(found[0]):.1f}".rstrip("0").rstrip(".")
        return "0" if text == "-0" else text

    return _NUMBER.sub(short, value)


def _tidy(element: ElementTree.Element) -> None:
    for key, value in list(element.attrib.items()):
        if key in _COORDINATES:
            value = " ".join(_rounded(value).split())
            element.set(key, re.sub(r" ?([A-Za-z]) ?", r"\1", value) if key == "d" else value)
        if key == "style":
            element.set(key, _style(value, element.tag == f"{_SVG}text"))
    transform = element.get("transform", "")
    if transform.startswith(("rotate(-0 ", "rotate(0 ")):
        del element.attrib["transform"]
    if element.get("style") == "":
        del element.attrib["style"]


def _style(value: str, words: bool) -> str:
    """Themed; of words only what differs from the page's rule for them: 12 px, muted."""
    parts = []
    for part in value.split(";"):
        part = part.strip()
        key, _, content = part.partition(":")
        if not part or key == "font-family" or (words and part in _INHERITED):
            continue
        content = _COLOURS.sub(lambda found: _VARIABLES[found[0].lower()], content.strip())
        parts.append(f"{key.strip()}:{_rounded_opacity(content)}")
    return ";".join(parts)


def _rounded_opacity(content: str) -> str:
    if not re.fullmatch(r"\d+\.\d{3,}", content):
        return content
    return f"{float(content):.2f}".rstrip("0").rstrip(".")


def _drop_empty(root: ElementTree.Element) -> None:
    """Groups without anything in them, and paths that are not painted."""
    for parent in list(root.iter())[::-1]:
        for child in list(parent):
            tag = child.tag.removeprefix(_SVG)
            is_unpainted = tag == "path" and child.get("style", "") in ("fill:none", "fill:none;opacity:0")
            is_empty = tag in ("g", "defs") and len(child) == 0 and not child.get("id")
            if is_unpainted or is_empty:
                parent.remove(child)


def _written(element: ElementTree.Element) -> str:
    """The element as HTML holds it: no namespaces, all words escaped. A group without attributes is not written."""
    tag = element.tag.removeprefix(_SVG)
    inside = html.escape(element.text or "", quote=False) if tag == "text" else ""
    inside += "".join(_written(child) for child in element)
    if tag == "g" and not element.attrib:
        return inside
    start = f"<{tag}"
    for key, value in element.attrib.items():
        name = "href" if key == _LINK else key
        start += f' {name}="{html.escape(value)}"'
    return f"{start}>{inside}</{tag}>" if inside else f"{start}/>"

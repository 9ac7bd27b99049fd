"""The bytes of a text file as text: its encoding, by its mark where it has one, and one ending for all its lines.

The engine reads UTF-8 whose lines all end alike. A file that is otherwise is written anew as such, decoded strictly:
what is no text of the stated encoding is told with its line, and never replaced.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from clvmodels.errors import DataError, Problem

ENCODINGS = ("utf-8", "cp1252", "latin-1", "utf-16")
"""Those that messages name; others that Python knows are read too."""
BLOCK = 1 << 20  # bytes read at once; a header is shorter
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as the mark of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF8 = ("utf-8", "utf-8-sig")
_CONTROLS = re.compile("[\x80-\x84\x86-\x9f]")
"""Characters of Latin-1 that no text has; in Windows-1252 they are dashes, quotes and the euro sign."""


class LineEnds(NamedTuple):
    """How many lines a file has, and whether they end in several ways."""

    lines: int
    are_mixed: bool


def is_encoding(name: str) -> bool:
    """Whether Python reads text of this encoding."""
    try:
        "".encode(name)
    except (LookupError, ValueError):
        return False
    return True


def blocks_of(path: Path, where: str) -> Iterator[bytes]:
    """The bytes of a file, decompressed, piece by piece."""
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            while block := stream.read(BLOCK):
                yield block
    except OSError as error:
        raise DataError(Problem("cannot be decompressed", where, got=str(error).splitlines()[0])) from error


def codec_of(block: bytes, encoding: str, where: str) -> str:
    """The codec that reads a file which begins so: by its mark, else as stated; UTF-16 without a mark by its zeros.

    Raises
    ------
    DataError
        It is UTF-16 by its zeros alone and not stated to be, or the other way round.
    """
    for mark, codec in _MARKS:
        if block.startswith(mark):
            return codec
    zeros_first, zeros_second = block[:1000:2].count(0), block[1:1000:2].count(0)
    has_zeros = 4 * (zeros_first + zeros_second) >= len(block[:1000])
    stated = codecs.lookup(encoding).name
    if stated == "utf-16":
        if not has_zeros:
            what = "is not utf-16 text: it has no mark of it, and no zero bytes"
            raise DataError(Problem(what, where, known=_advice(block)))
        return "utf-16-be" if zeros_first > zeros_second else "utf-16-le"
    if stated == "utf-8" and has_zeros:
        raise DataError(
            Problem("is not utf-8 text: every other byte is 0", where, known="State its encoding: 'utf-16'")
        )
    return stated


def is_utf8(codec: str) -> bool:
    """Whether the engine reads the file as it stands."""
    return codec in _UTF8


def decoded(block: bytes, codec: str, where: str) -> str:
    """The text that a file begins with."""
    return next(_texts(iter([block]), codec, where), "")


def lines_of(path: Path, where: str) -> LineEnds:
    """Counted in the bytes of UTF-8 text."""
    feeds, returns, pairs, last = 0, 0, 0, b""
    for block in blocks_of(path, where):
        feeds += block.count(b"\n")
        its_returns = block.count(b"\r")
        if its_returns or last == b"\r":
            pairs += block.count(b"\r\n") + (last == b"\r" and block[:1] == b"\n")
        returns, last = returns + its_returns, block[-1:]
    are_alike = returns == 0 or feeds == 0 or feeds == returns == pairs
    return LineEnds(feeds + (last not in (b"\n", b"")), not are_alike)


def rewrite(path: Path, copy: Path, codec: str, where: str, skipped_lines: int) -> None:
    """Write the text of a file as UTF-8 with one ending for all lines, without its first lines."""
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    with copy.open("w", encoding="utf-8", newline="\n") as file:
        for text in _texts(blocks_of(path, where), codec, where):
            text = newlines.decode(text)
            while skipped_lines and "\n" in text:
                text = text.partition("\n")[2]
                skipped_lines -= 1
            if not skipped_lines:
                file.write(text)
        file.write(newlines.decode("", final=True) if not skipped_lines else "")


def _texts(blocks: Iterator[bytes], codec: str, where: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(codec)()
    lines = 1
    last = b""
    for block in blocks:
        last = block
        try:
            text = decoder.decode(block)
        except UnicodeError as error:
            raise DataError(_undecodable(error, block, codec, where, lines)) from error
        wrong = _CONTROLS.search(text) if codec == "iso8859-1" else None
        if wrong is not None:
            line = lines + text.count("\n", 0, wrong.start())
            raise DataError(_wrong_encoding(where, "latin-1", line, "State its encoding: 'cp1252'"))
        lines += text.count("\n")
        yield text
    if codec not in _UTF8:  # of a header's block the last character may be cut
        try:
            decoder.decode(b"", final=len(last) < BLOCK)
        except UnicodeError as error:
            raise DataError(_undecodable(error, last, codec, where, lines)) from error


def _undecodable(error: UnicodeError, block: bytes, codec: str, where: str, lines: int) -> Problem:
    """The problem of bytes that are none of the encoding's."""
    start = error.start if isinstance(error, UnicodeDecodeError) else 0
    line = lines + block[:start].count(b"\n")
    name = "utf-8" if codec in _UTF8 else codec
    if codec.startswith("utf-16"):
        return Problem(f"is damaged utf-16 text, first at line {line}", where, str(error).splitlines()[0])
    return _wrong_encoding(where, name, line, _advice(block))


def wrong_utf8(where: str, line: int) -> DataError:
    """The refusal of a line that is not UTF-8, of which no more is known."""
    return DataError(_wrong_encoding(where, "utf-8", line, _advice(b"\x80")))


def _wrong_encoding(where: str, name: str, line: int, advice: str) -> Problem:
    return Problem(f"is not {name} text, first at line {line}", where, known=advice)


def _advice(block: bytes) -> str:
    """Which encodings read the bytes: Windows' own, which Excel writes, where all of them are characters of it."""
    try:
        block.decode("cp1252")
    except UnicodeDecodeError:
        return "State its encoding: 'latin-1', or another name that Python knows, such as 'cp850'"
    return (
        "State its encoding: 'cp1252', as Excel on Windows writes CSV, or another name, such as 'cp1250' or 'latin-1'"
    )

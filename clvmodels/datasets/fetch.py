"""Find a public data file on this machine, or download it from its publisher: with progress, resumed, checked.

Looked for in this order: the folder named by CLVMODELS_DATA, the user's cache, the publisher. A file that is pinned
by its sha256 must have it; of the others the archive's sum is written down beside the file at the first download
("unpinned"), and a later download that differs is refused. What a table contains is checked by its reader.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import platformdirs
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from clvmodels.errors import DataError, Problem

VARIABLE = "CLVMODELS_DATA"
ATTEMPTS, TIMEOUT = 3, 30  # seconds without a byte
_BLOCK = 1 << 16


class Remote(NamedTuple):
    """A file inside a publisher's zip archive.

    `path` is where it belongs inside a data folder; `member` its name in the archive; `sha256` that of the file, where
    it is pinned.
    """

    path: str
    url: str
    member: str
    licence: str
    sha256: str | None = None


def cache_folder() -> Path:
    """Where downloads are kept."""
    return Path(platformdirs.user_cache_dir("clvmodels"))


def find(*paths: str) -> Path | None:
    """The first of these files (relative to a data folder) in the folder named by CLVMODELS_DATA, then in the cache."""
    folders = [cache_folder()]
    named_folder = os.environ.get(VARIABLE)
    if named_folder:
        if not Path(named_folder).is_dir():
            advice = "Set it to the folder of the data, or unset it"
            raise DataError(Problem("names no folder", VARIABLE, named_folder, advice))
        folders.insert(0, Path(named_folder))
    for folder in folders:
        for path in paths:
            if (folder / path).is_file():
                return folder / path
    return None


def download(remote: Remote) -> Path:
    """Fetch a file into the cache and check it; says the licence. Raises DataError with what to do next."""
    target = cache_folder() / remote.path
    target.parent.mkdir(parents=True, exist_ok=True)
    archive = target.parent / PurePosixPath(remote.url).name
    console = Console(stderr=True)
    console.print(f"Downloading {remote.url}\nLicence: {remote.licence}", highlight=False)
    _transfer(remote, archive, console)
    try:
        _unpack(remote, archive, target)
    finally:
        archive.unlink(missing_ok=True)
    console.print(f"Kept as {target}", highlight=False, soft_wrap=True)
    return target


def by_hand(remote: Remote) -> str:
    """What to do where the download does not work."""
    return (
        f"Or fetch {remote.url} by other means and put {remote.member} as {remote.path} into a folder of your own, "
        f"and set {VARIABLE} to that folder"
    )


def _transfer(remote: Remote, archive: Path, console: Console) -> None:
    """Download into a .part file, going on where an earlier attempt stopped, and rename it when it is whole."""
    part = archive.with_name(archive.name + ".part")
    columns = TextColumn(archive.name), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    reason = ""
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(archive.name, total=None)
        for _attempt in range(ATTEMPTS):
            try:
                reason = _receive(remote, part, progress, task)
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    raise DataError(_refused(remote, error)) from error
                reason = f"the server answered {error.code} {error.reason}"
            except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
                reason = str(getattr(error, "reason", error)) or type(error).__name__
            if not reason:
                part.replace(archive)
                return
    got = f"{reason}; {_size(part):,} bytes have arrived"
    advice = f"Run it again to go on from there. {by_hand(remote)}"
    raise DataError(Problem(f"could not be downloaded in {ATTEMPTS} attempts", remote.url, got, advice))


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _refused(remote: Remote, error: urllib.error.HTTPError) -> Problem:
    what = f"the server answered {error.code} {error.reason}"
    return Problem(what, remote.url, known=f"The publisher may have moved the file. {by_hand(remote)}")


def _receive(remote: Remote, part: Path, progress: Progress, task: TaskID) -> str:
    """One attempt: "" when the file is whole, else why it is not."""
    arrived = _size(part)
    request = urllib.request.Request(remote.url, headers={"User-Agent": "clvmodels"})
    if arrived:
        request.add_header("Range", f"bytes={arrived}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        part.unlink()  # nothing follows what we have: it is whole or not ours, and the next attempt starts afresh
        return "the part that had arrived was of no use"
    with response:
        is_part = response.status == 206
        resumed = is_part and response.headers.get("Content-Range", "").startswith(f"bytes {arrived}-")
        if is_part and not resumed:
            part.unlink()
            return "the server sent another part than the one asked for"
        start = arrived if resumed else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        progress.update(task, total=total, completed=start)
        with part.open("ab" if resumed else "wb") as file:
            while block := response.read(_BLOCK):
                file.write(block)
                progress.update(task, advance=len(block))
    size = part.stat().st_size
    if total is not None and size != total:
        return f"the connection ended at {size:,} of {total:,} bytes"
    return ""


def _unpack(remote: Remote, archive: Path, target: Path) -> None:
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    _compare_with_record(remote, archive, digest)
    fresh = target.with_name(target.name + ".new")
    try:
        with zipfile.ZipFile(archive) as zipped:
            names = {PurePosixPath(n).name.lower(): n for n in zipped.namelist()}
            if remote.member.lower() not in names:
                members = ", ".join(names) or "nothing"
                raise DataError(Problem(f"holds no {remote.member}", remote.url, members, by_hand(remote)))
            with zipped.open(names[remote.member.lower()]) as source, fresh.open("wb") as copy:
                shutil.copyfileobj(source, copy)
        _check_pin(remote, fresh)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        what = "what arrived is no zip archive, or a damaged one"
        raise DataError(Problem(what, remote.url, str(error), by_hand(remote))) from error
    else:
        fresh.replace(target)
        _record(archive).write_text(f"{digest}  {archive.name}  (unpinned: recorded at the first download)\n")
    finally:
        fresh.unlink(missing_ok=True)


def _check_pin(remote: Remote, file: Path) -> None:
    if remote.sha256 is None:
        return
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != remote.sha256:
        what = f"{remote.member} is not the file that is known: sha256 {digest[:12]}..., not {remote.sha256[:12]}..."
        raise DataError(Problem(what, remote.url, known=by_hand(remote)))


def _record(archive: Path) -> Path:
    return archive.with_name(archive.name + ".sha256")


def _compare_with_record(remote: Remote, archive: Path, digest: str) -> None:
    record = _record(archive)
    if record.exists() and not record.read_text().startswith(digest):
        first = record.read_text()[:12]
        what = f"the archive has changed since the first download: sha256 {digest[:12]}..., then {first}..."
        raise DataError(Problem(what, remote.url, known=f"Delete {record} to accept the new one"))


def check_content(content: Mapping[str, object], expected: Mapping[str, object], path: Path) -> None:
    """Compare what a table holds after parsing with what is known of it."""
    wrong = [
        Problem(f"{name} should be {value}", path.name, str(content[name]))
        for name, value in expected.items()
        if content[name] != value
    ]
    if wrong:
        what = f"{path} does not hold the data that are known"
        raise DataError([Problem(what, known=f"Delete it to download it again, or set {VARIABLE}"), *wrong])

"""The downloader against a real HTTP server on loopback: broken transfers, resumption, wrong sums, errors that help."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clvmodels.datasets import cdnow, fetch
from clvmodels.errors import DataError

CONTENT = bytes(range(256)) * 2000


def archive(content: bytes = CONTENT, member: str = "folder/Data.txt", compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as zipped:
        zipped.writestr("read me.txt", "terms")
        zipped.writestr(member, content)
    return buffer.getvalue()


class Server:
    """Serves one body; `breaks` are the numbers of bytes after which the next connections are cut."""

    def __init__(self):
        self.body, self.breaks, self.ranges, self.status = archive(), [], True, 200
        self.asked: list[str | None] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *_args):
                """Silence."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/data/Archive.zip"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.asked.append(asked)
        if self.status != 200:
            request.send_error(self.status)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.ranges else 0
        if start and start >= len(self.body):
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(self.body) - 1}/{len(self.body)}")
        part = self.body[start:]
        request.send_header("Content-Length", str(len(part)))
        request.end_headers()
        request.wfile.write(part[: self.breaks.pop(0)] if self.breaks else part)


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.delenv("CLVMODELS_DATA", raising=False)
    monkeypatch.setattr(fetch, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def remote(server: Server, **changes) -> fetch.Remote:
    known = hashlib.sha256(CONTENT).hexdigest()
    return fetch.Remote("set/Data.txt", server.url, "Data.txt", "free for tests", known)._replace(**changes)


def leftovers(cache: Path) -> list[str]:
    return sorted(p.name for p in (cache / "set").iterdir())


def test_a_download_is_checked_kept_and_its_sum_recorded(server, cache, capsys):
    path = fetch.download(remote(server))
    assert path == cache / "set" / "Data.txt" and path.read_bytes() == CONTENT
    assert fetch.find("set/Data.txt") == path
    assert leftovers(cache) == ["Archive.zip.sha256", "Data.txt"]
    record = (cache / "set" / "Archive.zip.sha256").read_text()
    assert record.startswith(hashlib.sha256(server.body).hexdigest()) and "unpinned" in record
    said = capsys.readouterr().err
    assert server.url in said and "Licence: free for tests" in said and "Data.txt" in said


def test_an_interrupted_transfer_goes_on_where_it_stopped(server, cache):
    server.breaks = [100_000, 70_000]
    assert fetch.download(remote(server)).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=170000-"]


def test_a_transfer_that_keeps_breaking_is_resumed_by_the_next_run(server, cache):
    server.breaks = [100_000, 10, 20]
    with pytest.raises(DataError) as caught:
        fetch.download(remote(server))
    text = str(caught.value)
    assert "could not be downloaded in 3 attempts" in text and "the connection ended at 100,030 of" in text
    assert "Run it again to go on from there" in text and "CLVMODELS_DATA" in text
    assert leftovers(cache) == ["Archive.zip.part"]
    assert fetch.download(remote(server)).read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=100030-"


def test_a_server_without_ranges_sends_all_again(server, cache):
    server.ranges, server.breaks = False, [100_000]
    assert fetch.download(remote(server)).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-"]


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server, cache):
    part = cache / "set" / "Archive.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(server.body + b"more")
    assert fetch.download(remote(server)).read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_a_part_of_another_file_ends_in_an_error_and_not_in_the_cache(server, cache):
    part = cache / "set" / "Archive.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    with pytest.raises(DataError):
        fetch.download(remote(server))
    assert leftovers(cache) == []
    assert fetch.download(remote(server)).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("body", "changes", "expected"),
    [
        (archive(CONTENT + b"!"), {}, "Data.txt is not the file that is known: sha256"),
        (b"<html>Not here</html>" * 50, {}, "what arrived is no zip archive, or a damaged one"),
        (archive(member="Other.txt"), {}, "holds no Data.txt; got read me.txt, other.txt"),
    ],
)
def test_wrong_content_is_refused_and_not_kept(server, cache, body, changes, expected):
    server.body = body
    with pytest.raises(DataError) as caught:
        fetch.download(remote(server, **changes))
    assert expected in str(caught.value) and "CLVMODELS_DATA" in str(caught.value)
    assert leftovers(cache) == []
    assert fetch.find("set/Data.txt") is None


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_archive_is_refused(server, cache, compression):
    body = bytearray(archive(CONTENT, compression=compression))
    middle = body.index(b"Data.txt") + 500
    body[middle : middle + 64] = bytes(64)
    server.body = bytes(body)
    with pytest.raises(DataError, match="no zip archive, or a damaged one"):
        fetch.download(remote(server))
    assert leftovers(cache) == []


def test_an_unpinned_archive_that_changed_is_refused(server, cache):
    unpinned = remote(server, sha256=None)
    fetch.download(unpinned).unlink()
    server.body = archive(CONTENT + b"!")
    with pytest.raises(DataError, match="has changed since the first download") as caught:
        fetch.download(unpinned)
    assert "Archive.zip.sha256 to accept" in str(caught.value)
    (cache / "set" / "Archive.zip.sha256").unlink()
    assert fetch.download(unpinned).read_bytes() == CONTENT + b"!"


@pytest.mark.parametrize(("status", "asked"), [(404, 1), (403, 1), (503, 3)])
def test_refusals_of_the_server(server, status, asked):
    server.status = status
    with pytest.raises(DataError) as caught:
        fetch.download(remote(server))
    assert f"the server answered {status}" in str(caught.value)
    assert "put Data.txt as set/Data.txt into a folder of your own, and set CLVMODELS_DATA" in str(caught.value)
    assert len(server.asked) == asked


def test_no_server_at_all(server):
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(DataError, match="Connection refused; 0 bytes have arrived"):
        fetch.download(remote(server))


def test_a_server_that_falls_silent_is_given_up(server, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT", 0.2)
    silent = threading.Event()
    server.answer = lambda request: silent.wait(3)
    with pytest.raises(DataError, match="timed out"):
        fetch.download(remote(server))
    silent.set()


def test_the_folder_named_by_the_variable_comes_first(server, cache, tmp_path, monkeypatch):
    fetch.download(remote(server))
    own = tmp_path / "own" / "set" / "Data.txt"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    monkeypatch.setenv("CLVMODELS_DATA", str(tmp_path / "own"))
    assert fetch.find("set/Data.txt") == own
    assert fetch.find("set/Other.txt", "set/Data.txt") == own
    own.unlink()
    assert fetch.find("set/Data.txt") == cache / "set" / "Data.txt"
    monkeypatch.setenv("CLVMODELS_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="CLVMODELS_DATA: names no folder"):
        fetch.find("set/Data.txt")


def test_cdnow_is_downloaded_where_it_is_nowhere(server, cache, shared_data, monkeypatch):
    content = (shared_data / "cdnow" / "CDNOW_sample.txt").read_bytes()
    server.body = archive(content, "CDNOW_sample.txt")
    monkeypatch.setattr(cdnow, "SAMPLE", cdnow.SAMPLE._replace(url=server.url))
    assert len(cdnow.load_sample()) == 6919
    assert len(cdnow.load_sample()) == 6919
    assert len(server.asked) == 1

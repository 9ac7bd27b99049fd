"""CDNOW: every layout of the file is read, other content is refused."""

from __future__ import annotations

import pytest

from clvmodels.datasets import cdnow
from clvmodels.errors import DataError

LINES = [("00004", "0001", "19970101", " 2", "  29.33"), ("00021", "0010", "19970118", "11", " 129.73")]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("header", ["", " customer_id  date number_of_cds  dollar_value"])
@pytest.mark.parametrize("ids", [1, 2])
def test_cdnow_is_read_in_every_layout(tmp_path, newline, header, ids):
    lines = [" " + " ".join(line[2 - ids :]) for line in LINES]
    path = tmp_path / "CDNOW.txt"
    path.write_bytes(newline.join([*([header] if header else []), *lines, ""]).encode())
    frame = cdnow.read_fixed_width(path)
    assert frame["customer_id"].tolist() == ["1", "10"]
    assert frame["amount"].astype(float).tolist() == [29.33, 129.73]
    assert cdnow.content(frame) == cdnow.Content(2, 2, 13, 15906, "1997-01-01", "1997-01-18")


def test_cdnow_with_other_content_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("CLVMODELS_DATA", str(tmp_path))
    path = tmp_path / "cdnow" / "CDNOW_sample.txt"
    path.parent.mkdir()
    path.write_text("".join(f" {' '.join(line)}\n" for line in LINES))
    with pytest.raises(DataError, match="does not hold the data that are known") as caught:
        cdnow.load_sample()
    assert "rows should be 6919; got 2" in str(caught.value)
    path.write_text("<html>\nmoved\n</html>\n")
    with pytest.raises(DataError, match="2 of 2 lines are no records, first at line 2"):
        cdnow.load_sample()
    path.write_text("")
    with pytest.raises(DataError, match="0 of 0 lines"):
        cdnow.load_sample()

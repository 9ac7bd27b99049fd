"""A user without a home, and an installation for reading only: the compilers keep their work in a temporary folder."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from clvmodels import caches

SHOWN = "import os, clvmodels; print(os.environ.get('PYTENSOR_FLAGS', ''), os.environ.get('NUMBA_CACHE_DIR', ''))"


def settings(tmp_path, **environment: str) -> list[str]:
    variables = {name: value for name, value in os.environ.items() if name not in (caches.PYTENSOR, caches.NUMBA)}
    variables |= {"TMPDIR": str(tmp_path), **environment}
    done = subprocess.run([sys.executable, "-c", SHOWN], env=variables, capture_output=True, text=True, check=True)
    return done.stdout.removesuffix("\n").split(" ")


@pytest.mark.parametrize("home", ["/proc/none", "/dev/null"])
def test_without_a_home_what_is_compiled_is_kept_in_a_temporary_folder(tmp_path, home):
    flags, _ = settings(tmp_path, HOME=home, PYTENSOR_FLAGS="cxx=")
    assert flags == f"cxx=,base_compiledir={tmp_path / f'clvmodels-{os.getuid()}' / 'pytensor'}"
    assert not (tmp_path / f"clvmodels-{os.getuid()}").stat().st_mode & 0o077
    stated = settings(tmp_path, HOME=home, PYTENSOR_FLAGS="base_compiledir=/else", NUMBA_CACHE_DIR="/numba")
    assert stated == ["base_compiledir=/else", "/numba"]


def test_with_a_home_nothing_is_changed(tmp_path):
    assert settings(tmp_path, HOME=str(tmp_path)) == ["", ""]


def test_an_installation_for_reading_only_and_no_home(tmp_path, monkeypatch):
    monkeypatch.setattr(caches, "_can_write", lambda folder: False)
    monkeypatch.setattr(caches.tempfile, "gettempdir", lambda: str(tmp_path))
    for name in (caches.PYTENSOR, caches.NUMBA):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    caches.use_writable_caches()
    folder = tmp_path / f"clvmodels-{os.getuid()}"
    assert os.environ[caches.NUMBA] == str(folder / "numba")
    folder.chmod(0o777)  # another user's files in it would be run
    assert caches._temporary() != folder

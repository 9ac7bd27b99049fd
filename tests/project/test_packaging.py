"""What is shipped: a portable lock, one version, a wheel that holds its data files, a set-up that refuses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import clvmodels

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-").replace(".", "-")


def test_the_lock_holds_hashes_and_no_address():
    assert "://" not in LOCK
    assert "@ " not in LOCK
    pinned = re.findall(r"^[a-z0-9].*$", LOCK, flags=re.MULTILINE)
    assert len(pinned) > 50
    for line in pinned:
        assert "==" in line
        assert line.endswith("\\"), f"no hash: {line}"


def test_the_lock_holds_all_that_is_required():
    pinned = {_name(line) for line in re.findall(r"^[a-z0-9].*$", LOCK, flags=re.MULTILINE)}
    groups = PROJECT["dependency-groups"].values()
    wanted = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["build-system"]["requires"],
        *(r for g in groups for r in g),
    ]
    assert {_name(requirement) for requirement in wanted} <= pinned


def test_the_version_is_one():
    version = PROJECT["project"]["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = re.findall(
        r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert clvmodels.__version__ == version == citation["version"] == changes[0]


def test_citation_has_what_its_format_asks_for():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors", "license"} <= set(citation)
    assert citation["license"] == PROJECT["project"]["license"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    own = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "clvmodels").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".tmp"
    }
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert shipped == own
    assert "clvmodels/py.typed" in shipped
    assert {Path(name).suffix for name in shipped} >= {".css", ".html"}


def test_the_wheel_has_the_command_and_the_licence(wheel):
    (points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "clvmodels = clvmodels.cli.app:app" in wheel.read(points).decode()
    (licence,) = [name for name in wheel.namelist() if name.endswith("licenses/LICENSE")]
    assert "Apache License" in wheel.read(licence).decode()
    (metadata,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
    assert "Requires-Python: >=3.12" in wheel.read(metadata).decode()


def _setup(tmp_path: Path, interpreters: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the set-up where the PATH holds these interpreters only; each is a line of shell."""
    home = tmp_path / "a folder"
    (home / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "setup", home / "tools" / "setup")
    for name in ("requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, home / name)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "cat", "cksum", "dirname", "sed", "rm", "grep", "tail", "awk", "tee"):
        (programs / name).symlink_to(shutil.which(name) or "")
    for name, line in interpreters.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    command = [str(programs / "sh"), str(home / "tools" / "setup")]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHON"} | {"PATH": str(programs)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_an_older_python_is_refused_by_name(tmp_path):
    done = _setup(tmp_path, {"python3": "echo 3.11.7; exit 1", "python3.12": "echo pyenv >&2; exit 127"})
    assert done.returncode == 1
    assert "python3 is 3.11.7; clvmodels needs 3.12 or newer" in done.stderr
    assert "python3.13 does not run" in done.stderr
    assert "python3.12 does not run" in done.stderr


def test_a_python_without_venv_is_refused_with_the_remedy(tmp_path):
    done = _setup(tmp_path, {"python3": 'case "$2" in *ensurepip*) exit 1;; *) echo 3.12.1;; esac'})
    assert done.returncode == 1
    assert "python3 is 3.12.1 but has no venv" in done.stderr
    assert "python3-venv" in done.stderr


def test_the_first_python_that_works_is_taken(tmp_path):
    stop = 'case "$*" in *"-m venv"*) echo made >&2; exit 3;; *) echo 3.13.0;; esac'
    done = _setup(tmp_path, {"python3": "echo 3.11.7; exit 1", "python3.13": stop})
    assert "Setting up .venv with python3.13 (3.13.0)" in done.stdout
    assert done.returncode == 3


def test_root_documents_are_there_and_name_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("LICENSE", "CITATION.cff", "CHANGELOG.md", "CONTRIBUTING.md", "ARCHITECTURE.md"):
        assert (ROOT / name).stat().st_size > 0
    assert "make demo" in readme and "make test" in readme


LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_between_documents_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert [link for link in LINK.findall(text) if not (ROOT / link).exists()] == []

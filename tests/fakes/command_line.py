"""The command line, called as a test calls it."""

from __future__ import annotations

from types import SimpleNamespace

from typer.testing import CliRunner

from clvmodels.cli import app as cli

runner = CliRunner()


def invoke(*words: object) -> SimpleNamespace:
    done = runner.invoke(cli.app, [str(word) for word in words], env={"COLUMNS": "200"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return SimpleNamespace(status=done.exit_code, out=done.stdout, err=done.stderr)

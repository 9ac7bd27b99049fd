"""`python -m clvmodels`."""

from clvmodels.cli.app import app

app(prog_name="clvmodels")

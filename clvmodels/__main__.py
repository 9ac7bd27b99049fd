"""`python -m clvmodels`."""

from clvmodels.cli import app

app(prog_name="clvmodels")

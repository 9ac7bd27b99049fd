# Needs Python 3.12 or newer and make; everything else is set up in .venv by the first command. `make help` lists all.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-db check slow calibration profit-calibration profit-study first-year-study worth-study totals confirm reports benchmark drawings mutation format clean
python := .venv/bin/python
studies := experiments/calibration/run.py experiments/calibration/run_profit.py experiments/profit/run.py experiments/first_year/run.py experiments/worth/run.py

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1	/p' Makefile | expand -t 20

setup: ## .venv as requirements.lock says (other commands do it themselves)
	@PYTHON="$(PYTHON)" sh tools/setup

demo: setup ## simulate a company's tables, join them, value its customers in profit: results/demo/report.html
	@$(python) -m clvmodels demo

test: check ## the checks and the tests; the first time models are compiled, and it takes longer
	$(python) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

check: setup ## style, types, and who may import whom
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy
	$(python) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

slow: setup ## tests that take minutes to hours: samplers against each other, a million customers
	$(python) -m pytest -q -m slow

test-db: setup ## a company in PostgreSQL: starts a server of its own on loopback, where one is installed
	$(python) -m pytest -q -m db

calibration: setup ## are posteriors as wide as they should be? 200 simulated bases a model, into reports/calibration; resumes
	$(python) experiments/calibration/run.py

profit-study: setup ## is the forecast of each customer's profit right? 20 simulated companies, into reports/profit; resumes
	$(python) experiments/profit/run.py

first-year-study: setup ## is a new customer's first year told rightly, by channel? 20 simulated companies, into reports/first-year; resumes
	$(python) experiments/first_year/run.py

worth-study: setup ## are the odds of belonging to the best right? 80 simulated bases of known worth, into reports/worth; resumes
	$(python) experiments/worth/run.py

profit-calibration: setup ## the same of the expected profit, its parts and all cost models, into reports/profit-calibration; resumes
	$(python) experiments/calibration/run_profit.py

confirm: setup ## after a rewrite: does the code as it is replay the stored studies? some seeds of each, to the last stored digit
	@status=0; for study in $(studies); do $(python) $$study --confirm || status=1; done; exit $$status

drawings: setup ## accept drawings and the tiny page as they are now, and look at the difference of tests/figures/drawn
	$(python) -m pytest -q tests/figures tests/report/test_page.py --accept-drawings

mutation: setup ## would the tests notice? faults made by a library, in an environment of its own; see tools/mutation.py
	$(python) tools/mutation.py

totals: setup ## do ranges of totals hold? plain and backtested, from nine days of five data sets, into reports/totals; resumes
	$(python) experiments/totals/run.py

reports: setup ## rebuild the committed reports from their stored folders, say what changed for a reader; nothing is sampled
	@$(python) experiments/reports.py

benchmark: setup ## how fast: fits, tables, runs, against other libraries and by hand, into reports/benchmarks; resumes
	$(python) experiments/benchmarks/run.py

format: setup ## write the code as `check` wants it
	$(python) -m ruff check --fix .
	$(python) -m ruff format .

clean: ## remove what the other commands made, results included
	rm -rf .venv results build dist .pytest_cache .hypothesis .ruff_cache .mypy_cache .import_linter_cache

"""Bayesian customer lifetime value: from a table of transactions to decisions, with honest uncertainty."""

__version__ = "0.1.0"

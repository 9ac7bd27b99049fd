"""Posterior to futures: each customer's own parameters given the history, then what is to come, draw by draw.

Comes in: a `Posterior` and `Customers`. Goes out: states of individuals, and `Futures`; and synthetic histories of
known truth, for tests and calibration.
"""

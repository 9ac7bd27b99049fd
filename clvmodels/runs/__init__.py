"""Experiment to results: run it, resume it; fits are kept as they are found, and every check is told.

Comes in: an `Experiment` (`config`). Goes out: a folder of results.
"""

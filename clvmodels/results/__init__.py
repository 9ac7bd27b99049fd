"""The record of a run: typed rows and draws, the folder that holds them, and files for spreadsheets.

Comes in: what a run has found. Goes out: a `Run`, as a folder and read from one.
"""

"""The command line, thin: arguments are read, stages called, and what happened is said.

Comes in: what was typed. Goes out: files, messages and an exit status.
"""

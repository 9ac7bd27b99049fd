"""The command line, thin: arguments to the stages, and their errors to people."""

"""The experiment file: what it may say, and every problem of it at once, before anything runs."""

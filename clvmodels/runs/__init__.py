"""From an experiment to a folder of results: run it, resume it, and check what it found.

Comes in: an `Experiment`, as `config` reads it. Goes out: a folder of results, which `report` reads, and an exit
status. On the way, each step is a function of the `Context`, which holds what the experiment says and what this run has
computed already:

- `inputs`: what the experiment names, read: tables, calendars, economics; the customers at both dates
- `plans`: which models are to be fitted to them, with which priors and effects; refused here if they cannot be
- `fits`: plans to posteriors, of which the folder keeps each as it is found
- `forecasts`: posteriors to forecasts beside the holdout
- `backtests`: the recommended entry's forecasts of earlier days, and what its totals learn from them
- `values`: the recommended entry's posteriors to values at the date of value
- `scores`: forecasts and values to flat rows, of entries and of customers
- `strategy`: KPIs of the past, and what the base was worth at the ends of quarters
- `origins`: the same forecasts from other days, each held against what came after its day
- `checks`: what must hold for the results to be believed
- `about`: who ran what, when, on which data
- `experiment`: the steps in their order
"""

"""Company to customers: one row a customer, with the statistics that models ask for.

Comes in: `Transactions` or a `Company` (`sources`). Goes out: `Customers`, and `Split` with what was held out.

In the order of the line: `window` holds the days of a summary, `statistics` what models read of a customer's purchases.
`aggregation` computes it in the embedded engine, `notes` says what a reader should know of it, `calendars` adds what
models on a supplied calendar read. `table` is the value, which `rfm` makes from a table of the user's; `summarize` is
the stage itself. `ledger` and `experience` add what cost models observe, and what became of purchases (`windows` says
how long that is watched).
"""

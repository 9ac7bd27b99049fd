"""Company to customers: one row a customer, with the statistics that models ask for.

Comes in: `Transactions` or a `Company` (`sources`). Goes out: `Customers`, and `Split` with what was held out.

In the order of the line: `window` holds the days of a summary, `statistics` what models read of a customer's purchases.
`aggregation` computes it in the embedded engine, `notes` says what a reader should know of it, `calendars` adds what
models on a supplied calendar read. `table` is the value, which `rfm` makes from a table of the user's; `summarize` is
the stage itself. `observed` and `experience` add what cost models observe, and what was lived through with the company;
`purchases` is what became of each purchase (`windows` says how long that is watched), `unusable` what no part of the
value can use.
"""

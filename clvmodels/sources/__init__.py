"""From a company's tables to its transactions and events: read, judge each row and count it, join on one customer.

Comes in: files, databases or DataFrames, each described by a `Table`. Goes out: a `Company`, with the transactions, the
events, and an account in which every row of every table is used, orphaned or dropped, with its reason. (Of one table of
orders alone `read_transactions` gives `Transactions`, and `Company.of` a company.)

The way of a row of an order, a module a step:

- `reading/` opens its table in the engine and numbers the rows: they are told by these numbers in every message
- `opening` finds the column of each meaning (whose, when, how much), and refuses a table that lacks one
- `selection` puts beside them values that stand for columns, and which rows are kept
- `currencies` puts beside it the rate of its day to the currency of the result
- `identity` puts beside it its owner, the customer whose key it carries
- `rollup` adds up the lines of the order, and puts beside it what only they tell
- `judging` reads each cell as what it means and gives the row a reason not to count, if there is one
- `tally` counts the rows by reason, and refuses what the policies refuse
- `transactions` is the rows that are left; what orders lead to (their customers, days and rates) is then known
- `events` judges in the same way the tables that meet their customers by a key or by an order
- `tables` does these steps for all tables, in the order in which they need each other
- `attributes`, then `consolidation`, put everything together: the company

Below them lie `reasons` (the words for what is wrong, and the policies), `conventions` (how cells are to be read),
`cleaning` (a cell as what it means), `appearance` (what cells look like that could not be read), `columns` (what a
column cannot be) and `roles` (what a table can be of).
`calendars` are tables of the time, not of customers, and stand aside.
"""

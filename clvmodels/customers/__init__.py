"""Company to customers: one row a customer, with the statistics that models ask for.

Comes in: `Transactions` or a `Company` (`sources`). Goes out: `Customers`, and `Split` with what was held out.
"""

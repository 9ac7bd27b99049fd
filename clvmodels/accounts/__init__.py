"""Company to profit made: what the tables say that each customer brought and cost so far.

Comes in: a `Company`, `Customers` and `Economics`. Goes out: profit by customer and part, in the parts that value has.
"""

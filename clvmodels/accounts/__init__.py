"""Company to what was earned so far: one book of entries, and what is grouped from it.

Comes in: a `Company`, `Customers` and the `Terms` of the book (economics, costs in use, windows). Goes out: `Book`,
whose entries say what each purchase, return, contact and campaign brought or cost; of it the profit made by each
customer (`profit_made`), what it costs to win one (`winning`), and past and future together (`lifetime`). KPIs,
programmes and payback read the same entries.
"""

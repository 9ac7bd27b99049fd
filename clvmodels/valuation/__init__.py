"""Futures to value: what purchases to come bring and cost, part by part, discounted, in profit.

Comes in: posteriors by role, `Customers` and `Economics`. Goes out: `Values`, each customer's, draw by draw.
"""

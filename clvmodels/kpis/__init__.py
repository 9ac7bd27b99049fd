"""KPIs of a strategy: what the tables say of each month or quarter, and whether its programmes earned their cost.

Comes in: a `Company`, its `Customers` and what things cost. Goes out: tables, by cohort, channel and segment. The
family's registry is `indicators.KPIS`; to add one, a line there.
"""

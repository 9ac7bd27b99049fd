"""Hard cases of every model with their truth: the formulas in mpmath, the cases, and the data they left."""

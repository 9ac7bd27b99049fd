"""A target to draws: one method a file. Nothing here knows a model.

`mode` climbs to the highest point; `laplace` samples around it, and `along` where one Gaussian does not fit; `mle` is
the highest point of a likelihood; `nuts` samples by chains. `checks` says whether the draws may be trusted.
"""

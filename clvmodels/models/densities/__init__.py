"""Log densities written out as compiled loops, for the models that are fitted to many customers.

A model's page says what its density is, as a graph of PyTensor; a `Kernel` here computes the same, with P(alive) and
the derivatives, in one pass over the rows. Whoever evaluates a model takes its kernel where it has one and its graph
otherwise, and cannot tell which. `histories`, `amounts` and `opportunities` are the loops; `evaluation` runs them over
blocks and threads; `operation` puts one into a graph.
"""

"""Customers to a posterior: `Customers` (and the effects on a model's parameters) come in, a `Posterior` goes out.

In the order of the line: `effects` says what moves a parameter from customer to customer, and `terms` what that is for
the customers of one fit; `unique_rows` condenses equal histories, and `refusals` says what cannot be fitted. `density`
makes of these a `target`, a smooth log density over a flat unconstrained vector. All that samples sees no more than
that: `samplers` has one method a file, `choice_of_sampler` goes from one to the next. `posterior` is the value, saved
and loaded; `fitting` is the stage itself; `leave_one_out` scores a posterior, and `choice_of_k` fits several and takes
the best.
"""

"""Hot loops over plain arrays and integers.

Each module here is a door: it checks dtypes and contiguity, takes small inputs on a numpy path and hands the rest to
its numba twin in `distest.kernels.jit`. Both paths give the same bits, so which one ran can never be seen in a result.
"""

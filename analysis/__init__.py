"""What the numbers mean: bounds, costs, tables and figures.

Rule of this package: it reads records and plain numbers and never runs anything. It imports nothing
of distest but `distest.records`, so a table can be drawn where neither MPI nor numba is installed.
"""

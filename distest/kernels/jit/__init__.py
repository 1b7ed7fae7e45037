"""The numba side of `distest.kernels`: imported only when an input is large enough to pay for it."""

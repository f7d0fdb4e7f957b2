"""A lecture on deep learning as pure JAX functions."""

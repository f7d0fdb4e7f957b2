"""`dl-jax summary`: the lecture's table of a model, its formulas and a picture of its maps."""

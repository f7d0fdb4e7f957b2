"""One short script an experiment; each runs as `python -m experiments.NAME`."""

"""One short script an experiment; each runs as `python -m experiments.NAME`."""

import gc

# A start makes half a million objects that stay: to look for garbage among them again and again
# takes a quarter of a second. `experiments.options.main` has it looked for again.
gc.set_threshold(500_000)

"""One short script an experiment; each runs as `python -m experiments.NAME`."""

import gc
import sys

# What an experiment imports stays, and to look for garbage among it takes a quarter of a second of
# each start. `options.set_up_process` turns the collector on again. Python has "-m" there while it
# imports the package of what it is to run, and not for who imports it as a library.
COLLECTS_LATER = sys.argv[:1] == ["-m"] and gc.isenabled()
if COLLECTS_LATER:
    gc.disable()

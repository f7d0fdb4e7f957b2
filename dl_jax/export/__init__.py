"""A trained network as a file that runs where neither this project nor Flax is installed."""

from dl_jax.export.folder import export_run
from dl_jax.export.program import PLATFORMS, export_program

__all__ = ["PLATFORMS", "export_program", "export_run"]

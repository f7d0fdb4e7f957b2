"""A lecture on deep learning as pure JAX functions.

The parts are `ops`, `losses`, `models`, `backprop`, `train`, `bench`, `data` and `report`; each is
imported when it is first used, so that importing the package costs nothing.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dl_jax import backprop, bench, data, losses, models, ops, report, train

__version__ = version("dl-jax")
__all__ = ["backprop", "bench", "data", "losses", "models", "ops", "report", "train"]


def __getattr__(name: str):
    if name in __all__:
        return import_module(f"dl_jax.{name}")
    raise AttributeError(f"module 'dl_jax' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

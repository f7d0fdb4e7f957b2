"""Strict: shapes and types are checked at run time, and nothing broadcasts by accident."""

import jax
import pytest
from jaxtyping import install_import_hook

jax.config.update("jax_numpy_rank_promotion", "raise")
# Not dl_jax.train.state: JAX also fills its dataclass with things that are no arrays.
CHECKED = ["dl_jax.ops", "dl_jax.losses", "dl_jax.train.step", "dl_jax.train.epoch"]
FORMULAS = ("activations", "images", "layers", "losses", "networks", "neurons", "tiles")
CHECKED += [f"dl_jax.backprop.{name}" for name in FORMULAS]
with install_import_hook(CHECKED, "beartype.beartype"):
    import dl_jax.backprop
    import dl_jax.losses
    import dl_jax.ops
    import dl_jax.train  # noqa: F401


@pytest.fixture
def key():
    return jax.random.key(0)

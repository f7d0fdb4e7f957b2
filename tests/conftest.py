"""Strict: shapes and types are checked at run time, and nothing broadcasts by accident.

And fast: most of what tests would do is to compile programs that run once.
"""

import os

import jax
import pytest
from jaxtyping import install_import_hook

# Programs are compiled without optimisation, and their fusions by XLA's older and faster way of
# writing them. XLA reads the flags once, with its first device. Processes that tests start, with
# other frameworks' XLA perhaps, do not get them; flags that are already set come last and count.
FLAGS = ["--xla_backend_optimization_level=0", "--xla_cpu_parallel_codegen_split_count=1"]
if jax.__version_info__ < (0, 11):  # the flag is gone since, and an unknown one ends the process
    FLAGS.append("--xla_cpu_use_fusion_emitters=false")
with pytest.MonkeyPatch.context() as environment:
    environment.setenv("XLA_FLAGS", " ".join((*FLAGS, os.environ.get("XLA_FLAGS", ""))))
    jax.devices()

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

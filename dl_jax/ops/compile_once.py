"""`jax.jit` for a program that runs once or a few times."""

from collections.abc import Callable
from typing import Any

import jax
from jax.stages import Wrapped

_OPTIONS: dict[str, Any] = {"xla_backend_optimization_level": 0}
# XLA's older emitters compile in half of the time; JAX 0.11 has them no more.
if jax.__version_info__ < (0, 11):
    _OPTIONS["xla_cpu_use_fusion_emitters"] = False


def compile_once(function: Callable[..., Any], **jit_arguments: Any) -> Wrapped:
    """Return `jax.jit(function, **jit_arguments)`, compiled on a CPU without optimisation.

    A program that runs once is slower to optimise than to run. Elsewhere than on a CPU it is
    `jax.jit` alone: the options are XLA's for CPUs. The device is the default one at this call.

    Args:
        function: what to compile.
        **jit_arguments: of `jax.jit`, but for `compiler_options`.
    """
    options = _OPTIONS if default_platform() == "cpu" else None
    return jax.jit(function, compiler_options=options, **jit_arguments)


def default_platform() -> str:
    """Return where programs run now, with `jax.default_device` taken into account."""
    device = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    return jax.default_backend() if device is None else getattr(device, "platform", device)

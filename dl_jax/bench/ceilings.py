"""What a device can do at most: a large matrix product in each precision, and a large copy."""

import math
from collections.abc import Callable, Iterable
from typing import Any, TypedDict

import jax
import jax.numpy as jnp

from dl_jax.bench.clock import steady_seconds
from dl_jax.bench.devices import JaxDevice
from dl_jax.models.precision import Precision, in_precision

_SIZES = (1024, 2048, 4096, 8192)  # of the square matrices
_LONGEST = 0.5  # seconds a product: beyond it a larger one tells nothing new
_REPEATS = 5  # of each, the best of which counts: a ceiling is what the device can do
_COPIED = (8192, 8192)  # float32, 256 MiB: larger than caches are


class Ceiling(TypedDict):
    """The best rate measured, and on how large an array: its side, or its bytes."""

    rate: float
    size: int


class Ceilings(TypedDict):
    """FLOP/s of a matrix product by precision, and bytes/s of a copy."""

    matmul: dict[str, Ceiling]
    copy: Ceiling | None


def measure_ceilings(
    device: JaxDevice,
    precisions: Iterable[Precision],
    show: Callable[[str], None] = lambda text: None,
) -> Ceilings:
    """Return the device's ceilings, each the best of several measurements.

    The product is `a @ b` of square normal matrices, at JAX's default matmul precision, the one
    that the networks use; the copy negates an array in its place, so that every byte is read once
    and written once, nothing can be left out, and no fresh memory is asked of the system.

    Args:
        device: which.
        precisions: of the matrix products.
        show: told what is being done.
    """
    found: Ceilings = {"matmul": {}, "copy": None}
    with jax.default_device(device):
        show("the ceiling of copies")
        found["copy"] = _best_copy()
        for precision in precisions:
            show(f"the ceiling of products in {precision}")
            with in_precision(precision):
                best = _best_product(precision)
            if best:
                found["matmul"][precision] = best
    return found


def best_of(first: Ceilings, second: Ceilings) -> Ceilings:
    """Return the higher of two measurements of one device, ceiling by ceiling."""
    matmul = dict(first["matmul"])
    for precision, ceiling in second["matmul"].items():
        matmul[precision] = _higher(matmul.get(precision), ceiling) or ceiling
    return {"matmul": matmul, "copy": _higher(first["copy"], second["copy"])}


def _higher(first: Ceiling | None, second: Ceiling | None) -> Ceiling | None:
    if first is None or second is None:
        return first or second
    return max(first, second, key=lambda ceiling: ceiling["rate"])


def _best_product(precision: Precision) -> Ceiling | None:
    product, best = jax.jit(jnp.matmul), None
    for size in _SIZES:
        try:
            keys = jax.random.split(jax.random.key(0))
            a, b = (jax.random.normal(key, (size, size)).astype(precision) for key in keys)
            # The shortest, for the quartiles would be those of what disturbs it.
            seconds = min(steady_seconds(lambda a=a, b=b: product(a, b), repeats=_REPEATS))
        except jax.errors.JaxRuntimeError:  # out of memory, or no such product on this device
            break
        best = _higher(best, {"rate": 2 * size**3 / seconds, "size": size})
        if 8 * seconds > _LONGEST:
            break
    return best


def _best_copy() -> Ceiling | None:
    negate = jax.jit(jnp.negative, donate_argnums=0)
    try:
        x = jnp.ones(_COPIED, jnp.float32)
    except jax.errors.JaxRuntimeError:
        return None
    size = 4 * math.prod(_COPIED)

    def call() -> Any:
        nonlocal x
        x = negate(x)
        return x

    return {"rate": 2 * size / min(steady_seconds(call, repeats=_REPEATS)), "size": size}

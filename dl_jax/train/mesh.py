"""What lies where, when one program runs on many devices.

The examples of a batch are cut over the mesh's `data` axis; parameters, the optimizer's state and
the data set lie whole on every device, since any batch may draw any of the examples. The program
is the single device's, with its meaning unchanged: a mean over the batch, BatchNorm's among them,
is the mean over all of it, and XLA adds the sum over the devices where one is needed.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

Tree = TypeVar("Tree")
_LARGE = 1 << 20  # values; below, a kernel is quicker computed whole than sent in pieces


def device_mesh(devices: Sequence[Any] | None = None, *, model: int = 1) -> Mesh:
    """Return devices as a mesh with the axes `data` and, if it is wanted, `model`.

    Args:
        devices: as `jax.devices()` has them; every device of every process unless given.
        model: over how many devices a large kernel is cut; see `sharding_of`.

    Raises:
        ValueError: unless `model` divides the number of devices.
    """
    devices = list(jax.devices() if devices is None else devices)
    if model < 1 or len(devices) % model:
        divisors = [n for n in range(1, len(devices) + 1) if len(devices) % n == 0]
        raise ValueError(
            f"model: expected a divisor of the number of devices, {len(devices)}, so one of "
            f"{divisors}; got {model}"
        )
    shape, names = ((len(devices),), ("data",))
    if model > 1:
        shape, names = (len(devices) // model, model), ("data", "model")
    auto = (AxisType.Auto,) * len(names)  # JAX's default, Explicit, is for programs written for it
    return jax.make_mesh(shape, names, auto, devices=devices)


def default_mesh() -> Mesh | None:
    """Return the mesh of every device; None for one alone, or where `jax.default_device` is set."""
    chosen = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    return None if chosen is not None or jax.device_count() == 1 else device_mesh()


def check_batch(batch_size: int, mesh: Mesh | None) -> None:
    """Raise a ValueError, which names sizes that would do, unless a batch divides over the mesh."""
    parts = 1 if mesh is None else mesh.shape["data"]
    if batch_size % parts:
        below = batch_size - batch_size % parts
        sizes = " or ".join(str(size) for size in (below, below + parts) if size)
        fewer = max(n for n in range(1, parts) if batch_size % n == 0)
        raise ValueError(
            f"batch_size: expected a multiple of {parts}, the number of devices that share a "
            f"batch, as {sizes}; got {batch_size}, for which a mesh of {fewer} would do"
        )


def over_devices(batch: Tree, mesh: Mesh | None) -> Tree:
    """Cut a batch over the `data` axis; a short one that does not divide lies whole everywhere.

    Args:
        batch: arrays `[n, ...]`, within a program.
        mesh: None for no change at all.
    """
    if mesh is None:
        return batch

    def cut(a: jax.Array) -> jax.Array:
        spec = P() if len(a) % mesh.shape["data"] else P("data")
        return lax.with_sharding_constraint(a, NamedSharding(mesh, spec))

    return jax.tree.map(cut, batch)


def among(mesh: Mesh | None) -> AbstractContextManager[object]:
    """Within a program, tell the operations of `ops` which mesh the examples are cut over."""
    return nullcontext() if mesh is None else jax.sharding.use_abstract_mesh(mesh.abstract_mesh)


def in_place(state: Tree, mesh: Mesh | None) -> Tree:
    """Within a program, keep every leaf where `sharding_of` has it: steps follow one another."""
    if mesh is None:
        return state
    return jax.tree.map(
        lambda a: lax.with_sharding_constraint(a, sharding_of(a.shape, mesh)), state
    )


def sharding_of(shape: tuple[int, ...], mesh: Mesh) -> NamedSharding:
    """Return where a parameter, or what an optimizer keeps for it, lies on a mesh.

    On a mesh with a `model` axis a kernel of at least 2^20 values is cut along its last axis,
    its outputs, if they divide: each device holds and updates its part of them. Everything else
    lies whole on every device.
    """
    parts = mesh.shape.get("model", 1)
    if parts > 1 and len(shape) > 1 and math.prod(shape) >= _LARGE and shape[-1] % parts == 0:
        return NamedSharding(mesh, P(*[None] * (len(shape) - 1), "model"))
    return NamedSharding(mesh, P())


def put(tree: Tree, mesh: Mesh | None, *, whole: bool = False) -> Tree:
    """Return the tree on the mesh's devices; of several processes each must have the same arrays.

    Args:
        tree: arrays and random keys.
        mesh: None for the default device.
        whole: whether every device gets everything, whatever `sharding_of` says: a data set.
    """
    if mesh is None:
        return jax.device_put(tree)

    def one(a: jax.Array | np.ndarray) -> jax.Array:
        if isinstance(a, jax.Array) and jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(
                one(jax.random.key_data(a)), impl=jax.random.key_impl(a)
            )
        where = NamedSharding(mesh, P()) if whole else sharding_of(a.shape, mesh)
        if isinstance(a, jax.Array) and a.sharding == where:
            return a
        # Not device_put: of several processes it would send all to all, to compare them.
        values = np.array(a)  # its own memory: a program that is given the array may take it
        return jax.make_array_from_callback(a.shape, where, lambda index: values[index])

    return jax.tree.map(one, tree)


def copied(tree: Tree) -> Tree:
    """Return a copy where the arrays lie: what a program takes of one leaves the other."""

    def one(a: jax.Array | np.ndarray) -> jax.Array:
        a = jnp.asarray(a)
        # Of one process nothing is compiled for it.
        return jax.device_put(a, may_alias=False) if a.is_fully_addressable else jnp.copy(a)

    return jax.tree.map(one, tree)


def on_one_device(tree: Tree) -> Tree:
    """Return what lies whole on many devices on this process's first one; else the same arrays."""

    def one(a: jax.Array) -> jax.Array:
        if len(a.devices()) == 1:
            return a
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            data = one(jax.random.key_data(a))
            return jax.random.wrap_key_data(data, impl=jax.random.key_impl(a))
        return jax.device_put(np.asarray(a), jax.local_devices()[0])

    return jax.tree.map(one, tree)

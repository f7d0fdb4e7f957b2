"""What the compiled steps of an epoch are given of the data: all of it, or just their batches."""

from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Int

from dl_jax.train.mesh import put
from dl_jax.train.state import Examples

_CALLS_AN_EPOCH = 20  # between which the progress bar moves, and Ctrl-C is heard


class Piece(NamedTuple):
    """Batches of one size, in the form in which `train_batches` takes them.

    Attributes:
        examples: the data set, on the devices; or the batches, `[steps, batch_size, ...]`.
        order: which example comes when; None where the examples are the batches.
        first: position in the order at which the first batch begins.
    """

    examples: Examples
    order: Int[Array, " n"] | None
    first: int


def pieces_of(
    train: Examples, order: Int[Array, " n"], batch_size: int, mesh: Mesh | None
) -> tuple[Piece, Piece]:
    """Return an epoch's whole batches, and its last one, which is shorter or has no examples.

    One process draws batches on the devices, from the data set that lies there. Of many processes
    each reads of every batch what its own devices compute, once an epoch, and nothing else: the
    batches are the same, and the devices of all processes together hold the data set once.

    Args:
        train: the data set; of one process on the devices, by `on_devices`.
        order: of the epoch.
        batch_size: examples a step.
        mesh: the devices.
    """
    size = len(train.inputs)
    rest = size % batch_size
    if mesh is None or not mesh.is_multi_process:
        return Piece(train, order, 0), Piece(train, order, size - rest)
    numbers = np.asarray(order)
    whole, last = numbers[: size - rest].reshape(-1, batch_size), numbers[None, size - rest :]
    return (
        Piece(batches_of(train, whole, mesh), None, 0),
        Piece(batches_of(train, last, mesh), None, 0),
    )


def steps_a_call(step: int, whole: int, before: int, every: int | None) -> int:
    """Return how many steps the next call of the compiled program makes; 0 behind whole batches.

    Args:
        step: of the epoch, from which it goes on.
        whole: whole batches of an epoch.
        before: steps before this epoch.
        every: behind each multiple of so many steps a call has to end.
    """
    count = min(-(-whole // _CALLS_AN_EPOCH), whole - step)
    if every and count > 0:
        count = min(count, every - (before + step) % every)
    return max(count, 0)


def batches_of(train: Examples, numbers: Int[np.ndarray, "steps b"], mesh: Mesh) -> Examples:
    """Return batches `[steps, b, ...]` on the devices, each device with its part of every batch.

    Each process reads the examples of its own devices alone. Batches that do not divide over the
    mesh lie whole on every device, as `over_devices` has them.

    Args:
        train: arrays of the host.
        numbers: of the examples of each batch.
        mesh: the devices.
    """
    divides = numbers.shape[1] % mesh.shape["data"] == 0
    where = NamedSharding(mesh, P(None, "data" if divides else None))

    def lay(a: np.ndarray | jax.Array) -> jax.Array:
        shape = (*numbers.shape, *a.shape[1:])

        def read(at: tuple[slice, ...] | None) -> np.ndarray | jax.Array:
            return a[numbers[at[:2] if at else ...]]

        return jax.make_array_from_callback(shape, where, read)

    return Examples(lay(train.inputs), lay(train.targets))


def on_devices(train: Examples, mesh: Mesh | None) -> Examples:
    """Return the training examples as `pieces_of` wants them: of many processes, on the host."""
    if mesh is not None and mesh.is_multi_process:
        return Examples(np.asarray(train.inputs), np.asarray(train.targets))
    return put(train, mesh, whole=True)

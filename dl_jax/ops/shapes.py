"""What an array holds, by its rank, and the two orders of an image's axes."""

from typing import NamedTuple, Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Shaped

Axes = tuple[tuple[str, int], ...]
_CHANNELS = (1, 3, 4)  # grey, colour, and colour with opacity


@runtime_checkable
class HasShape(Protocol):
    """A NumPy or JAX array, a `jax.ShapeDtypeStruct`, a tracer."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Entries along each axis."""
        ...


class Description(NamedTuple):
    """What an array of some rank holds, in the lecture's words; `str` says it in a line.

    Attributes:
        kind: vector data, sequences, images, video.
        readings: names and sizes of the axes. One reading is what the shape says; of several,
            each is a guess; the lecture names none for more than five axes.
    """

    kind: str
    readings: tuple[Axes, ...]

    def __str__(self) -> str:
        """As `images (samples=128, height=256, width=256, channels=3)`."""
        if not any(self.readings):
            return self.kind
        lists = [", ".join(f"{name}={size}" for name, size in axes) for axes in self.readings]
        text = f"{self.kind} (" + ") or (".join(lists) + ")"
        return text if len(lists) == 1 else f"{text}: a guess, as the shape alone does not tell"


def describe(array: HasShape) -> Description:
    """Say what an array of this rank holds. Slides "Vector data", "Images", "Video".

        rank 2  vector data  (samples, features)
        rank 3  sequences    (samples, timesteps, features)
        rank 4  images       (samples, height, width, channels)
                          or (samples, channels, height, width)
        rank 5  video        (samples, frames, height, width, channels)
                          or (samples, frames, channels, height, width)

    The channels are the axis with 1, 3 or 4 entries. Where both places have as many, or neither,
    both readings are returned. So they are for rank 1: one vector, or one label a sample.

    Args:
        array: whatever has a shape; its values are not looked at.

    Raises:
        TypeError: if it has none.

    >>> print(describe(jnp.zeros((128, 16, 16, 3))))
    images (samples=128, height=16, width=16, channels=3)
    >>> print(describe(jnp.zeros((10, 3))))
    vector data (samples=10, features=3)
    """
    if not isinstance(array, HasShape):
        raise TypeError(
            "describe: expected something with a shape, as an array or jax.ShapeDtypeStruct, "
            f"got {type(array).__name__}"
        )
    shape = tuple(array.shape)
    rank = len(shape)
    if rank == 0:
        return Description("a scalar", ((),))
    if rank == 1:
        return _described("one vector or one label a sample", shape, "features", "samples")
    if rank == 2:
        return _described("vector data", shape, "samples features")
    if rank == 3:
        return _described("sequences", shape, "samples timesteps features")
    if rank > 5:
        return Description(f"rank {rank}, for which the lecture names no data", ())
    kind, before = ("images", "samples") if rank == 4 else ("video", "samples frames")
    last, first = f"{before} height width channels", f"{before} channels height width"
    fits_last, fits_first = shape[-1] in _CHANNELS, shape[-3] in _CHANNELS
    if fits_last == fits_first:
        return _described(kind, shape, last, first)
    return _described(kind, shape, last if fits_last else first)


def to_channels_first(x: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
    """Move the channels before height and width, NHWC to NCHW. Slides "Images", "Video".

    Args:
        x: images `[n, h, w, c]`, or video `[n, frames, h, w, c]`, which becomes
            `[n, frames, c, h, w]` as on the slide. (PyTorch's and Keras' 3D convolutions want the
            channels before the frames, too.)

    Raises:
        ValueError: for other ranks.
    """
    _check_rank("to_channels_first", x, "height, width, channels")
    return jnp.moveaxis(x, -1, -3)


def to_channels_last(x: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
    """Move the channels behind height and width, NCHW to NHWC: undo `to_channels_first`.

    Args:
        x: images `[n, c, h, w]`, or video `[n, frames, c, h, w]`.

    Raises:
        ValueError: for other ranks.
    """
    _check_rank("to_channels_last", x, "channels, height, width")
    return jnp.moveaxis(x, -3, -1)


def _described(kind: str, shape: tuple[int, ...], *readings: str) -> Description:
    return Description(
        kind, tuple(tuple(zip(names.split(), shape, strict=True)) for names in readings)
    )


def _check_rank(name: str, x: Array, axes: str) -> None:
    if x.ndim not in (4, 5):
        raise ValueError(
            f"{name}: expected images [n, {axes}] or video [n, frames, {axes}], "
            f"got an array of rank {x.ndim}, {list(x.shape)}"
        )

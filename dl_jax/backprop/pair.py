"""What a hand derivation is."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Pair(NamedTuple):
    """A function and its hand-derived gradient, in the protocol of `jax.custom_vjp`.

    Attributes:
        forward: `forward(*inputs) -> (output, residuals)`; the residuals are what the gradient
            needs of the way there.
        backward: `backward(residuals, d_output) -> d_inputs`, a tuple with one gradient an input,
            `dE/d(input)` from `dE/d(output)`; None for inputs that have none, as labels.
    """

    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[..., tuple[Any, ...]]

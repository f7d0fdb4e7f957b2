"""What every model says of inputs that do not fit it."""

import jax
import jax.numpy as jnp


def check_features(model: str, features: tuple[int, ...]) -> None:
    """Raise a ValueError unless there is at least one layer and each has an output."""
    if not isinstance(features, tuple | list) or not features or min(features) < 1:
        raise ValueError(
            f"{model}: expected features as one or more positive integers, got {features}"
        )


def expect(model: str, inputs: jax.Array, shape: str, ndim: int, integer: bool = False) -> None:
    """Raise a ValueError that says what was expected, unless rank and kind of the inputs fit."""
    kind = jnp.integer if integer else jnp.floating
    if inputs.ndim != ndim or not jnp.issubdtype(inputs.dtype, kind):
        raise ValueError(
            f"{model}: expected {'integer' if integer else 'float'} inputs {shape}, "
            f"got {inputs.dtype} {list(inputs.shape)}"
        )


def expect_images(model: str, inputs: jax.Array, smallest: int) -> None:
    """Raise a ValueError unless the inputs are images of at least `smallest` rows and columns."""
    expect(model, inputs, "[n, height, width, channels]", 4)
    smallest = max(smallest, 1)  # what is padded by much takes any image, but not none
    if min(inputs.shape[1:3]) < smallest:
        raise ValueError(
            f"{model}: expected images of at least {smallest}x{smallest}, got "
            f"{inputs.shape[1]}x{inputs.shape[2]}"
        )

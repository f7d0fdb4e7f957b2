"""Cases of convolution and pooling, with `jax.lax` as the reference."""

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from dl_jax.backprop import images, tiles
from dl_jax.backprop.proof.case import Case, normal, shape


def _padding(rng: np.random.Generator, kernel: tuple[int, ...]):
    """Return what fits a kernel: a name, or margins that are smaller than it."""
    low, high = (tuple(int(rng.integers(0, k)) for k in kernel) for _ in range(2))
    choices: list[Any] = ["VALID", "SAME", tuple(zip(low, high, strict=True))]
    return choices[int(rng.integers(3))]


def conv_case(rng, derivation):
    """Return a case of a convolution of any stride, padding and dilation."""
    kernel, strides, dilation = shape(rng, 2, 1, 3), shape(rng, 2, 1, 3), shape(rng, 2, 1, 2)
    h, w = (d * (k - 1) + 1 + int(rng.integers(3)) for d, k in zip(dilation, kernel, strict=True))
    n, c, f = shape(rng, 3, 1, 3)
    geometry = {"strides": strides, "padding": _padding(rng, kernel), "dilation": dilation}

    def reference(x, w, b):
        y = lax.conv_general_dilated(
            x, w, strides, geometry["padding"], rhs_dilation=dilation,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )  # fmt: skip
        return y + b[None, None, None, :]

    inputs = (normal(rng, (n, h, w, c)), normal(rng, (*kernel, c, f)), normal(rng, (f,)))
    forward = partial(images.conv_fwd, **geometry)
    return Case(forward, partial(derivation, **geometry), reference, inputs)


def pool_case(forward, reference, values, smooth=True):
    """Return the cases of a pooling of any window, stride and padding."""

    def case(rng, derivation):
        window, strides = shape(rng, 2, 1, 3), shape(rng, 2, 1, 3)
        h, w = (k + int(rng.integers(4)) for k in window)
        geometry = {"window": window, "strides": strides, "padding": _padding(rng, window)}
        x = values(rng, (*shape(rng, 1, 1, 2), h, w, *shape(rng, 1, 1, 2)))
        return Case(
            partial(forward, **geometry), partial(derivation, **geometry),
            partial(reference, **geometry), (x,), smooth,
        )  # fmt: skip

    return case


def block_case(rng, derivation):
    """Return a case of convolution, ReLU and pooling, whose values are far from equal."""
    kernel, (n, c, f) = shape(rng, 2, 1, 3), shape(rng, 3, 1, 3)
    h, w = (k + int(rng.integers(1, 5)) for k in kernel)
    while True:
        inputs = (normal(rng, (n, h, w, c)), normal(rng, (*kernel, c, f)), normal(rng, (f,)))
        z = np.asarray(_conv_and_bias(*inputs))[:, : (h - kernel[0] + 1) // 2 * 2]
        z = z[:, :, : (w - kernel[1] + 1) // 2 * 2]
        z = z.reshape(n, z.shape[1] // 2, 2, z.shape[2] // 2, 2, f).swapaxes(2, 3)
        z = np.sort(z.reshape(n, -1, 4, f), 2)
        if min(np.diff(z, axis=2).min(), abs(z[:, :, 3]).min()) > 1e-3:
            return Case(tiles.conv_relu_max_pool_fwd, derivation, block_reference, inputs)


def block_reference(x, w, b):
    """Return the three operations one after the other, by `jax.lax`."""
    y = jnp.maximum(_conv_and_bias(x, w, b), 0)
    return max_reference(y, window=(2, 2), strides=(2, 2), padding="VALID")


def _conv_and_bias(x, w, b):
    layout = ("NHWC", "HWIO", "NHWC")
    z = lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=layout)
    return z + b[None, None, None, :]


def _reduce_windows(x, start, operation, window, strides, padding):
    if not isinstance(padding, str):
        padding = ((0, 0), *padding, (0, 0))
    return lax.reduce_window(x, start, operation, (1, *window, 1), (1, *strides, 1), padding)


def max_reference(x, *, window, strides, padding):
    """Return the largest value of each window, by `jax.lax`."""
    return _reduce_windows(x, -np.inf, lax.max, window, strides, padding)


def avg_reference(x, *, window, strides, padding):
    """Return the mean of each window, by `jax.lax`."""
    return _reduce_windows(x, 0.0, lax.add, window, strides, padding) / np.prod(window)

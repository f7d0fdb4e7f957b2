"""Convolutions in groups on a CPU: each channel for itself, or a few groups one by one."""

import functools
import math
from itertools import product

import jax
import jax.numpy as jnp
from jax import lax

from dl_jax.ops.bilinear import Product, Products
from dl_jax.ops.convolution_cpu import CPU
from dl_jax.ops.convolution_native import NATIVE, Convolution, padded

_A_FEW = 4
_MOST_TAPS = 169  # of a channel for itself; more take seconds to compile


def _depthwise(x: jax.Array, w: jax.Array, how: Convolution) -> jax.Array:
    """Tap by tap, `y = sum_ab x[:, i S + a D, j S + b D] w[a, b]`: products of whole rows."""
    wide = jnp.promote_types(x.dtype, jnp.float32)  # in which the taps add up, as XLA's do
    x, windows = padded(x, how.padding).astype(wide), how.windows
    spans = [s * (o - 1) + 1 for s, o in zip(how.strides, windows.output, strict=True)]

    def tap(a: int, b: int) -> jax.Array:
        top, left = a * how.dilation[0], b * how.dilation[1]
        end = (len(x), top + spans[0], left + spans[1], x.shape[3])
        pixels = lax.slice(x, (0, top, left, 0), end, (1, *how.strides, 1))
        return pixels * w[a, b, 0][None, None, None, :]

    total = functools.reduce(jnp.add, (tap(*place) for place in product(*map(range, how.kernel))))
    return total.astype(w.dtype)


def _depthwise_by_x(y: jax.Array, w: jax.Array, how: Convolution) -> jax.Array:
    x = jax.ShapeDtypeStruct((len(y), *how.image, y.shape[3]), y.dtype)
    (d_x,) = jax.linear_transpose(lambda x: _depthwise(x, w, how), x)(y)
    return d_x


def _depthwise_by_w(x: jax.Array, y: jax.Array, how: Convolution) -> jax.Array:
    w = jax.ShapeDtypeStruct((*how.kernel, 1, y.shape[3]), x.dtype)
    (d_w,) = jax.linear_transpose(lambda w: _depthwise(x, w, how), w)(y)
    return d_w


_DEPTHWISE = Products(_depthwise, _depthwise_by_x, _depthwise_by_w)


def _one_by_one(which: int) -> Product:
    """Split both arguments, and join the results, along their last axes."""

    def product(a: jax.Array, b: jax.Array, how: Convolution) -> jax.Array:
        alone = how._replace(groups=1)
        parts = zip(*(jnp.split(x, how.groups, axis=3) for x in (a, b)), strict=True)
        return jnp.concatenate([CPU[which](x, y, alone) for x, y in parts], axis=3)

    return product


_FEW = Products(_one_by_one(0), _one_by_one(1), _one_by_one(2))


def _chosen(channels: int, features: int, how: Convolution) -> Products:
    if how.groups == 1:
        return CPU
    if how.groups == channels == features and math.prod(how.kernel) <= _MOST_TAPS:
        return _DEPTHWISE
    return _FEW if how.groups <= _A_FEW else NATIVE


GROUPED = Products(
    lambda x, w, how: _chosen(x.shape[3], w.shape[3], how).forward(x, w, how),
    lambda y, w, how: _chosen(w.shape[2] * how.groups, w.shape[3], how).by_x(y, w, how),
    lambda x, y, how: _chosen(x.shape[3], y.shape[3], how).by_w(x, y, how),
)
"""Convolution and its gradients on a CPU."""

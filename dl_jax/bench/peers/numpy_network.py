"""The lecture's networks in NumPy, forward and backward: the formulas of `dl_jax.backprop`.

Windows become the rows of a matrix (im2col), so that the arithmetic is matrix products of the
BLAS that NumPy has. Each `x_fwd` returns its output and what `x_bwd` needs of it.
"""

from collections.abc import Callable

import numpy as np

from dl_jax.bench.peers.problem import Params

Draw = Callable[[tuple[int, ...]], np.ndarray]
"""From a shape to a mask: 0 for what is dropped, `1 / (1 - rate)` elsewhere."""
_SIDE = 3  # of the kernels


def loss_and_grads(
    params: Params, x: np.ndarray, t: np.ndarray, draw: Draw | None = None
) -> tuple[float, Params]:
    """Return the mean loss, and the gradients in the tree of the parameters.

    Args:
        params: convolutions `Conv_0`, `Conv_1`, ..., each with ReLU and 2x2 max pooling, then
            dense layers `Dense_0`, `Dense_1`, ... with ReLU between; one logit an example is for
            a yes or no, several are for classes.
        x: images or vectors, float32 `[n, ...]`.
        t: labels, integers `[n]`.
        draw: for dropout before the first dense layer; None for none.
    """
    convs = [name for name in params if name.startswith("Conv")]
    denses = [name for name in params if name.startswith("Dense")]
    way, grads, mask = [], {}, None
    for name in convs:
        taps, z = conv_fwd(x, **params[name])
        y = np.maximum(z, 0, out=z)
        pooled = max_pool_fwd(y)
        way.append((x.shape, taps, y, pooled))
        x = pooled
    shape = x.shape
    x = x.reshape(len(x), -1)
    if draw is not None:
        mask = draw(x.shape)
        x = mask * x
    inputs = []
    for i, name in enumerate(denses):
        x = np.maximum(x, 0) if i else x
        inputs.append(x)
        x = x @ params[name]["kernel"] + params[name]["bias"]

    loss, d = (binary if x.shape[1] == 1 else multiclass)(x, t)
    for i, name in reversed(list(enumerate(denses))):
        grads[name] = {"kernel": inputs[i].T @ d, "bias": d.sum(0)}
        if i or convs:  # nobody needs the gradient by the data
            d = d @ params[name]["kernel"].T
        if i:
            d *= inputs[i] > 0
    if mask is not None:
        d = mask * d
    d = d.reshape(shape) if convs else d
    for i, name in reversed(list(enumerate(convs))):
        x_shape, taps, y, pooled = way[i]
        d = max_pool_bwd(y, pooled, d)
        d *= y > 0
        d, grads[name] = conv_bwd(x_shape if i else None, taps, params[name]["kernel"], d)
    return loss, {name: grads[name] for name in params}


def multiclass(z: np.ndarray, t: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean of `-log softmax(z)_t` and `dE/dz = (softmax(z) - onehot(t)) / n`."""
    shifted = z - z.max(1, keepdims=True)
    y = np.exp(shifted)
    total = y.sum(1, keepdims=True)
    rows = np.arange(len(z))
    loss = float((np.log(total[:, 0]) - shifted[rows, t]).mean())
    y /= total
    y[rows, t] -= 1
    return loss, y / np.float32(len(z))


def binary(z: np.ndarray, t: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean of `-t log y - (1 - t) log(1 - y)` with `y = sigmoid(z)`, and its gradient.

    `dE/dz = (y - t) / n`.
    """
    z, t = z[:, 0], t.astype(z.dtype)
    loss = float((np.logaddexp(0, z) - t * z).mean())
    y = 1 / (1 + np.exp(-z))
    return loss, ((y - t) / np.float32(len(z)))[:, None]


def conv_fwd(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the windows as rows `[n h w, 9 c]`, and their products `[n, h, w, features]`."""
    n, h, w, c = x.shape
    h, w = h - _SIDE + 1, w - _SIDE + 1
    taps = np.empty((n, h, w, _SIDE * _SIDE, c), x.dtype)
    for tap in range(_SIDE * _SIDE):
        i, j = divmod(tap, _SIDE)
        taps[:, :, :, tap] = x[:, i : i + h, j : j + w]
    taps = taps.reshape(n * h * w, -1)
    z = taps @ kernel.reshape(taps.shape[1], -1)
    z += bias
    return taps, z.reshape(n, h, w, -1)


def conv_bwd(
    x_shape: tuple[int, ...] | None, taps: np.ndarray, kernel: np.ndarray, d_z: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the gradients by x, and by kernel and bias: `dZ Wᵀ` added back, `Xᵀ dZ`, a sum.

    Without a shape of x, for the first layer, dZ takes the place of the gradient by x.
    """
    rows = d_z.reshape(len(taps), -1)
    grads = {"kernel": (taps.T @ rows).reshape(kernel.shape), "bias": rows.sum(0)}
    if x_shape is None:
        return d_z, grads
    _, h, w, _ = d_z.shape
    d_taps = rows @ kernel.reshape(taps.shape[1], -1).T
    d_taps = d_taps.reshape(*d_z.shape[:3], _SIDE * _SIDE, x_shape[3])
    d_x = np.zeros(x_shape, d_z.dtype)
    for tap in range(_SIDE * _SIDE):
        i, j = divmod(tap, _SIDE)
        d_x[:, i : i + h, j : j + w] += d_taps[:, :, :, tap]
    return d_x, grads


def max_pool_fwd(x: np.ndarray) -> np.ndarray:
    """Return the largest value of each 2x2 window; what is left over at the edge is dropped."""
    first, *others = _corners(x)
    y = np.maximum(first, others[0])
    for other in others[1:]:
        np.maximum(y, other, out=y)
    return y


def max_pool_bwd(x: np.ndarray, y: np.ndarray, d_y: np.ndarray) -> np.ndarray:
    """Return `dE/dx`: `dE/dy` at the first of a window's largest values, and 0 elsewhere."""
    d_x = np.zeros_like(x)
    free = np.ones(y.shape, bool)
    for corner, d_corner in zip(_corners(x), _corners(d_x), strict=True):
        here = (corner == y) & free
        free &= ~here
        np.multiply(d_y, here, out=d_corner)
    return d_x


def _corners(x: np.ndarray) -> list[np.ndarray]:
    """The four values of every 2x2 window, as views, in row-major order."""
    h, w = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    return [x[:, i:h:2, j:w:2] for i in (0, 1) for j in (0, 1)]

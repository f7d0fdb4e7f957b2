"""PyTensor, Theano's living successor: a symbolic graph, its gradient, one compiled function."""

from typing import Any

import numpy as np
import pytensor  # pyright: ignore[reportMissingImports]
from pytensor import tensor as pt  # pyright: ignore[reportMissingImports]
from pytensor.tensor.random.utils import RandomStream  # pyright: ignore[reportMissingImports]

from dl_jax.bench.peers.peer import Choice, Peer, Trainer, seconds_of
from dl_jax.bench.peers.problem import (
    BETA_1,
    BETA_2,
    DECAY,
    DROPOUT_RATE,
    EPSILON,
    LEARNING_RATE,
    Problem,
)

_NUMBA_NOTE = "compiled by Numba, for PyTensor from a wheel has no BLAS in its C"
_CONV_NOTE = "convolution as slices and a matrix product, for PyTensor has none of images"


def load(problem: Problem, variant: str) -> Peer:
    """Return PyTensor, which computes on the CPU wherever the others do.

    One compiled function, in minutes, serves every trainer: a new one sets the shared variables
    back, and without dropout the rate is 0.
    """
    del variant
    pytensor.config.floatX = "float32"
    inputs = pytensor.shared(problem.dense_inputs(), borrow=True)
    targets = pytensor.shared(problem.targets, borrow=True)
    params = {
        name: {leaf: pytensor.shared(a) for leaf, a in layer.items()}
        for name, layer in problem.params.items()
    }
    leaves = [leaf for layer in params.values() for leaf in layer.values()]
    number, size = pt.lscalar("number"), problem.batch_size
    x, t = (a[number * size : (number + 1) * size] for a in (inputs, targets))

    rate, random = pytensor.shared(np.float32(0)), None
    if problem.workload == "mnist_cnn":
        random = RandomStream(0)
    mean_loss = _mean_loss(problem.workload, _logits(params, x, rate, random), t)
    updates = _rmsprop if problem.workload == "imdb_bow" else _adam
    changes = updates(leaves, pt.grad(mean_loss, leaves))
    initial = [(variable, variable.get_value()) for variable, _ in changes]
    noise = list(random.updates()) if random else []
    step = pytensor.function([number], [], updates=changes + noise, mode="NUMBA")
    without_dropout = _mean_loss(problem.workload, _logits(params, x, rate, None), t)
    loss = pytensor.function([number], without_dropout, mode="NUMBA")

    def build(checked: bool) -> Trainer:
        for variable, value in initial:
            variable.set_value(value)

        def train(steps: int) -> None:
            rate.set_value(np.float32(0 if checked else DROPOUT_RATE))
            for i in range(steps):
                step(i)

        return Trainer(lambda steps: seconds_of(lambda: train(steps)), lambda: float(loss(0)))

    note = f"{_NUMBA_NOTE}; {_CONV_NOTE}" if problem.workload == "mnist_cnn" else _NUMBA_NOTE
    return Peer(pytensor.__version__, "cpu", [Choice("", build)], note)


def _logits(params: dict[str, dict[str, Any]], x: Any, rate: Any, random: Any) -> Any:
    for name, layer in params.items():
        if name.startswith("Conv"):
            x = _max_pool(_relu(_conv(x, layer["kernel"], layer["bias"])))
    x = x.reshape((x.shape[0], -1))
    if random is not None:
        keep = random.uniform(size=x.shape, dtype="float32") >= rate
        x = pt.switch(keep, x / (np.float32(1) - rate), np.float32(0))
    for name, layer in params.items():
        if name.startswith("Dense"):
            x = (x if name == "Dense_0" else _relu(x)) @ layer["kernel"] + layer["bias"]
    return x


def _conv(x: Any, kernel: Any, bias: Any) -> Any:
    """A 3x3 convolution without padding: the nine shifted images side by side, times the kernel."""
    side, _, c, features = kernel.get_value().shape
    n, h, w = x.shape[0], x.shape[1] - side + 1, x.shape[2] - side + 1
    taps = [x[:, i : i + h, j : j + w] for i in range(side) for j in range(side)]
    rows = pt.concatenate(taps, axis=3).reshape((n * h * w, side * side * c))
    return (rows @ kernel.reshape((side * side * c, features)) + bias).reshape((n, h, w, features))


def _max_pool(x: Any) -> Any:
    h, w = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    a, b, c, d = (x[:, i:h:2, j:w:2] for i in (0, 1) for j in (0, 1))
    return pt.maximum(pt.maximum(a, b), pt.maximum(c, d))


def _relu(z: Any) -> Any:
    return pt.switch(z > 0, z, np.float32(0))


def _mean_loss(workload: str, z: Any, t: Any) -> Any:
    if workload == "imdb_bow":
        z = z[:, 0]
        return (pt.softplus(z) - t.astype("float32") * z).mean()
    log_y = pt.special.log_softmax(z, axis=1)
    return -log_y[pt.arange(t.shape[0]), t].mean()


def _adam(params: list[Any], grads: list[Any]) -> list[tuple[Any, Any]]:
    """`w <- w - lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)`."""
    count = pytensor.shared(np.float32(0))
    t = count + np.float32(1)
    one, b1, b2, eps = map(np.float32, (1, BETA_1, BETA_2, EPSILON))
    first, second = one - b1**t, one - b2**t
    updates: list[tuple[Any, Any]] = [(count, t)]
    for w, g in zip(params, grads, strict=True):
        mean, square = (pytensor.shared(np.zeros_like(w.get_value())) for _ in range(2))
        m, v = b1 * mean + (one - b1) * g, b2 * square + (one - b2) * g * g
        step = np.float32(LEARNING_RATE) * (m / first) / (pt.sqrt(v / second) + eps)
        updates += [(mean, m), (square, v), (w, w - step)]
    return updates


def _rmsprop(params: list[Any], grads: list[Any]) -> list[tuple[Any, Any]]:
    """`w <- w - lr g / sqrt(v + eps)`."""
    updates: list[tuple[Any, Any]] = []
    for w, g in zip(params, grads, strict=True):
        square = pytensor.shared(np.zeros_like(w.get_value()))
        v = np.float32(DECAY) * square + np.float32(1 - DECAY) * g * g
        step = np.float32(LEARNING_RATE) * g / pt.sqrt(v + np.float32(EPSILON))
        updates += [(square, v), (w, w - step)]
    return updates

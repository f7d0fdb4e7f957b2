"""What every framework is given: the same examples in the same order, the same parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

LEARNING_RATE, EPSILON = 1e-3, 1e-7
BETA_1, BETA_2 = 0.9, 0.999  # Adam's, for images
DECAY = 0.9  # RMSprop's, for reviews; its epsilon is within the root
DROPOUT_RATE = 0.5
NUM_WORDS = 10_000
LONGEST_REVIEW = 608  # distinct words, in whole rows of 32
_SEED = 4

Params = dict[str, dict[str, np.ndarray]]


class Workload(NamedTuple):
    """A network of the lecture in training.

    Attributes:
        unit: what is timed: a step, or an epoch.
        size: how many training examples the lecture has.
        batch_size: examples a step.
        kernels: shape of each layer's kernel, by the layer's name in the Flax module.
    """

    unit: Literal["step", "epoch"]
    size: int
    batch_size: int
    kernels: Mapping[str, tuple[int, ...]]


WORKLOADS: dict[str, Workload] = {
    "mnist_cnn": Workload(
        "step", 54_000, 128,
        {"Conv_0": (3, 3, 1, 32), "Conv_1": (3, 3, 32, 64), "Dense_0": (1600, 10)},
    ),
    "fashion_mlp": Workload(
        "epoch", 60_000, 32,
        {"Dense_0": (784, 64), "Dense_1": (64, 64), "Dense_2": (64, 10)},
    ),
    "imdb_bow": Workload(
        "epoch", 15_000, 512,
        {"Dense_0": (NUM_WORDS, 16), "Dense_1": (16, 16), "Dense_2": (16, 1)},
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """Data and initial parameters, as each framework starts from them.

    Attributes:
        workload: a key of `WORKLOADS`.
        inputs: images, uint8 `[n, 28, 28, 1]`, or each review's distinct token ids, ascending and
            padded with 0 at the end, uint16 `[n, length]`.
        targets: int32 `[n]`.
        params: kernels and biases by layer, as the Flax module has them.
    """

    workload: str
    inputs: np.ndarray
    targets: np.ndarray
    params: Params

    @property
    def batch_size(self) -> int:
        """Examples a step."""
        return WORKLOADS[self.workload].batch_size

    @property
    def num_steps(self) -> int:
        """Steps of an epoch; the last batch may be shorter."""
        return -(-len(self.targets) // self.batch_size)

    def batches(self, array: np.ndarray) -> list[np.ndarray]:
        """Views of consecutive batches."""
        return [array[i : i + self.batch_size] for i in range(0, len(array), self.batch_size)]

    def dense_inputs(self) -> np.ndarray:
        """Images in 0..1, or the slide's multi-hot matrix of reviews; float32 `[n, ...]`."""
        if self.workload != "imdb_bow":
            return self.inputs.astype(np.float32) / np.float32(255)
        matrix = np.zeros((len(self.inputs), NUM_WORDS), np.float32)
        np.put_along_axis(matrix, self.inputs.astype(np.int64), 1, axis=1)
        matrix[:, 0] = 0  # the padding is no word
        return matrix


def make_problem(workload: str, data: str, size: int | None = None) -> Problem:
    """Return the problem with its data.

    Args:
        workload: a key of `WORKLOADS`.
        data: `"real"`, or `"synthetic"`: arrays of the same shapes and dtypes that can be learned.
        size: number of examples; by default as many as the lecture has.

    Raises:
        ValueError: if there is no such workload or kind of data; names those that exist.
        DataNotFound, DataCorrupted: if the real data cannot be had.
    """
    check_names(workload, data)
    size = size or WORKLOADS[workload].size
    rng = np.random.default_rng(_SEED)
    if data == "real":
        from dl_jax.bench.examples import make_data
        from dl_jax.bench.workloads import make_workload

        inputs, targets = make_data(make_workload(workload), "real").train
        inputs, targets = np.asarray(inputs[:size]), np.asarray(targets[:size])
    elif workload == "imdb_bow":
        inputs, targets = _synthetic_reviews(rng, size)
    else:
        inputs, targets = _synthetic_images(rng, size)
    return Problem(workload, inputs, targets, initial_params(workload, rng))


def check_names(workload: str, data: str) -> None:
    """Raise a ValueError if there is no such workload or kind of data; name those that exist."""
    if workload not in WORKLOADS:
        raise ValueError(f"unknown workload {workload!r}; peers have {', '.join(WORKLOADS)}")
    if data not in ("real", "synthetic"):
        raise ValueError(f"data: expected real or synthetic, got {data!r}")


def initial_params(workload: str, rng: np.random.Generator) -> Params:
    """Draw kernels as Keras does, `U(-l, l)` with `l = sqrt(6 / (fan_in + fan_out))`; no biases."""
    params: Params = {}
    for name, shape in WORKLOADS[workload].kernels.items():
        taps = int(np.prod(shape[:-2]))
        limit = np.sqrt(6 / (taps * (shape[-2] + shape[-1])))
        kernel = rng.uniform(-limit, limit, shape).astype(np.float32)
        params[name] = {"kernel": kernel, "bias": np.zeros(shape[-1], np.float32)}
    return params


def save(problem: Problem, folder: Path) -> None:
    """Write the problem into a folder that exists."""
    np.save(folder / "inputs.npy", problem.inputs)
    np.save(folder / "targets.npy", problem.targets)
    leaves = {f"{k}/{leaf}": a for k, layer in problem.params.items() for leaf, a in layer.items()}
    np.savez(folder / "params.npz", allow_pickle=False, **leaves)


def load(workload: str, folder: Path) -> Problem:
    """Read what `save` wrote."""
    params: Params = {}
    with np.load(folder / "params.npz") as leaves:
        for name in leaves:
            layer, leaf = name.split("/")
            params.setdefault(layer, {})[leaf] = leaves[name]
    inputs, targets = (np.load(folder / f"{name}.npy") for name in ("inputs", "targets"))
    return Problem(workload, inputs, targets, params)


def _synthetic_images(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of ten classes a pattern of strokes on a fifth of the pixels, under weaker noise."""
    patterns = rng.integers(0, 192, (10, 28, 28, 1), np.uint8)
    patterns *= rng.random(patterns.shape) < 0.2
    targets = rng.integers(0, 10, size, np.int32)
    return patterns[targets] + rng.integers(0, 64, (size, 28, 28, 1), np.uint8), targets


def _synthetic_reviews(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The benchmark's own reviews, half of them of kinder words than the other half."""
    from dl_jax.bench.reviews import synthetic_reviews  # no peer's process needs to load data

    ids = synthetic_reviews(rng, size, LONGEST_REVIEW, NUM_WORDS)
    kindness = rng.normal(size=NUM_WORDS).astype(np.float32)
    kindness[0] = 0  # the padding is no word
    kind = kindness[ids].sum(axis=1)
    return ids, (kind > np.median(kind)).astype(np.int32)

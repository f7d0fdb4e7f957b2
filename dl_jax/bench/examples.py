"""The examples of a workload: synthetic ones of the real size and shape, or the real ones."""

from typing import Literal

import jax.numpy as jnp
import numpy as np

from dl_jax import data
from dl_jax.bench.reviews import synthetic_reviews
from dl_jax.bench.workloads import LECTURE, Workload
from dl_jax.train import Data, Examples

Source = Literal["synthetic", "real"]
SOURCES: tuple[Source, ...] = ("synthetic", "real")

_ROW = 32  # ids, of which a review has a whole number of rows, as the experiment stores them


def make_data(workload: Workload, source: Source) -> Data:
    """Return training and validation examples as the data set stores them, in NumPy's arrays.

    Images are uint8, reviews the distinct ids of their words. Synthetic data are the same at each
    call: noise, words with Zipf's law, and labels at random.

    Raises:
        ValueError: for real data where there are none, or of another size.
        DataNotFound: where no place has the real data.
    """
    if source == "synthetic":
        rng = np.random.default_rng(0)
        size = workload.num_train + workload.num_validation
        classes = max(2, workload.num_logits)
        return _split(workload, _noise(workload, rng, size), rng.integers(0, classes, size))
    if workload.real is None:
        raise ValueError(
            f"--data real: there are no real data for {workload.name}; there are for "
            f"{', '.join(LECTURE)}"
        )
    if len(workload.inputs.shape) == 3 and workload.inputs.shape != LECTURE[workload.name].inputs:
        raise ValueError(
            f"--data real: the images of {workload.real} are "
            f"{LECTURE[workload.name].inputs[:2]}; leave out --image-size"
        )
    dataset = data.load(workload.real)
    inputs, targets = dataset.train
    if isinstance(inputs, data.Tokens):  # the lecture holds out the first reviews, not the last
        ids = data.distinct(inputs)
        ids = np.pad(ids, ((0, 0), (0, -ids.shape[1] % _ROW)))
        inputs, targets = (np.roll(a, -workload.num_validation, axis=0) for a in (ids, targets))
    elif workload.num_train == len(targets):  # held out are test images, as in the experiment
        inputs = np.concatenate([inputs, np.asarray(dataset.test.inputs)])
        targets = np.concatenate([targets, dataset.test.targets])
    return _split(workload, inputs, targets)


def mean_words(inputs: np.ndarray) -> int:
    """Return how many words a text has on average, of ids that are padded with 0."""
    return max(1, round(float(np.count_nonzero(inputs)) / len(inputs)))


def _noise(workload: Workload, rng: np.random.Generator, size: int) -> np.ndarray:
    shape, dtype = workload.inputs.shape, workload.inputs.dtype
    if len(shape) == 3:
        return rng.integers(0, 256, (size, *shape), dtype=np.uint8)
    if not jnp.issubdtype(dtype, jnp.integer):
        return rng.standard_normal((size, *shape), dtype=np.float32)
    (longest,) = shape
    num_words = getattr(workload.model, "num_words", 10_000)
    return synthetic_reviews(rng, size, longest, num_words)


def _split(workload: Workload, inputs: np.ndarray, targets: np.ndarray) -> Data:
    """The first examples to train on, the rest to hold out; labels are int32 as in `data`."""
    targets = targets.astype(np.int32)
    border = workload.num_train
    if len(targets) != border + workload.num_validation:
        raise ValueError(
            f"{workload.name}: expected {border + workload.num_validation:,} examples of its real "
            f"data, got {len(targets):,}"
        )
    parts = slice(None, border), slice(border, None)
    train, validation = (Examples(inputs[part], targets[part]) for part in parts)
    return Data(train, validation)

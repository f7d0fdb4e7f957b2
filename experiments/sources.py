"""The data of an experiment: the real set, or the embedded one with the reason why."""

from typing import NamedTuple

import numpy as np

from dl_jax import data, report
from dl_jax.train import Examples
from experiments.options import DataMode


class Source(NamedTuple):
    """A data set, and why it is not the real one.

    Attributes:
        dataset: the arrays.
        reason: why the real set could not be had; None if it was, or was not asked for.
    """

    dataset: data.Dataset
    reason: str | None


def obtain(name: str, mode: DataMode) -> Source:
    """Return the data set of that name as the mode asks.

    Raises:
        DataNotFound: with mode "real", if no place has it.
        DataCorrupted: with mode "real", if all that was found is not what was published.
    """
    if mode == "embedded":
        return Source(data.embedded(name), None)
    try:
        return Source(data.load(name), None)
    except (data.DataNotFound, data.DataCorrupted) as error:
        if mode == "real":
            raise
        return Source(data.embedded(name), str(error))


def describe(source: Source) -> report.Data:
    """Return what a result says of its data."""
    dataset = source.dataset
    return {
        "name": dataset.name,
        "source": dataset.info.source,
        "digest": dataset.info.digest,
        "embedded": dataset.info.embedded,
        "reason": source.reason,
        "num_train": len(dataset.train.targets),
        "num_test": len(dataset.test.targets),
    }


def examples(split: data.Split) -> Examples:
    """Return the split as training takes it, texts as their distinct token ids."""
    inputs = split.inputs
    if isinstance(inputs, data.Tokens):
        inputs = data.distinct(inputs)
        inputs = np.pad(
            inputs, ((0, 0), (0, -inputs.shape[1] % 32))
        )  # whole rows for ops.bag_of_words
    return Examples(inputs, split.targets)


def held_out(
    all_examples: Examples, share: float, *, first: bool = False
) -> tuple[Examples, Examples]:
    """Split off a share for validation, before any shuffling.

    Args:
        all_examples: the training split.
        share: of the examples to hold out, between 0 and 1.
        first: take the first ones, as the lecture does for IMDB, not the last ones, as Keras'
            `validation_split` does.

    Returns:
        The examples to train on, and those held out.

    Raises:
        ValueError: if one of the two would be empty.
    """
    size = len(all_examples.targets)
    held = round(size * share) if 0 < share < 1 else 0  # of a share that is no number either
    border = held if first else size - held
    if not 0 < border < size:
        raise ValueError(
            f"validation: expected a share that leaves some of {size} examples on both sides, "
            f"got {share}"
        )

    def part(where: slice) -> Examples:
        return Examples(all_examples.inputs[where], all_examples.targets[where])

    before, after = part(slice(None, border)), part(slice(border, None))
    return (after, before) if first else (before, after)

"""What an experiment says about itself: the content of `result.json`, and how it is judged."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

from dl_jax.report.spread import Spread

Verdict = Literal["met", "missed", "not comparable", "interrupted"]
Direction = Literal[">=", "<="]
VERSION = 1
"""Of `result.json`; a change that older readers would take for something else raises it."""


class Figure(TypedDict):
    """One measured quantity beside what was expected of it.

    Keys:
        name: the quantity, for example `"test accuracy"`.
        value: what this run got.
        expected: the figure of the source, or None where the source has none.
        bound: the worst value that still meets the expectation, or None for a figure that is
            shown and not judged.
        direction: `">="` where more is better, `"<="` where less is.
        source: where `expected` is from, for example a slide of the lecture.
        verdict: from `judge`; None without a bound.
        spread: of several seeds, of which `value` is the mean; absent of one.
    """

    name: str
    value: float
    expected: float | None
    bound: float | None
    direction: Direction
    source: str
    verdict: Verdict | None
    spread: NotRequired[Spread]


class Data(TypedDict):
    """Which data the run used.

    Keys:
        name: as given to `dl_jax.data.load`.
        source: where the arrays were found.
        digest: SHA-256 over the content, or None for data generated from the seed.
        embedded: whether this is the small stand-in that needs no network.
        reason: why the real set could not be had; None if it was not asked for.
        num_train: examples in the training split.
        num_test: examples in the test split.
    """

    name: str
    source: str
    digest: str | None
    embedded: bool
    reason: str | None
    num_train: int
    num_test: int


class Layer(TypedDict):
    """A row of the model's summary: shape without the batch, FLOPs of one example's forward pass.

    A layer that runs in training alone has None of them.
    """

    layer: str
    output_shape: Sequence[int]
    params: int
    flops: int | None


class Model(TypedDict):
    """The model's summary."""

    name: str
    num_params: int
    rows: Sequence[Layer]


class Sample(TypedDict):
    """A text with its class, the predicted class, and the probability given to the latter."""

    text: str
    target: str
    prediction: str
    probability: float


class Table(TypedDict):
    """Numbers worth a table of their own: a caption, the column headers, the cells."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | None]]


class Result(TypedDict):
    """The whole of `result.json`, and all that a page needs besides its pictures.

    Keys:
        version: `VERSION`; the first ones do not have it.
        started: when, in UTC, ISO 8601.
        experiment: the module's name, for example `"mnist_cnn"`.
        title: one line for people.
        description: one sentence.
        command: the command line that repeats the run.
        status: whether the run came to its end or was interrupted; of one that is going on, or was
            killed, "running".
        verdict: from `overall`, or `"interrupted"`.
        figures: what was measured.
        data: which data were used; None where the lecture's own numbers are all there is.
        model: the model's summary, or None.
        times: seconds for `data`, `compilation`, `training`, `evaluation`, and for one
            `epoch`; a part that did not happen is absent or None.
        config: the hyperparameters.
        environment: from `environment`, with what the caller adds (devices, precision).
        history: a row an epoch: `epoch`, `loss`, `accuracy`, and the same after `val_`.
        samples: texts with their predictions.
        tables: numbers behind the pictures.
        programs: how many compiled programs were found in the cache, and how many were not.
        spread: of several seeds, of which `history` has the means: beside each of its rows the
            spread of each figure.
    """

    version: NotRequired[int]
    started: NotRequired[str]
    experiment: str
    title: str
    description: str
    command: str
    status: Literal["running", "finished", "interrupted"]
    verdict: Verdict
    figures: Sequence[Figure]
    data: Data | None
    model: Model | None
    times: Mapping[str, float | None]
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    samples: NotRequired[Sequence[Sample]]
    tables: NotRequired[Sequence[Table]]
    programs: NotRequired[str]
    spread: NotRequired[Sequence[Mapping[str, Spread]]]


def whole_time(result: Result) -> float:
    """The seconds of a run: loading the data, compilation, training and evaluation."""
    parts = ("data", "compilation", "training", "evaluation")
    return sum(result["times"].get(part) or 0.0 for part in parts)


def embedded(result: Result) -> Data | None:
    """The data of a run that used an embedded stand-in, and None for any other."""
    data = result["data"]
    return data if data and data["embedded"] else None


def judge(
    value: float, bound: float | None, direction: Direction, comparable: bool
) -> Verdict | None:
    """Whether `value` is on the right side of `bound`; the bound itself still meets it.

    A value that is not a number misses every bound.

    Args:
        value: what was measured.
        bound: the worst value that is still good enough; None for a figure without a bound.
        direction: `">="` or `"<="`, read as `value direction bound`.
        comparable: False where the run used other data than the expectation.

    Returns:
        `"met"`, `"missed"` or `"not comparable"`; None without a bound.

    Raises:
        ValueError: for another direction.
    """
    if direction not in (">=", "<="):
        raise ValueError(f"direction: expected '>=' or '<=', got {direction!r}")
    if bound is None:
        return None
    if not comparable:
        return "not comparable"
    met = value >= bound if direction == ">=" else value <= bound
    return "met" if met else "missed"


def overall(verdicts: Iterable[Verdict | None]) -> Verdict:
    """The verdict of an experiment from those of its figures: the worst one counts.

    The order is interrupted, missed, not comparable, met. Figures without a verdict do not
    count; where none has one, there was nothing to compare.
    """
    found = {verdict for verdict in verdicts if verdict is not None}
    order: tuple[Verdict, ...] = ("interrupted", "missed", "not comparable", "met")
    for verdict in order:
        if verdict in found:
            return verdict
    return "not comparable"

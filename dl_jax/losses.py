"""Losses, and the lecture's table of which last layer and which loss a problem wants."""

from collections.abc import Callable
from functools import cache, wraps
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num, Shaped

from dl_jax import ops


def half_squared_error(
    predictions: Float[Array, "..."], targets: Num[Array, "..."]
) -> Float[Array, ""]:
    """Return `E = 1/2 sum_i (t_i - y_i)^2` over everything. Slide "Loss function".

    Raises:
        ValueError: if the shapes differ.

    >>> float(half_squared_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])))
    2.0
    """
    _same_shape("half_squared_error", predictions, targets)
    return 0.5 * jnp.sum((targets - predictions) ** 2)


def mean_squared_error(
    predictions: Float[Array, "... k"], targets: Num[Array, "... k"]
) -> Float[Array, "..."]:
    """Return `1/k sum_j (t_j - y_j)^2` of each example. Slide "Choice of loss functions", mse.

    Raises:
        ValueError: if the shapes differ.
    """
    _same_shape("mean_squared_error", predictions, targets)
    return jnp.mean((targets - predictions) ** 2, axis=-1)


def binary_cross_entropy(
    logits: Float[Array, "..."], labels: Num[Array, "..."]
) -> Float[Array, "..."]:
    """Return `-t log y - (1 - t) log(1 - y)` with `y = sigmoid(z)`, for each logit z.

    Computed as `t log(1 + e^{-z}) + (1 - t) log(1 + e^z)`, which neither overflows nor loses
    digits; its derivative is `y - t` everywhere, also at 0, the logit of a text that excites no
    neuron.

    Args:
        logits: before the sigmoid.
        labels: 0 or 1, or a probability between.

    Raises:
        ValueError: if the shapes differ.

    >>> round(float(binary_cross_entropy(jnp.array(0.0), jnp.array(1))), 6)  # log 2
    0.693147
    """
    _same_shape("binary_cross_entropy", logits, labels)
    return labels * jax.nn.softplus(-logits) + (1 - labels) * jax.nn.softplus(logits)


def categorical_cross_entropy(
    logits: Float[Array, "... k"], labels: Int[Array, "..."] | Float[Array, "... k"]
) -> Float[Array, "..."]:
    """Return `-sum_j t_j log y_j` with `y = softmax(z)`, for each example.

    Args:
        logits: before the softmax.
        labels: class numbers in 0..k-1 (one axis fewer), or one-hot rows as on the slide. A class
            number out of range cannot be seen under `jit`: it gives NaN; `train` checks for it.

    Raises:
        ValueError: if the labels have neither shape.

    >>> round(float(categorical_cross_entropy(jnp.zeros(10), jnp.array(3))), 6)  # log 10
    2.302585
    """
    log_y = jax.nn.log_softmax(logits)
    if labels.ndim == logits.ndim:
        _same_shape("categorical_cross_entropy", logits, labels)
        return -jnp.sum(labels * log_y, axis=-1)
    if labels.shape != logits.shape[:-1] or not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(
            f"categorical_cross_entropy: for logits {logits.shape} expected integer labels "
            f"{logits.shape[:-1]} or one-hot labels {logits.shape}, "
            f"got {labels.dtype} {labels.shape}"
        )
    # Compared, not looked up: the derivative is then a product, no scatter. As int32, for the
    # numbers of a narrow type come round again before they reach a large k.
    is_label = jax.nn.one_hot(labels.astype(jnp.int32), logits.shape[-1], dtype=bool)
    loss = -jnp.sum(jnp.where(is_label, log_y, 0), axis=-1)
    return jnp.where(is_label.any(axis=-1), loss, jnp.nan)


class Objective(NamedTuple):
    """A row of the lecture's table: what the last layer and the loss of a problem are.

    Attributes:
        activation: from logits to what the network says, `[n, k]`.
        loss: from logits and targets to the loss of each example, `[n]`.
        predict: from logits to the answer: a class number, a yes or no, a value.
        metrics: from logits and targets to named figures of each example, `[n]` each.
    """

    activation: Callable[[Float[Array, "n k"]], Float[Array, "n k"]]
    loss: Callable[[Float[Array, "n k"], Shaped[Array, "n ..."]], Float[Array, " n"]]
    predict: Callable[[Float[Array, "n k"]], Shaped[Array, "n ..."]]
    metrics: Callable[[Float[Array, "n k"], Shaped[Array, "n ..."]], dict[str, Float[Array, " n"]]]


def _accuracy(predict):
    def metrics(logits, targets):
        answers = predict(logits)
        if targets.ndim == answers.ndim + 1:  # one-hot rows
            targets = jnp.argmax(targets, axis=-1)
        _same_shape("accuracy", answers, targets)
        right = (answers == targets).astype(jnp.float32)
        return {"accuracy": right.reshape(right.shape[0], -1).mean(-1)}

    return metrics


def _one_logit(logits):
    if logits.ndim != 2 or logits.shape[-1] != 1:
        raise ValueError(f"BINARY: expected one logit an example, [n, 1], got {logits.shape}")
    return logits[:, 0]


def _is_positive(logits):
    return (_one_logit(logits) >= 0).astype(jnp.int32)


def _most_likely(logits):
    return jnp.argmax(logits, axis=-1).astype(jnp.int32)


def _are_positive(logits):
    return (logits >= 0).astype(jnp.int32)


BINARY = Objective(
    activation=ops.sigmoid,
    loss=lambda logits, targets: binary_cross_entropy(_one_logit(logits), targets),
    predict=_is_positive,
    metrics=_accuracy(_is_positive),
)
MULTICLASS = Objective(
    activation=ops.softmax,
    loss=categorical_cross_entropy,
    predict=_most_likely,
    metrics=_accuracy(_most_likely),
)
MULTILABEL = Objective(
    activation=ops.sigmoid,
    loss=lambda logits, targets: binary_cross_entropy(logits, targets).mean(-1),
    predict=_are_positive,
    metrics=_accuracy(_are_positive),
)
REGRESSION = Objective(
    activation=lambda logits: logits,
    loss=mean_squared_error,
    predict=lambda logits: logits,
    metrics=lambda logits, targets: {
        "mean_absolute_error": jnp.abs(targets - logits).mean(-1),
    },
)


@cache  # the same objective for the same arguments, so that compiled programs are found again
def with_auxiliary_heads(objective: Objective, weight: float = 0.3) -> Objective:
    """Return the objective of a network with heads on the way, `E = E(z_0) + w sum_i E(z_i)`.

    In training such a network's logits are `[n, 1 + m, k]`: z_0 its own, and z_1 to z_m those of
    its heads, whose losses count by the weight (Szegedy et al. 2015, section 5). Activation, answer
    and metrics are those of z_0. Logits `[n, k]` have no heads: they get the given objective.

    Args:
        objective: of the network and of each head.
        weight: w, of each head's loss.

    Raises:
        ValueError: for a negative weight; by what is returned, for logits of another rank or
            without a network's own.
    """
    if not weight >= 0:
        raise ValueError(f"with_auxiliary_heads: expected a weight of at least 0, got {weight}")

    def each(logits):
        if logits.ndim == 2:
            return [logits]
        if logits.ndim != 3 or logits.shape[1] == 0:
            raise ValueError(
                f"with_auxiliary_heads: expected logits [n, 1 + m, k] or [n, k], got {logits.shape}"
            )
        return [logits[:, i] for i in range(logits.shape[1])]

    @wraps(objective.loss)  # by which training knows whose targets are labels
    def loss(logits, targets):
        main, *heads = (objective.loss(one, targets) for one in each(logits))
        return sum((weight * head for head in heads), start=main)

    return Objective(
        activation=lambda logits: objective.activation(each(logits)[0]),
        loss=loss,
        predict=lambda logits: objective.predict(each(logits)[0]),
        metrics=lambda logits, targets: objective.metrics(each(logits)[0], targets),
    )


def _same_shape(name, first, second):
    if first.shape != second.shape:
        raise ValueError(
            f"{name}: expected predictions and targets of one shape, "
            f"got {first.shape} and {second.shape}"
        )

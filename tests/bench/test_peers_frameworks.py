"""Each framework trains the network that this project trains, from the same parameters."""

import importlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from dl_jax.bench.peers import catalog, check, numpy_by_hand
from dl_jax.bench.peers.numpy_network import loss_and_grads
from dl_jax.bench.peers.peer import Peer, Trainer
from dl_jax.bench.peers.problem import WORKLOADS, Params, Problem, make_problem
from dl_jax.losses import BINARY, MULTICLASS
from dl_jax.models import create
from dl_jax.models.layers import Dropout
from dl_jax.train.state import as_model_inputs

SIZES = {"mnist_cnn": 3 * 16, "fashion_mlp": 100, "imdb_bow": 512 + 40}
"""A few batches, of the last two a short one at their end, as in their epochs."""


@pytest.fixture(scope="module")
def problems() -> Iterator[dict[str, Problem]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(WORKLOADS, "mnist_cnn", WORKLOADS["mnist_cnn"]._replace(batch_size=16))
        yield {name: make_problem(name, "synthetic", size) for name, size in SIZES.items()}


@pytest.fixture(scope="module")
def ours(problems) -> Callable[[str], dict[str, float]]:
    """From a workload to the losses of this project before and after an epoch."""
    return cache(lambda workload: losses_of(problems[workload], catalog.OURS))


def load(problem: Problem, name: str) -> Peer:
    module = importlib.import_module(f"dl_jax.bench.peers.{catalog.entry(name).module}")
    return module.load(problem, name)


def losses_of(problem: Problem, name: str) -> dict[str, float]:
    return losses(load(problem, name).choices[0].build(True), problem.num_steps)


def losses(trainer: Trainer, steps: int) -> dict[str, float]:
    before = trainer.loss()
    assert trainer.run(steps) > 0
    return {"before": before, "after": trainer.loss()}


def nudged(params: Params) -> Params:
    """Biases that are not 0, so that a wrong one shows."""
    rng = np.random.default_rng(5)
    return {
        name: layer | {"bias": 0.1 * rng.standard_normal(layer["bias"].shape, np.float32)}
        for name, layer in params.items()
    }


def expected_loss_and_grads(problem: Problem, count: int, mask: np.ndarray) -> Any:
    """Those of this project's module by automatic differentiation."""
    model = create(problem.workload)
    objective = BINARY if problem.workload == "imdb_bow" else MULTICLASS
    inputs, targets = as_model_inputs(problem.inputs[:count]), jnp.asarray(problem.targets[:count])

    def drop(call, args, kwargs, context):
        if isinstance(context.module, Dropout):
            return mask * args[0]
        return call(*args, **kwargs)

    def mean_loss(params):
        with nn.intercept_methods(drop):
            logits = model.apply({"params": params}, inputs, train=True)
        assert isinstance(logits, jax.Array)
        return objective.loss(logits, targets).mean()

    return jax.jit(jax.value_and_grad(mean_loss))(jax.tree.map(jnp.asarray, problem.params))


@pytest.mark.parametrize("workload", WORKLOADS)
def test_numpy_has_the_gradients_of_this_project(problems, workload):
    few = problems[workload]
    few = Problem(workload, few.inputs, few.targets, nudged(few.params))
    mask = 2 * np.random.default_rng(0).integers(0, 2, (12, 1600)).astype(np.float32)
    loss, grads = loss_and_grads(
        few.params,
        few.dense_inputs()[:12],
        few.targets[:12],
        (lambda shape: mask.reshape(shape)) if workload == "mnist_cnn" else None,
    )
    expected_loss, expected = expected_loss_and_grads(few, 12, mask)
    assert loss == pytest.approx(float(expected_loss), rel=1e-5)
    assert jax.tree.structure(grads) == jax.tree.structure(jax.tree.map(np.asarray, expected))
    for name, layer in grads.items():
        for leaf, grad in layer.items():
            scale = float(np.abs(expected[name][leaf]).max())
            np.testing.assert_allclose(grad, expected[name][leaf], 1e-3, 1e-5 * scale)
            assert scale > 0


@pytest.mark.parametrize("name", ["flax", "flax_scan", "numpy"])
@pytest.mark.parametrize("workload", WORKLOADS)
def test_an_epoch_gives_the_loss_that_it_gives_here(problems, ours, workload, name):
    expected, found = ours(workload), losses_of(problems[workload], name)
    assert check.difference(expected, found, "cpu") is None
    assert expected["after"] < 0.999 * expected["before"]


@pytest.mark.parametrize(
    ("workload", "constant", "value"),
    [
        ("fashion_mlp", "LEARNING_RATE", 1.01e-3),
        ("imdb_bow", "EPSILON", 1e-8),
        ("imdb_bow", "DECAY", 0.91),
    ],
)
def test_a_small_mistake_in_the_optimizer_is_noticed(
    problems, ours, monkeypatch, workload, constant, value
):
    monkeypatch.setattr(numpy_by_hand, constant, value)
    said = check.difference(ours(workload), losses_of(problems[workload], "numpy"), "cpu")
    assert said is not None
    assert said.startswith("computes something else")


def test_the_reference_for_keras_is_adam_with_its_epsilon(problems):
    few = problems["fashion_mlp"]
    found = losses(load(few, catalog.OURS).references["keras_adam"](), 2)
    with_ours = losses(load(few, catalog.OURS).choices[0].build(True), 2)
    assert found["before"] == with_ours["before"]
    # A gradient no larger than its own rounding moves a weight by a whole step of Adam, either way.
    assert found["after"] == pytest.approx(_keras_two_steps(few), rel=check.TOLERANCE / 10)
    assert abs(found["after"] - with_ours["after"]) > check.TOLERANCE / 2 * found["after"]


def _keras_two_steps(few: Problem) -> float:
    """Keras' `adam.py`, `update_step`, in NumPy."""
    params, w = numpy_by_hand.in_one_array(few.params)
    m, v = np.zeros_like(w), np.zeros_like(w)
    batches = list(zip(few.batches(few.dense_inputs()), few.batches(few.targets), strict=True))
    for t, batch in enumerate(batches[:2], start=1):
        _, grads = loss_and_grads(params, *batch)
        _, g = numpy_by_hand.in_one_array(grads)
        alpha = 1e-3 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m += (g - m) * (1 - 0.9)
        v += (g * g - v) * (1 - 0.999)
        w -= m * alpha / (np.sqrt(v) + 1e-7)
    return loss_and_grads(params, *batches[0])[0]


def test_timed_training_of_this_project_shuffles_and_checked_training_does_not(problems):
    few = problems["fashion_mlp"]
    (choice,) = load(few, catalog.OURS).choices
    in_order, again, shuffled = (
        losses(choice.build(checked), few.num_steps) for checked in (True, True, False)
    )
    assert in_order == again
    assert in_order["before"] == shuffled["before"]
    assert in_order["after"] != shuffled["after"]


def test_numpy_drops_half_of_the_features_when_it_is_timed(problems, monkeypatch):
    masks = []
    real = numpy_by_hand.loss_and_grads

    def spy(params, x, t, draw=None):
        masks.append(None if draw is None else draw((4, 1600)))
        return real(params, x, t, draw)

    monkeypatch.setattr(numpy_by_hand, "loss_and_grads", spy)
    choice = numpy_by_hand.load(problems["mnist_cnn"], "numpy").choices[0]
    choice.build(False).run(1)
    choice.build(True).run(1)
    assert masks[1] is None
    assert set(np.unique(masks[0])) == {0, 2}
    assert 0.45 < (masks[0] == 0).mean() < 0.55

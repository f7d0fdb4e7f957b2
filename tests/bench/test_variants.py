"""The variants do the same training in different pieces."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax.bench.examples import make_data
from dl_jax.bench.stages import build, no_persistent_cache
from dl_jax.bench.variants import VARIANTS, Setting
from dl_jax.bench.workloads import make_workload
from dl_jax.ops.compile_once import compile_once
from dl_jax.train import Schedule, make_train

SIZE, BATCH = 70, 32  # two whole batches, and one of six


@pytest.fixture(scope="module")
def setting() -> Setting:
    workload = make_workload("perceptron")
    data = make_data(workload, "synthetic")
    data = jax.tree.map(lambda a: jnp.asarray(a[:SIZE]), data)
    workload = workload._replace(num_train=SIZE, num_validation=32)
    return Setting(workload, data, "float32", num_epochs=2, members=3)


@pytest.fixture(scope="module")
def trained(setting):
    """What `make_train` makes of two epochs."""
    workload = setting.workload
    optimizer, schedule = workload.optimizer.transformation, Schedule(2, BATCH)
    train = make_train(workload.model, workload.objective, optimizer, setting.data, schedule)
    return compile_once(train)(jax.random.key(0))


def params(state) -> np.ndarray:
    return np.concatenate([np.ravel(p) for p in jax.tree.leaves(state.params)])


def called(setting, variant, calls=1):
    """The program, and what so many calls of it give."""
    program = VARIANTS[variant](setting)
    call, carry = compile_once(program.function), program.carry
    metrics: Any = None
    for _ in range(calls):
        carry, metrics = call(carry, *program.fixed)
    return program, carry, metrics


def test_two_epochs_are_the_run_that_make_train_makes(setting, trained):
    program, state, _ = called(setting, "epoch", calls=2)
    np.testing.assert_allclose(params(state), params(trained[0]), rtol=1e-6)
    assert int(state.step) == 6
    assert program.work == {"steps": 70 / 32, "examples": 70, "updates": 3, "evaluated": 0}


def test_steps_are_those_of_an_epoch_and_begin_again(setting):
    workload = setting.workload._replace(num_train=64)
    whole = setting._replace(workload=workload, data=jax.tree.map(lambda a: a[:64], setting.data))
    program = VARIANTS["step"](whole)
    step = compile_once(program.function)
    once, first = step(program.carry, *program.fixed)
    twice, second = step(once, *program.fixed)
    assert program.work == {"steps": 1, "examples": 32, "updates": 1, "evaluated": 0}
    _, of_epoch, totals = called(whole, "epoch")
    np.testing.assert_allclose(params(twice), params(of_epoch), rtol=1e-6)
    assert totals["loss"] == pytest.approx(32 * (first["loss"] + second["loss"]))
    _, third = step(program.carry.replace(step=jnp.int32(2)), *program.fixed)
    assert third["loss"] == first["loss"] != second["loss"]  # the first batch once more


def test_eager_is_the_step_that_is_not_compiled(setting):
    assert VARIANTS["eager"] is VARIANTS["step"]


def test_a_run_gives_what_make_train_gives_and_has_its_data_as_an_argument(setting, trained):
    said, program = [], VARIANTS["run"](setting)
    built = build(program, said.append)
    key, results = built.compiled(program.carry, *built.fixed)
    assert key == program.carry
    for got, expected in zip(results, jax.tree.leaves(trained), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert (SIZE, 2) in [a.shape for a in jax.tree.leaves(built.fixed)]
    assert program.work == {"steps": 2 * 70 / 32, "examples": 140, "updates": 6, "evaluated": 64}
    assert said == ["tracing", "lowering", "compiling"]
    assert min(built.trace, built.lower, built.compile) > 0


def test_an_ensemble_trains_members_that_differ(setting):
    program, _, (state, history) = called(setting, "ensemble")
    assert history["val_loss"].shape == (3, 2)
    assert len(np.unique(state.params["Dense_0"]["kernel"])) == 3 * 2
    one = VARIANTS["run"](setting).work
    assert program.work["steps"] == one["steps"]
    assert program.work["examples"] == 3 * one["examples"]
    assert program.work["updates"] == 3 * one["updates"]
    assert program.work["evaluated"] == 3 * one["evaluated"]


def test_a_compilation_cache_on_disk_is_off_meanwhile():
    def is_on() -> bool:
        return jax.config.jax_enable_compilation_cache  # pyright: ignore[reportAttributeAccessIssue]

    before = is_on()
    with no_persistent_cache():
        assert not is_on()
    assert is_on() == before

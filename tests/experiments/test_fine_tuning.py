"""What is frozen stays as it was, and what is not learns."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dl_jax.train import Examples
from experiments import fine_tuning


def test_frozen_layers_keep_every_bit():
    params = {"conv": {"kernel": jnp.ones(3)}, "output": {"kernel": jnp.ones(2)}}
    optimizer = fine_tuning.frozen(optax.adam(0.1), params, ("output",))
    grads = jax.tree.map(jnp.ones_like, params)
    updates, _ = optimizer.update(grads, optimizer.init(params), params)
    after = optax.apply_updates(params, updates)
    # Adam's first update is the learning rate, whatever the gradient.
    learned = {"output": {"kernel": jnp.full(2, 0.9)}}
    chex.assert_trees_all_close(after, params | learned, rtol=1e-6)
    of_conv, _ = jax.tree.leaves(updates)
    assert not of_conv.any()


def test_a_layer_that_there_is_not():
    with pytest.raises(ValueError, match="expected some of conv, output, got fc"):
        fine_tuning.frozen(optax.sgd(0.1), {"conv": {}, "output": {}}, ("fc",))


def test_five_digits_are_five_classes():
    targets = np.arange(10, dtype=np.int32)
    high = fine_tuning.of_digits(Examples(10 * targets, targets), 5)
    assert high.targets.tolist() == [0, 1, 2, 3, 4]
    assert high.inputs.tolist() == [50, 60, 70, 80, 90]


def test_the_experiment_on_embedded_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fine_tuning, "VARIANTS", fine_tuning.VARIANTS[1:2])
    monkeypatch.setattr(fine_tuning, "COMPARED", (fine_tuning.VARIANTS[0].name,) * 2)
    record = fine_tuning.run(fine_tuning.Config("embedded", num_epochs=1, seeds=2))
    (table,) = list(record.result.get("tables", ()))
    assert [row[:3] for row in table["rows"]] == [(s, "the last layer", 84 * 5 + 5) for s in (0, 1)]
    first, second = (float(row[3] or 0) for row in table["rows"])
    figure = record.result["figures"][0]
    assert figure["value"] == pytest.approx((first + second) / 2)
    assert first != second
    change = next(f for f in record.result["figures"] if "frozen parameter" in f["name"])
    assert change["value"] == 0
    with pytest.raises(ValueError, match="num_examples: expected from 16, a batch, to"):
        fine_tuning.run(fine_tuning.Config("embedded", num_examples=10))

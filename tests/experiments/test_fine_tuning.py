"""What is frozen stays as it was, and what is not learns."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dl_jax.train import Examples
from experiments import fine_tuned, fine_tuning


def test_frozen_layers_keep_every_bit():
    params = {"conv": {"kernel": jnp.ones(3)}, "output": {"kernel": jnp.ones(2)}}
    optimizer = fine_tuned.frozen(optax.adam(0.1), params, ("output",))
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
        fine_tuned.frozen(optax.sgd(0.1), {"conv": {}, "output": {}}, ("fc",))


def test_five_digits_are_five_classes():
    targets = np.arange(10, dtype=np.int32)
    high = fine_tuned.of_digits(Examples(10 * targets, targets), 5)
    assert high.targets.tolist() == [0, 1, 2, 3, 4]
    assert high.inputs.tolist() == [50, 60, 70, 80, 90]


@pytest.fixture
def one_variant(tmp_path, monkeypatch):
    """The experiment with the last layer alone, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fine_tuning, "VARIANTS", fine_tuned.VARIANTS[1:2])
    monkeypatch.setattr(fine_tuning, "COMPARED", ("the last layer",) * 2)

    def run(**settings):
        record = fine_tuning.run(fine_tuning.Config("embedded", num_epochs=1, **settings))
        table = next(iter(record.result.get("tables", ())))
        rows = [
            [np.nan if cell is None else float(cell) for cell in (row[1], row[3], row[4])]
            for row in table["rows"]
        ]
        return record, {(rate, seed): accuracy for rate, seed, accuracy in rows}

    return run


def test_seeds_are_the_runs_of_the_following_seeds_and_their_mean_is_judged(one_variant):
    record, accuracies = one_variant(seeds=2)
    assert accuracies == {(1e-3, s): one_variant(seed=s)[1][1e-3, s] for s in (0, 1)}
    assert accuracies[1e-3, 0] != accuracies[1e-3, 1]
    figure, _, change = record.result["figures"]
    assert figure["value"] == pytest.approx(np.mean(list(accuracies.values())))
    assert change["name"].endswith("frozen parameter")
    assert change["value"] == 0


def test_a_sweep_of_learning_rates_is_the_runs_with_each(one_variant):
    record, accuracies = one_variant(seeds=2, sweep=("learning_rate=1e-4,1e-2",))
    alone = {rate: one_variant(learning_rate=rate)[1][rate, 0] for rate in (1e-4, 1e-2)}
    assert {rate: accuracies[rate, 0] for rate in alone} == pytest.approx(alone)
    assert alone[1e-4] != alone[1e-2]
    names = [f["name"] for f in record.result["figures"] if "gain" in f["name"]]
    assert names == [f"gain with frozen convolutions, learning rate {r}" for r in (0.0001, 0.01)]
    means = list(record.result.get("tables", ()))[1]
    assert list(means["columns"]) == ["trained", "0.0001", "0.01"]
    expected = [np.mean([accuracies[rate, seed] for seed in (0, 1)]) for rate in (1e-4, 1e-2)]
    assert means["rows"][0][1:] == pytest.approx(expected)
    assert (record.folder / "sweep.png").exists()


def test_a_learning_rate_that_diverges_is_no_accuracy(one_variant):
    record, accuracies = one_variant(sweep=("learning_rate=1e-3,3e38",))
    assert accuracies[1e-3, 0] > 0
    assert not np.isfinite(accuracies[3e38, 0])
    names = [f["name"] for f in record.result["figures"] if "gain" in f["name"]]
    assert names == ["gain with frozen convolutions, learning rate 0.001"]
    with pytest.raises(ValueError, match="diverged at each learning rate; sweep smaller ones"):
        one_variant(sweep=("learning_rate=2e38,3e38",))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_examples": 10}, "num_examples: expected from 16, a batch, to"),
        ({"sweep": ("dropout_rate=0,0.5",)}, "no setting 'dropout_rate'; expected learning_rate"),
    ],
)
def test_bad_settings(one_variant, settings, message):
    with pytest.raises(ValueError, match=message):
        one_variant(**settings)

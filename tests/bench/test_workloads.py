"""What there is to train, and what is said of what there is not."""

import jax
import jax.numpy as jnp
import pytest
from flax import linen as nn

from dl_jax.bench.workloads import ADAM, LECTURE, make_workload, takes_images
from dl_jax.losses import BINARY, MULTICLASS, with_auxiliary_heads
from dl_jax.models import CATALOG
from dl_jax.models.catalog import Entry
from dl_jax.train import Examples, init_state, train_step
from experiments import fashion_mnist_mlp, imdb_reviews, mnist_cnn

EXPERIMENTS = {
    "fashion_mlp": fashion_mnist_mlp,
    "mnist_cnn": mnist_cnn,
    "imdb_bow": imdb_reviews,
}


@pytest.mark.parametrize("name", LECTURE)
def test_the_lectures_networks_are_trained_as_the_experiments_train_them(name):
    workload, config = make_workload(name), EXPERIMENTS[name].Config()
    task = EXPERIMENTS[name].task_of(config)
    assert workload.model == task.model
    assert workload.objective is task.objective
    assert workload.batch_size == config.batch_size
    params = {"w": jnp.array([1.0, -2.0])}
    grads = {"w": jnp.array([0.1, 0.2])}

    def updates(optimizer):
        return optimizer.update(grads, optimizer.init(params), params)[0]["w"].tolist()

    assert updates(workload.optimizer.transformation) == updates(task.optimizer)


@pytest.mark.parametrize("name", LECTURE)
def test_an_optimizer_keeps_as_many_numbers_as_are_counted(name):
    optimizer = LECTURE[name].optimizer
    state = optimizer.transformation.init({"w": jnp.zeros(100)})
    assert sum(a.size for a in jax.tree.leaves(state) if a.size > 1) == 100 * optimizer.slots


def test_every_model_of_the_catalog_is_a_workload():
    workloads = {name: make_workload(name) for name in CATALOG}
    assert workloads["perceptron"].objective is BINARY
    assert workloads["perceptron"].batch_size == 32
    assert workloads["perceptron"].real is None


def test_a_model_that_is_new_in_the_catalog(monkeypatch):
    images = jax.ShapeDtypeStruct((64, 64, 3), jnp.float32)

    class Pooled(nn.Module):
        @nn.compact
        def __call__(self, inputs, *, train=False):
            return nn.Dense(7)(inputs.mean((1, 2)))

    monkeypatch.setitem(CATALOG, "pooled", Entry(Pooled, images))
    workload = make_workload("pooled", image_size=32, batch_size=100)
    assert workload.inputs.shape == (32, 32, 3)
    assert workload.objective is with_auxiliary_heads(MULTICLASS)
    assert workload.optimizer is ADAM
    assert (workload.batch_size, workload.num_train) == (100, 400)
    assert takes_images("pooled")
    assert not takes_images("imdb_bow")


def test_a_model_with_heads_and_batch_statistics_takes_a_step(key):
    workload = make_workload("googlenet_bn", batch_size=2)
    model, optimizer = workload.model, workload.optimizer.transformation
    batch = Examples(jnp.zeros((2, 224, 224, 3), jnp.uint8), jnp.zeros(2, jnp.int32))

    def step(key, batch):
        state = init_state(model, optimizer, key, batch.inputs)
        return train_step(model, workload.objective, optimizer, state, batch, key)

    _, metrics = jax.eval_shape(step, key, batch)
    assert metrics["loss"].shape == ()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "resnet"}, "unknown workload 'resnet'; the workloads are perceptron, fashion"),
        ({"name": "mnist_cnn", "batch_size": 0}, "from 1 to the 54,000 training examples.* got 0"),
        ({"name": "perceptron", "batch_size": 0}, "expected from 1 on, got 0"),
        ({"name": "mnist_cnn", "batch_size": 54_001}, "got 54001"),
        ({"name": "imdb_bow", "image_size": 32}, "takes no images; those that do: fashion_mlp, mn"),
        ({"name": "mnist_cnn", "image_size": 0}, "--image-size: expected at least 1, got 0"),
        ({"name": "mnist_cnn", "image_size": 5}, "images of at least 10x10"),
    ],
)
def test_what_there_is_not_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        make_workload(arguments.pop("name"), **arguments)

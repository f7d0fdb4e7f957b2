"""The classic networks: the images that they take, and what training changes in them.

Their sizes at the paper's images are in `test_summary`.
"""

import functools
import math
from functools import partial

import flax.errors
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from dl_jax.models import VGG, AlexNet, GoogLeNet, LeNet5, ResNet, ZFNet, summarize
from dl_jax.models.layers import MaxPool
from dl_jax.models.resnet import Block

TINY = {"kernel_size": 3, "strides": 1, "pool": False}  # a ResNet's first convolution

# A model, and the rows and columns of the smallest image that it takes.
SMALLEST = {
    "lenet5": (LeNet5(), 16),  # 16 - 4 = 12, 6, 2, 1
    "lenet5, padded": (LeNet5(pad=2), 12),
    "lenet5, much padded": (LeNet5(pad=20), 1),
    "alexnet": (AlexNet(), 67),  # 15, 7, 3, 1
    "alexnet, padded": (AlexNet(padding=2), 63),
    "zfnet": (ZFNet(), 47),  # 22, 11 with an overhang, 4, 2 with one, 1 with one
    "vgg": (VGG((1, 1, 1, 1, 1)), 32),  # halved five times
    "googlenet": (GoogLeNet(), 79),  # 40, 20, 10, 5: the window of the heads
    "googlenet_bn": (GoogLeNet(batch_norm=True), 79),
    "googlenet without heads": (GoogLeNet(auxiliary=False), 31),  # 16, 8, 4, 2, 1
    "googlenet_bn without heads": (GoogLeNet(batch_norm=True, auxiliary=False), 15),
    "resnet": (ResNet((1, 1, 1, 1)), 1),  # all of its windows are padded
    "resnet for small images": (ResNet((1, 1, 1, 1), **TINY), 1),
}


def abstract(model, shape, variables=None, rngs=(), **options):
    """Shapes of the logits and what is kept beside them: of `apply`, or `init` if no variables."""
    images = jax.ShapeDtypeStruct(shape, jnp.float32)
    keys = {name: jax.random.key(0) for name in rngs}
    if variables is None:
        return jax.eval_shape(partial(model.init_with_output, jax.random.key(0)), images)
    apply = partial(model.apply, rngs=keys, mutable=["batch_stats"], **options)
    return jax.eval_shape(apply, variables, images)


@functools.cache
def smallest(name: str):
    """Logits and variables of a model of three classes for its smallest image, of four channels."""
    model, side = SMALLEST[name]
    return abstract(model.clone(num_classes=3), (2, side, side + 1, 4))


def drawn(variables):
    """Values for shapes, near 1: variances are positive, and no scale or bias is a special one."""
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda a: jnp.asarray(rng.uniform(0.5, 1.5, a.shape), a.dtype), variables)


@pytest.mark.parametrize("name", SMALLEST)
def test_the_smallest_image_reaches_the_last_layer(name):
    logits, variables = smallest(name)
    assert logits.shape == (2, 3)
    assert all(math.prod(leaf.shape) for leaf in jax.tree.leaves(variables))
    model, side = SMALLEST[name]
    rows = summarize(model.clone(num_classes=3), (side, side + 1, 4))
    assert rows[-1].output_shape == (3,)


@pytest.mark.parametrize("name", SMALLEST)
def test_a_pixel_less_is_refused(name):
    model, side = SMALLEST[name]
    said = rf"expected images of at least {side}x{side}, got {side + 1}x{side - 1}"
    with pytest.raises(ValueError, match=said):
        abstract(model, (2, side + 1, side - 1, 3))


def test_googlenets_heads_want_room_in_training_alone():
    model, (_, variables) = GoogLeNet(3, batch_norm=True), smallest("googlenet_bn")
    assert abstract(model, (2, 15, 15, 4), variables)[0].shape == (2, 3)
    with pytest.raises(ValueError, match=r"with its auxiliary heads: .* 79x79, got 15x15"):
        abstract(model, (2, 15, 15, 4), variables, train=True)


def test_googlenet_has_the_logits_of_its_heads_in_training():
    model, (_, variables) = GoogLeNet(3, batch_norm=True), smallest("googlenet_bn")
    logits, changed = abstract(model, (2, 79, 80, 4), variables, rngs=("dropout",), train=True)
    assert logits.shape == (2, 3, 3)
    assert changed["batch_stats"].keys() == variables["batch_stats"].keys() >= {"aux1", "aux2"}
    alone, (_, variables) = model.clone(auxiliary=False), smallest("googlenet_bn without heads")
    assert not {"aux1", "aux2"} & variables["params"].keys()
    logits, _ = abstract(alone, (2, 15, 16, 4), variables, rngs=("dropout",), train=True)
    assert logits.shape == (2, 3)


@pytest.mark.parametrize("name", ["alexnet", "zfnet", "vgg"])
def test_only_training_draws_random_numbers(name):
    model, side = SMALLEST[name]
    model, shape, (_, variables) = (
        model.clone(num_classes=3),
        (2, side, side + 1, 4),
        smallest(name),
    )
    abstract(model, shape, variables)
    with pytest.raises(flax.errors.InvalidRngError, match="dropout"):
        abstract(model, shape, variables, train=True)


@pytest.mark.parametrize("name", ["lenet5", "resnet"])
def test_networks_without_dropout_draw_none(name):
    model, side = SMALLEST[name]
    abstract(model.clone(num_classes=3), (2, side, side + 1, 4), smallest(name)[1], train=True)


def test_training_moves_the_batch_statistics_and_answers_use_them(key):
    model = ResNet((1, 0, 0, 0), **TINY, num_classes=3)
    x = 1 + jax.random.normal(key, (4, 6, 6, 2))
    variables = drawn(abstract(model, x.shape)[1])
    train = jax.jit(partial(model.apply, train=True, mutable=["batch_stats"]))
    changed = train(variables, x)[1]["batch_stats"]
    maps = lax.conv_general_dilated(
        x, variables["params"]["conv1"]["kernel"], (1, 1), "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip
    for name, of_batch in (("mean", maps.mean((0, 1, 2))), ("var", maps.var((0, 1, 2)))):
        before, after = (v["bn1"][name] for v in (variables["batch_stats"], changed))
        # A tenth of the way to the batch's. Sums of 144 positive values, in another order.
        np.testing.assert_allclose(after, 0.9 * before + 0.1 * of_batch, rtol=1e-5)
    answer = jax.jit(model.apply)
    before = answer(variables, x)
    after = answer({"params": variables["params"], "batch_stats": changed}, x)
    assert not np.allclose(before, after, rtol=1e-2)
    # Without training an example's logits do not depend on the others of its batch.
    changed_others = answer(variables, x.at[1:].multiply(2))
    np.testing.assert_array_equal(before[0], changed_others[0])


@pytest.mark.parametrize(("bottleneck", "channels"), [(False, 4), (True, 16)])
def test_a_block_whose_last_scale_is_zero_is_the_identity(bottleneck, channels, key):
    block = Block(4, stride=1, bottleneck=bottleneck, stride_first=False)
    x = jax.random.uniform(key, (2, 5, 5, channels))
    variables = drawn(jax.eval_shape(partial(block.init, train=False), key, x))
    assert not any(name.startswith("downsample") for name in variables["params"])
    last = variables["params"]["bn3" if bottleneck else "bn2"]
    apply = jax.jit(partial(block.apply, train=False))
    assert not jnp.array_equal(apply(variables, x), x)
    last.update(scale=jnp.zeros_like(last["scale"]), bias=jnp.zeros_like(last["bias"]))
    assert jnp.array_equal(apply(variables, x), x)


def test_where_the_stride_is_makes_another_network_with_the_same_parameters(key):
    blocks = [Block(2, stride=2, bottleneck=True, stride_first=where) for where in (True, False)]
    x = jax.random.normal(key, (1, 6, 6, 3))
    published, later = (jax.eval_shape(partial(b.init, train=False), key, x) for b in blocks)
    assert published == later
    ours, theirs = (jax.jit(partial(b.apply, train=False))(drawn(later), x) for b in blocks)
    assert ours.shape == theirs.shape == (1, 3, 3, 8)
    assert not np.allclose(ours, theirs)


def ceil_mode(size: int, window: int, step: int, padding: int) -> int:
    """PyTorch's documentation of `MaxPool2d`, and its remark on windows that are left out."""
    count = math.ceil((size + 2 * padding - window) / step) + 1
    return count - ((count - 1) * step >= size + padding)


@pytest.mark.parametrize(
    ("window", "step", "padding"), [(3, 2, 0), (2, 2, 0), (3, 2, 1), (2, 2, 1), (1, 3, 0)]
)
def test_rounding_up_is_pytorchs_ceil_mode(window, step, padding):
    pool = MaxPool((window, 3), (step, 1), padding=padding, round_up=True)
    for size in range(3, 10):
        pooled = jax.eval_shape(pool, jax.ShapeDtypeStruct((1, size, 5, 1), jnp.float32))
        assert pooled.shape == (1, ceil_mode(size, window, step, padding), 3 + 2 * padding, 1)


def test_a_window_that_overhangs_sees_the_map_alone():
    x = -jnp.arange(1.0, 5.0).reshape(1, 1, 4, 1)
    assert MaxPool((1, 3), (1, 2), round_up=True)(x).tolist() == [[[[-1], [-3]]]]
    # A window in the padding alone would give minus infinity.
    assert MaxPool((2, 2), padding=1, round_up=True)(x[:, :, :3]).tolist() == [[[[-1], [-2]]]]

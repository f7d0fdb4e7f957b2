"""The lecture's table: sizes, parameters, operations and receptive fields of every model.

Nothing is computed for it, so the largest model costs a second of tracing, once for all tests.
"""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from dl_jax import ops
from dl_jax.models import CATALOG, create, entry, layer_formulas, summarize
from dl_jax.models.layer_formulas import FORMULAS, Formula
from dl_jax.models.layers import AvgPool, Flatten, MaxPool
from dl_jax.models.summary import Row, forward_flops

# Parameters, and where the number is from. "torchvision" is what its model of that name has, 0.23.
TOTALS = {
    "perceptron": (3, "two weights and a bias"),
    "fashion_mlp": (55_050, "784 * 64 + 64, 64 * 64 + 64, 64 * 10 + 10"),
    "mnist_cnn": (34_826, "the lecture's table"),
    "imdb_bow": (160_305, "the lecture's table"),
    "lenet5": (61_706, "156 + 2,416 + 48,120 + 10,164 + 850: LeCun's layers, C3 seeing all maps"),
    "alexnet": (60_965_224, "Caffe's bvlc_alexnet; the paper says 60 million"),
    "alexnet_single": (62_378_344, "the lecture's layers in one stream"),
    "alexnet_2014": (61_100_840, "torchvision, alexnet"),
    "zfnet": (62_357_608, "figure 3 of the paper, by the formulas"),
    "vgg11": (132_863_336, "torchvision, vgg11; the paper says 133 million"),
    "vgg13": (133_047_848, "torchvision, vgg13; the paper says 133 million"),
    "vgg16": (138_357_544, "torchvision, vgg16; the paper says 138 million"),
    "vgg19": (143_667_240, "torchvision, vgg19; the paper says 144 million"),
    "googlenet": (13_378_280, "Caffe's bvlc_googlenet with both heads: 6,998,552 and 6,379,728"),
    "googlenet_bn": (13_004_888, "torchvision, googlenet with both heads"),
    "resnet18": (11_689_512, "torchvision, resnet18"),
    "resnet34": (21_797_672, "torchvision, resnet34"),
    "resnet50": (25_557_032, "torchvision, resnet50"),
    "resnet101": (44_549_160, "torchvision, resnet101"),
    "resnet152": (60_192_808, "torchvision, resnet152"),
}
# Multiply-adds of a forward pass in thousand millions: torchvision's documentation of its weights
# (GFLOPS there), which is rounded to two digits.
MULTIPLY_ADDS = {
    "alexnet_2014": 0.71,
    "vgg11": 7.61,
    "vgg13": 11.31,
    "vgg16": 15.47,
    "vgg19": 19.63,
    "googlenet_bn": 1.50,
    "resnet18": 1.81,
    "resnet34": 3.66,
    "resnet50": 4.09,
    "resnet101": 7.80,
    "resnet152": 11.51,
}


@functools.cache
def rows_of(name: str) -> dict[str, Row]:
    inputs = entry(name).inputs
    return {row.path: row for row in summarize(create(name), inputs.shape, inputs.dtype)}


def test_no_model_is_missing():
    assert set(TOTALS) == set(CATALOG)


@pytest.mark.parametrize("name", CATALOG)
def test_parameters_are_those_of_the_paper_or_the_reference(name):
    assert sum(row.num_params for row in rows_of(name).values()) == TOTALS[name][0]


@pytest.mark.parametrize("name", CATALOG)
def test_every_formula_comes_to_the_number_beside_it(name):
    names = {"floor": math.floor, "ceil": math.ceil}
    for row in rows_of(name).values():
        assert eval(row.params_formula) == row.num_params
        assert eval(row.flops_formula) == row.flops
        for size, axis in zip(row.size_formula.split(", "), row.output_shape, strict=False):
            if row.size_formula:
                formula, value = size.split(" = ")
                assert eval(formula, names) == int(value) == axis


@pytest.mark.parametrize("name", MULTIPLY_ADDS)
def test_operations_are_twice_the_multiply_adds_that_are_published(name):
    rows = rows_of(name).values()
    products = sum(row.flops for row in rows if row.kind in ("Conv", "Dense"))
    heads = sum(row.flops for row in rows if row.only_training)
    assert (products - heads) / 2e9 == pytest.approx(MULTIPLY_ADDS[name], rel=0.006)
    # Pooling and normalisation are the rest.
    assert forward_flops(list(rows)) == pytest.approx(products - heads, rel=0.01)


def test_the_lectures_table_of_the_cnn():
    rows = list(rows_of("mnist_cnn").values())
    assert [(row.layer, row.output_shape, row.num_params) for row in rows] == [
        ("Conv_0 (Conv)", (26, 26, 32), 320),
        ("MaxPool_0 (MaxPool)", (13, 13, 32), 0),
        ("Conv_1 (Conv)", (11, 11, 64), 18_496),
        ("MaxPool_1 (MaxPool)", (5, 5, 64), 0),
        ("Flatten_0 (Flatten)", (1600,), 0),
        ("Dropout_0 (Dropout)", (1600,), 0),
        ("Dense_0 (Dense)", (10,), 16_010),
    ]
    # 9 multiplications, 8 additions and the bias for each of 26 * 26 * 32 outputs.
    assert rows[0].flops == 18 * 26 * 26 * 32
    assert rows[-1].flops == 2 * 1600 * 10


def test_the_parameters_of_the_reviews_layers():
    rows = rows_of("imdb_bow").values()  # the lecture's table
    assert [row.num_params for row in rows if row.num_params] == [160_016, 272, 17]


def test_the_lectures_alexnet():
    rows = rows_of("alexnet_single")
    first = rows["conv1"]
    assert (first.output_shape, first.num_params) == ((55, 55, 96), 34_944)
    assert (first.kernel, first.stride) == ((11, 11), (4, 4))
    assert first.padding == ((0, 0), (0, 0))
    assert first.size_formula == "(227 - 11 + 2*0)/4 + 1 = 55"
    assert first.params_formula == "11*11*3*96 + 96"
    assert rows["pool1"].output_shape == (27, 27, 96)
    assert (rows["conv2"].num_params, rows["conv2"].params_formula) == (
        614_656,
        "5*5*96*256 + 256",
    )
    # In two groups a kernel sees the maps of its own GPU alone.
    assert rows_of("alexnet")["conv2"].params_formula == "5*5*(96/2)*256 + 256"


def test_zfnets_sizes_are_those_of_its_figure():
    rows = rows_of("zfnet")
    layers = ("conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5")
    assert [rows[layer].output_shape[0] for layer in layers] == [110, 55, 26, 13, 13, 13, 13, 6]
    assert rows["pool1"].size_formula == "ceil((110 - 3 + 2*0)/2) + 1 = 55"


def test_googlenets_sizes_and_operations_are_those_of_its_table():
    rows = rows_of("googlenet")
    modules = {"inception3a": 28, "inception4a": 14, "inception5a": 7}
    assert {name: rows[f"{name}/branch1/conv"].output_shape[0] for name in modules} == modules
    assert rows["inception5b/branch1/conv"].input_shape == (7, 7, 832)
    assert rows["avgpool"].input_shape == (7, 7, 1024)


@pytest.mark.parametrize(("name", "heads"), [("googlenet", 6_379_728), ("googlenet_bn", 6_379_984)])
def test_auxiliary_heads_have_parameters_but_no_part_in_the_forward_pass(name, heads):
    rows = rows_of(name).values()
    training = [row for row in rows if row.only_training]
    assert {row.path.split("/")[0] for row in training} == {"aux1", "aux2"}
    assert sum(row.num_params for row in training) == heads
    without = create(name, auxiliary=False)
    alone = summarize(without, entry(name).inputs.shape)
    assert forward_flops(list(rows)) == forward_flops(alone) == sum(row.flops for row in alone)


def test_only_googlenet_has_layers_for_training_alone():
    having = {name for name in CATALOG if any(r.only_training for r in rows_of(name).values())}
    assert having == {"googlenet", "googlenet_bn"}


@pytest.mark.parametrize(
    ("name", "layer", "side"),
    [
        ("mnist_cnn", "MaxPool_1", 10),
        ("lenet5", "s4", 16),
        ("lenet5", "c5", 32),  # the whole image, as figure 2 of the paper says
        ("alexnet", "conv1", 11),
        ("alexnet", "pool5", 195),  # Araujo et al. 2019, table 1: alexnet_v2 and vgg_16
        ("vgg16", "pool5", 212),
        ("resnet50", "layer4_2/conv3", 427),  # 483 where the first convolution has the stride
        ("resnet50", "layer1_0/downsample_0", 11),  # what goes past the block sees no more
        ("resnet50", "layer1_0/conv3", 19),
        ("resnet50", "layer1_1/conv1", 19),  # and the sum sees what the block sees
        ("googlenet", "inception3a/branch1/conv", 27),
        ("googlenet", "inception3a/branch2_1/conv", 43),
        ("googlenet", "inception3a/branch3_1/conv", 59),
        ("googlenet", "inception3b/branch1/conv", 59),  # the largest of the branches in front
    ],
)
def test_what_a_layer_sees(name, layer, side):
    assert rows_of(name)[layer].receptive_field == side


def test_the_published_resnet_sees_483_pixels():
    rows = summarize(create("resnet50", stride_first=True), (224, 224, 3))
    assert {row.path: row for row in rows}["layer4_2/conv3"].receptive_field == 483


def test_without_an_image_there_is_no_receptive_field():
    assert all(row.receptive_field is None for row in rows_of("perceptron").values())
    assert all(row.receptive_field is None for row in rows_of("imdb_bow").values())
    assert rows_of("fashion_mlp")["Dense_0"].receptive_field == 28  # here there is one


class Between(nn.Module):
    """A convolution, something between, and another."""

    between: object

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (3, 3))(x)
        return nn.Conv(4, (3, 3))(self.between(x))  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize(
    ("between", "side"),
    [
        (nn.relu, 5),
        (nn.gelu, 5),
        (lambda x: x + x[:, :1, :1], 5),
        (lambda x: jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), 5),
        (jax.jit(lambda x: 2 * x), 5),
        (lambda x: nn.max_pool(x, (2, 2)), None),  # no layer: nobody says what it does
        (lambda x: x[:, ::2, ::2], None),
        (lambda x: jnp.concatenate([x, x], axis=1), None),
    ],
)
def test_what_stands_between_layers(between, side):
    rows = summarize(Between(between), (16, 16, 3))
    assert [row.receptive_field for row in rows] == [3, side]


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv(4, (3, 2), strides=2),  # SAME: a different padding before and behind
        nn.Conv(4, (3, 3), strides=(2, 3), padding="VALID", use_bias=False),
        nn.Conv(4, (3, 3), padding=1, kernel_dilation=2),
        nn.Conv(6, (5, 3), padding=((2, 1), (0, 3)), feature_group_count=3),
        nn.Conv(4, (3, 3), padding="CIRCULAR"),
        MaxPool((3, 3), (2, 2), padding=1, round_up=True),
        AvgPool((3, 2)),
        AvgPool(),
    ],
    ids=range(8),
)
def test_the_formulas_hold_for_other_layers_too(layer):
    (row,) = summarize(nn.Sequential([layer]), (17, 12, 6))
    made = jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.zeros((1, 17, 12, 6)))[0]
    assert row.output_shape == made.shape[1:]
    assert eval(row.params_formula) == row.num_params
    assert eval(row.flops_formula) == row.flops


def test_a_dilated_layer_on_an_image_that_is_not_square():
    layers = [nn.Conv(4, (3, 5), padding="VALID", kernel_dilation=2), MaxPool(), Flatten()]
    rows = summarize(nn.Sequential([*layers, nn.Dense(2)]), (20, 30, 3))
    assert rows[0].size_formula == (
        "(20 - (2*(3 - 1) + 1) + 2*0)/1 + 1 = 16, (30 - (2*(5 - 1) + 1) + 2*0)/1 + 1 = 22"
    )
    wide = ops.receptive_field([(5, 1, 2), (2, 2)])
    assert [row.receptive_field for row in rows] == [9, wide, wide, 30]


@pytest.mark.parametrize(
    ("part", "wrong", "said"),
    [
        (
            "output",
            lambda layer, shape, sizes: (*sizes, 2 * layer.features),
            r"layers_0 \(Conv\): expected 8x8x8 by the formula \(8 - 3 \+ 2\*1\)/1 \+ 1 = 8, but "
            "Flax makes 8x8x4 of 8x8x3",
        ),
        (
            "params",
            lambda layer, shape: Formula("3*3*4", 36),
            r"layers_0 \(Conv\): expected 36 parameters by the formula 3\*3\*4, but Flax makes 112",
        ),
    ],
)
def test_a_layer_that_is_not_what_its_formula_says(monkeypatch, part, wrong, said):
    monkeypatch.setitem(FORMULAS, nn.Conv, FORMULAS[nn.Conv]._replace(**{part: wrong}))
    with pytest.raises(ValueError, match=said):
        summarize(nn.Sequential([nn.Conv(4, (3, 3))]), (8, 8, 3))


def test_a_formula_for_sizes_that_is_wrong_is_noticed(monkeypatch):
    without = layer_formulas._conv_window

    def no_padding(layer, shape):
        return without(layer, shape)._replace(padding=((0, 0), (0, 0)))

    wrong = FORMULAS[nn.Conv]._replace(window=no_padding)
    monkeypatch.setitem(FORMULAS, nn.Conv, wrong)
    with pytest.raises(ValueError, match=r"expected 6x6x4 by the formula .* but Flax makes 8x8x4"):
        summarize(nn.Sequential([nn.Conv(4, (3, 3))]), (8, 8, 3))


def test_a_window_larger_than_the_map_is_refused_by_the_name_of_its_layer():
    said = r"layers_1 \(AvgPool\): conv_output_size: .* larger than the padded image, got 5 over 4"
    layers = [nn.Conv(4, (3, 3)), AvgPool((5, 5), (3, 3))]
    with pytest.raises(ValueError, match=said):  # where Flax makes an empty map, and goes on
        summarize(nn.Sequential(layers), (4, 4, 3))


def test_a_layer_that_the_summary_does_not_know_is_not_left_out():
    model = nn.Sequential([nn.Dense(3), nn.LayerNorm()])
    with pytest.raises(ValueError, match="has 15 parameters, 9 of them in layers of the known"):
        summarize(model, (2,))


@pytest.mark.parametrize(
    "layer", [nn.Conv(1, (3, 3), input_dilation=2, padding=0), nn.Conv(1, 3)], ids=range(2)
)
def test_a_convolution_without_a_formula_says_so(layer):
    with pytest.raises(ValueError, match="expected convolutions over all 2 axes, without input_"):
        summarize(nn.Sequential([layer]), (8, 8, 1))


def test_the_summary_leaves_the_model_as_it_was():
    model = nn.Sequential([nn.Dense(3)])
    before = model.init(jax.random.key(0), jnp.zeros((1, 2)))
    summarize(model, (2,))
    after = model.init(jax.random.key(0), jnp.zeros((1, 2)))
    assert jax.tree.all(jax.tree.map(jnp.array_equal, before, after))
    assert float(jnp.abs(jax.tree.leaves(after)[1]).max()) > 0


def test_every_type_of_layer_of_the_catalog_has_formulas():
    kinds = {row.kind for name in CATALOG for row in rows_of(name).values()}
    known = {kind.__name__ for kind in FORMULAS}
    assert kinds == known

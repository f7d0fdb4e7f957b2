"""Which maps of a network are drawn."""

import pytest

from dl_jax.models import create, entry, summarize
from dl_jax.report.plots.feature_maps import Map
from dl_jax.summary.stack import MOST, maps_of


def drawn(name: str) -> list[Map]:
    inputs = entry(name).inputs
    return maps_of(inputs.shape, summarize(create(name), inputs.shape, inputs.dtype))


def test_layers_that_leave_the_size_are_not_drawn():
    maps = drawn("alexnet")
    assert [one.name for one in maps] == [
        "input", "conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5", "fc6",
        "fc7", "fc8",
    ]  # fmt: skip
    assert maps[0] == Map("input", "input", 227, 227, 3)
    assert maps[2] == Map("pool1", "pooling", 27, 27, 96)
    assert maps[-1] == Map("fc8", "dense", 1, 1, 1000)


def test_an_inception_module_is_the_maps_of_all_its_branches():
    maps = {one.name: one for one in drawn("googlenet")}
    assert maps["inception3a"] == Map("inception3a", "module", 28, 28, 256)
    assert maps["inception5b"] == Map("inception5b", "module", 7, 7, 1024)
    assert maps["inception4e"][2:] == (14, 14, 832)
    assert maps["conv1"].kind == "convolution"
    assert not any(name.startswith("aux") for name in maps)


def test_of_a_deep_network_equal_maps_are_drawn_once():
    maps = drawn("resnet152")
    assert [one.name for one in maps[3:7]] == [
        "layer1_0 … layer1_2",
        "layer2_0 … layer2_7",
        "layer3_0 … layer3_35",
        "layer4_0 … layer4_2",
    ]
    assert [one.size for one in maps] == [
        "224×224×3", "112×112×64", "56×56×64", "56×56×256", "28×28×512", "14×14×1024", "7×7×2048",
        "1×1×2048", "1000",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["vgg19", "resnet34", "imdb_bow", "perceptron"])
def test_no_picture_is_too_long(name):
    assert 2 <= len(drawn(name)) <= MOST

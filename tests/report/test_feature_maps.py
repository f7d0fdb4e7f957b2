"""The stack of feature maps: sizes that can be told apart, in both themes."""

import numpy as np
import pytest
from matplotlib.image import imread

from dl_jax.report.plots import Map, plot_feature_maps
from dl_jax.report.plots.feature_maps import _slab

MAPS = [
    Map("input", "input", 227, 227, 3),
    Map("conv1", "convolution", 55, 55, 96),
    Map("pool1", "pooling", 27, 27, 96),
    Map("block", "module", 13, 13, 256),
    Map("fc", "dense", 1, 1, 4096),
]


def test_the_picture_names_every_map_and_is_drawn_for_both_themes(tmp_path):
    picture = plot_feature_maps(MAPS, tmp_path / "maps.png", title="Feature maps")
    assert "from 227×227×3 to 4096" in picture.alt
    assert "conv1 55×55×96, pool1 27×27×96, block 13×13×256, fc 4096" in picture.alt
    light, dark = imread(picture.path), imread(picture.dark_path)
    assert light.shape == dark.shape
    assert light[0, 0, :3].min() > 0.99 > 0.2 > dark[0, 0, :3].max()


def test_a_larger_map_is_wider_and_more_channels_are_thicker():
    widest = max(one.width for one in MAPS)
    slabs = [_slab(one, widest, 4096) for one in MAPS]
    assert [s.width for s in slabs] == sorted((s.width for s in slabs), reverse=True)
    assert [s.thickness for s in slabs] == sorted(s.thickness for s in slabs)
    quarter, whole = (_slab(Map("", "input", n, n, n), 100, 100) for n in (25, 100))
    assert 2 * quarter.width == pytest.approx(whole.width)
    assert 2 * quarter.thickness == pytest.approx(whole.thickness)


def test_more_maps_make_a_longer_picture_of_the_same_width(tmp_path):
    few = imread(plot_feature_maps(MAPS[:2], tmp_path / "few.png", title="A").path)
    many = imread(plot_feature_maps(MAPS * 3, tmp_path / "many.png", title="A").path)
    assert few.shape[1] == many.shape[1]
    assert many.shape[0] > 2 * few.shape[0]
    # Nothing is cut off: the picture's edge is empty.
    assert np.ptp(many[:, -4:, :3]) == 0


def test_no_maps_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected at least one map, got none"):
        plot_feature_maps([], tmp_path / "none.png", title="A")

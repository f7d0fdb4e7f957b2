"""Which of a model's maps are drawn: what changes a map, a module as one, long runs as one."""

from collections.abc import Sequence
from itertools import groupby

from dl_jax.models.layer_formulas import Shape
from dl_jax.models.summary import Row
from dl_jax.report.plots.feature_maps import Kind, Map

MOST = 24
"""Maps that are drawn one by one; of a deeper network a run of equal ones is drawn once."""

_KINDS: dict[str, Kind] = {
    "Conv": "convolution",
    "MaxPool": "pooling",
    "AvgPool": "pooling",
    "Dense": "dense",
    "BagOfWordsDense": "dense",
}


def maps_of(input_shape: Shape, rows: Sequence[Row]) -> list[Map]:
    """Return the input and the maps of the network, in order.

    Layers that leave a map's shape as it is, as normalisation and dropout do, are not drawn, nor
    is what runs in training alone. The layers of a module, as an inception module or a residual
    block, are one map, that which the next layer takes.

    Args:
        input_shape: of one example.
        rows: of the model's summary.
    """
    used = [row for row in rows if not row.only_training]
    modules = [list(group) for _, group in groupby(used, lambda row: row.path.split("/")[0])]
    maps = [_map("input", "input", input_shape)]
    for module, behind in zip(modules, [*modules[1:], None], strict=True):
        first, last = module[0], module[-1]
        kinds = {_KINDS[row.kind] for row in module if row.kind in _KINDS}
        if not kinds:
            continue
        shape = behind[0].input_shape if behind and len(module) > 1 else last.output_shape
        convolutions = sum(row.kind == "Conv" for row in module)
        kind: Kind = "module" if convolutions > 1 else _KINDS[first.kind]
        maps.append(_map(first.path.split("/")[0], kind, shape))
    return maps if len(maps) <= MOST else _runs(maps)


def _runs(maps: Sequence[Map]) -> list[Map]:
    """Maps of the same kind and size that follow each other, named after the first and last."""
    runs = []
    for _, group in groupby(maps, lambda one: one[1:]):
        first, *others = group
        name = f"{first.name} … {others[-1].name}" if others else first.name
        runs.append(first._replace(name=name))
    return runs


def _map(name: str, kind: Kind, shape: Shape) -> Map:
    height, width, channels = (1,) * (3 - len(shape)) + tuple(shape)
    return Map(name, kind, height, width, channels)

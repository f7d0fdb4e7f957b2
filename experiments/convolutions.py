"""Convolutions and pooling of well-known networks: this project's against `jax.lax`'s.

    python -m experiments.convolutions
    python -m experiments.convolutions --drawn 60

The value, the gradient by the images and the gradient by the kernel of each, as a call of a
compiled function, in turns. (Inside a compiled loop, where XLA's gradients are many times slower
still, see `experiments.any_flax_model`.)
A ratio has its quartiles over all rounds, and a ? where it is too noisy to call.
Expected: none slower by more than a tenth, on any device. About two minutes on 2 cores. Shapes that
are drawn at random say where the rules behind that do not reach.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import linen as nn
from jax import lax

from dl_jax import ops
from dl_jax.bench.clock import is_noisy, quartiles
from dl_jax.report import units
from experiments.options import Output, main
from experiments.record import Record
from experiments.recording import recording


class Case(NamedTuple):
    """A layer: images, a kernel, and how it moves; pooling has no features."""

    images: tuple[int, int, int, int]
    kernel: tuple[int, int]
    features: int | None
    stride: int = 1
    padding: str = "SAME"
    groups: int = 1
    dilation: int = 1


CASES = {
    "LeNet 1": Case((128, 28, 28, 1), (5, 5), 6),
    "LeNet 2": Case((128, 14, 14, 6), (5, 5), 16, padding="VALID"),
    "MNIST 1": Case((128, 28, 28, 1), (3, 3), 32, padding="VALID"),
    "MNIST 2": Case((128, 13, 13, 32), (3, 3), 64, padding="VALID"),
    "AlexNet 1": Case((8, 227, 227, 3), (11, 11), 96, 4, "VALID"),
    "AlexNet 2": Case((8, 27, 27, 96), (5, 5), 256, groups=2),
    "AlexNet 3": Case((8, 13, 13, 256), (3, 3), 384),
    "ZFNet 1": Case((8, 224, 224, 3), (7, 7), 96, 2),
    "VGG 3": Case((4, 112, 112, 64), (3, 3), 128),
    "VGG 8": Case((4, 28, 28, 256), (3, 3), 512),
    "VGG 11": Case((4, 14, 14, 512), (3, 3), 512),
    "ResNet 1": Case((8, 224, 224, 3), (7, 7), 64, 2),
    "ResNet 2, 1x1": Case((8, 56, 56, 64), (1, 1), 256),
    "ResNet 2, 3x3": Case((8, 56, 56, 64), (3, 3), 64),
    "ResNet 3, stride 2": Case((8, 56, 56, 128), (3, 3), 128, 2),
    "ResNet 3, 1x1 stride 2": Case((8, 56, 56, 256), (1, 1), 512, 2),
    "ResNet 5, 3x3": Case((8, 7, 7, 512), (3, 3), 512),
    "one image": Case((1, 56, 56, 64), (3, 3), 64),
    "dilation 2": Case((8, 28, 28, 128), (3, 3), 128, dilation=2),
    "depthwise 3x3": Case((8, 28, 28, 128), (3, 3), 128, groups=128),
    "depthwise 7x7": Case((8, 28, 28, 96), (7, 7), 96, groups=96),
    "depthwise 13x13": Case((8, 28, 28, 96), (13, 13), 96, groups=96),
    "max pooling 2x2": Case((32, 26, 26, 32), (2, 2), None, 2, "VALID"),
    "max pooling 3x3, stride 2": Case((8, 55, 55, 96), (3, 3), None, 2, "VALID"),
    "average pooling 2x2": Case((32, 26, 26, 32), (2, 2), -1, 2, "VALID"),
}
MOST = 1.1  # times lax's

EXAMPLES, SIDES, SIZES = (1, 8, 16, 32, 50, 128), (7, 14, 28, 32, 56, 112, 224), (2, 3, 5, 7, 11)
CHANNELS = (1, 3, 6, 16, 20, 32, 50, 64, 96, 120, 128, 192, 256, 512)
MOVES = ((1, 1), (1, 1), (2, 1), (1, 2), (4, 1))


@dataclass(frozen=True)
class Config(Output):
    """Convolutions and pooling, beside `jax.lax`'s."""

    rounds: int = 7
    """How often each is timed."""
    drawn: int = 0
    """How many convolutions to draw at random instead, with the same seed each time."""


def run(config: Config) -> Record:
    """Time each case and write the run folder.

    Raises:
        ValueError: for fewer than one round, or fewer than no convolutions.
    """
    if config.drawn < 0:
        raise ValueError(f"drawn: expected at least 0, got {config.drawn}")
    with recording(
        "convolutions",
        config,
        "Convolutions and pooling",
        "Milliseconds of a call with jax.lax, and the part of them that this project takes.",
    ) as record:
        rows: list[tuple[Any, ...]] = []
        medians: list[float] = []
        columns = ["Layer"]
        for part in ("value", "by images", "by kernel"):
            columns += [f"{part}: ms, lax", "ops / lax [quartiles]"]
        record.add_table("A call of a compiled function; ? too noisy to call", columns, rows)
        for name, case in (_drawn(config.drawn) if config.drawn else CASES).items():
            cells: list[Any] = [name]
            for part, functions in _parts(case).items():
                lax_s, ours = _in_turns(functions, config.rounds)
                ratio = quartiles([a / b for a, b in zip(ours, lax_s, strict=True)])
                medians.append(ratio["median"])
                said = units.ratio(ratio) + (" ?" if is_noisy(ratio) else "")
                cells += [f"{1e3 * float(np.median(lax_s)):.2f}", said]
                print(f"{name}, {part}: {said} of lax's time", flush=True)
            rows.append((*cells, *[None] * (7 - len(cells))))
        if config.drawn:
            share = float(np.mean(np.array(medians) > MOST))
            record.add_figure("share more than a tenth slower", share)
        record.add_figure("slowest, ops / lax", max(medians), bound=MOST, direction="<=")
    return record


def _drawn(number: int) -> dict[str, Case]:
    """So many convolutions of float32 images, of 10 MFLOP to 8 GFLOP and no more than 200 MB."""
    rng, cases = np.random.default_rng(0), {}
    while len(cases) < number:
        n, side, size = (int(rng.choice(a)) for a in (EXAMPLES, SIDES, SIZES))
        channels, features = (int(c) for c in rng.choice(CHANNELS, 2))
        stride, dilation = MOVES[rng.integers(len(MOVES))]
        flops = 2 * n * (side // stride) ** 2 * size**2 * channels * features
        if size <= side and 1e7 < flops < 8e9 and n * side**2 * (channels + features) < 5e7:
            name = f"{n} x {side}x{side}x{channels} to {features}, {size}x{size}"
            name += f", stride {stride}" * (stride > 1) + f", dilation {dilation}" * (dilation > 1)
            images, kernel = (n, side, side, channels), (size, size)
            cases[name] = Case(images, kernel, features, stride, dilation=dilation)
    return cases


Pair = tuple[Callable[[], Any], Callable[[], Any]]


def _parts(case: Case) -> Mapping[str, Pair]:
    """What is timed of a case: with lax's operation, and with this project's."""
    x_key, w_key = jax.random.split(jax.random.key(0))
    x = jax.random.normal(x_key, case.images)
    strides, channels = (case.stride, case.stride), case.images[3]
    if case.features is None or case.features < 0:
        pools = (
            (nn.max_pool, ops.max_pool) if case.features is None else (nn.avg_pool, ops.avg_pool)
        )
        both = [partial(pool, window_shape=case.kernel, strides=strides) for pool in pools]
        y = both[0](x)
        by_x = [jax.jit(lambda x, y, f=f: jax.vjp(f, x)[1](y)[0]) for f in both]
        value = [jax.jit(f) for f in both]
        return {"value": _calls(value, x), "by images": _calls(by_x, x, y)}
    w = jax.random.normal(w_key, (*case.kernel, channels // case.groups, case.features))
    both = [
        partial(
            convolve, window_strides=strides, padding=case.padding,
            dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=case.groups,
            rhs_dilation=(case.dilation, case.dilation),
        )
        for convolve in (lax.conv_general_dilated, ops.conv_general_dilated)
    ]  # fmt: skip
    y = both[0](x, w)
    by_x = [jax.jit(lambda x, w, y, f=f: jax.vjp(lambda x: f(x, w), x)[1](y)[0]) for f in both]
    by_w = [jax.jit(lambda x, w, y, f=f: jax.vjp(lambda w: f(x, w), w)[1](y)[0]) for f in both]
    return {
        "value": _calls([jax.jit(f) for f in both], x, w),
        "by images": _calls(by_x, x, w, y),
        "by kernel": _calls(by_w, x, w, y),
    }


def _calls(functions: list[Callable[..., Any]], *arguments: jax.Array) -> Pair:
    first, second = (partial(f, *arguments) for f in functions)
    return first, second


def _in_turns(functions: Pair, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of a call of either, in turns."""

    def seconds_of(function: Callable[[], Any], calls: int) -> float:
        started = time.perf_counter()
        for _ in range(calls - 1):
            function()
        jax.block_until_ready(function())
        return (time.perf_counter() - started) / calls

    for function in functions:
        seconds_of(function, 1)  # compiles
    once = min(seconds_of(function, 1) for function in functions)
    calls = max(1, int(0.02 / once))  # some 20 ms between two looks at the clock
    lax_s, ours = zip(
        *([seconds_of(f, calls) for f in functions] for _ in range(rounds)), strict=True
    )
    return list(lax_s), list(ours)


if __name__ == "__main__":
    main("convolutions", Config, run)

"""What the classic networks cost on this machine, beside PyTorch where it is installed.

    python -m experiments.architectures
    python -m experiments.architectures --names alexnet_2014 vgg16 resnet50
    python -m experiments.architectures --batch-size 64 --precision bfloat16 --names resnet50

A forward pass and a training step (gradient descent, a mean loss over random images and labels) of
a batch at the size of the paper's images, compiled; beside them torchvision's network of the same
architecture in PyTorch, in turns. On a CPU it is eager, its images lie channels first and channels
last, and the faster of the two is compared; on a GPU it is compiled, as it comes and with CUDA
graphs. In bfloat16 the layers compute, and parameters stay in float32, here and there.
Expected: at batch 8 on a CPU a forward pass takes no longer than PyTorch's, and a training step at
most 1.1 times as long; on a GPU neither takes longer. Where that is missed is in
docs/architectures.md and docs/performance.md. All networks together take most of an hour on 2
cores.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dl_jax.bench.clock import is_noisy, quartiles
from dl_jax.losses import MULTICLASS
from dl_jax.models import GoogLeNet, create, entry, summarize
from dl_jax.models.precision import with_mixed_precision
from dl_jax.models.summary import forward_flops
from dl_jax.ops.compile_once import compile_once
from dl_jax.report import units
from dl_jax.train import Examples, init_state, train_step
from experiments.options import Output, main
from experiments.record import Record
from experiments.recording import recording
from experiments.torchvision_peers import NAMES as TORCHVISION
from experiments.torchvision_peers import torch_calls

YEARS = {
    "lenet5": 1998,
    "alexnet": 2012,
    "alexnet_single": 2012,
    "alexnet_2014": 2014,
    "zfnet": 2014,
    **dict.fromkeys(("vgg11", "vgg13", "vgg16", "vgg19"), 2015),
    "googlenet": 2015,
    "googlenet_bn": 2015,
    **dict.fromkeys(("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"), 2016),
}
"""When each was published."""
BOUNDS = {"forward": 1.0, "step": 1.1}
SECONDS = 0.2
"""How long calls last that are timed together where a device runs behind its host."""


@dataclass(frozen=True)
class Config(Output):
    """The classic networks, a forward pass and a training step."""

    names: tuple[str, ...] = tuple(YEARS)
    """Of the catalog."""
    batch_size: int = 8
    rounds: int = 5
    """How often each is timed."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of what the layers compute."""


Calls = dict[str, Callable[[int], None]]
"""By name; called, they are made so many times, and waited for."""


def run(config: Config) -> Record:
    """Time each network and write the run folder.

    Raises:
        ValueError: for a name that is none of these networks'.
    """
    unknown = [name for name in config.names if name not in YEARS]
    if unknown or not config.names:
        got = ", ".join(unknown) or "none"
        raise ValueError(f"names: expected some of {', '.join(YEARS)}, got {got}")
    with recording(
        "architectures",
        config,
        "The classic networks",
        f"Milliseconds for {config.batch_size} images of the paper's size.",
    ) as record:
        rows: list[tuple[Any, ...]] = []
        columns = ("Network", "Year", "Parameters", "GFLOPs an image")
        columns += ("Forward, ms", "of PyTorch's", "Step, ms", "of PyTorch's")
        caption = "Parameters with auxiliary heads, times without; ? is too noisy to call"
        record.add_table(caption, columns, rows)
        for name in config.names:
            layers = summarize(create(name), entry(name).inputs.shape)
            cells: list[Any] = [name, str(YEARS[name]), sum(row.num_params for row in layers)]
            cells.append(forward_flops(layers) / 1e9)
            theirs = torch_calls(name, config.batch_size, config.precision)
            started = time.perf_counter()
            for what, samples, ratio in _timed(name, config, theirs):
                cells += [1e3 * float(np.median(samples)), ratio and _said(ratio)]
                said = f"{cells[-2]:.1f} ms, of PyTorch's {cells[-1] or '-'}"
                print(f"{name}, {what}: {said}", flush=True)
                if ratio:
                    record.add_figure(
                        f"{name}, {what}, of PyTorch's time",
                        ratio["median"],
                        bound=BOUNDS[what] if jax.default_backend() == "cpu" else 1.0,
                        direction="<=",
                        source=TORCHVISION[name],
                    )
            rows.append(tuple(cells))
            record.add_time("evaluation", time.perf_counter() - started)
            jax.clear_caches()
    return record


def _timed(name: str, config: Config, theirs: dict[str, Calls]) -> Iterator[tuple[str, Any, Any]]:
    """What was timed, its samples, and the ratio; a network's arrays are gone at the end."""
    for what, call in _calls(name, config).items():
        samples, ratio = _in_turns(call, theirs.get(what, {}), config.rounds)
        yield what, samples, ratio


def _said(ratio: Any) -> str:
    return units.ratio(ratio) + (" ?" if is_noisy(ratio) else "")


def _calls(name: str, config: Config) -> Calls:
    """A forward pass and a training step, compiled; without auxiliary heads."""
    model, image = create(name), entry(name).inputs
    if isinstance(model, GoogLeNet):
        model = model.clone(auxiliary=False)
    model, batch_size = with_mixed_precision(model, config.precision), config.batch_size
    key, rng = jax.random.key(0), np.random.default_rng(0)
    images = jnp.asarray(rng.random((batch_size, *image.shape), np.float32))
    batch, optimizer = Examples(images, jnp.arange(batch_size)), optax.sgd(1e-3)
    state = compile_once(partial(init_state, model, optimizer))(key, images[:1])
    apply = jax.jit(partial(model.apply, train=False))
    variables = {"params": state.params, **state.model_state}
    held = [jax.tree.map(jnp.copy, state)]
    train = jax.jit(partial(train_step, model, MULTICLASS, optimizer), donate_argnums=0)

    def forward(number: int) -> None:
        jax.block_until_ready([apply(variables, images) for _ in range(number)])

    def step(number: int) -> None:
        for _ in range(number):
            held[0], _ = train(held[0], batch, key)
        jax.block_until_ready(held)

    return {"forward": forward, "step": step}


def _in_turns(call: Callable[[int], None], theirs: Calls, rounds: int):
    """Seconds of a call, and its part of the faster of the others, in turns."""
    samples: list[float] = []
    others: dict[str, list[float]] = {name: [] for name in theirs}
    behind = jax.default_backend() != "cpu"  # the device behind its host
    for each in (call, *theirs.values()):
        each(3 if behind else 1)  # until all is compiled: CUDA graphs come at the third
    number = max(1, int(SECONDS / _seconds(call, 1))) if behind else 1
    for _ in range(rounds):
        samples.append(_seconds(call, number))
        for name, other in theirs.items():
            others[name].append(_seconds(other, number))
    if not others:
        return samples, None
    fastest = min(others.values(), key=lambda seconds: float(np.median(seconds)))
    return samples, quartiles([a / b for a, b in zip(samples, fastest, strict=True)])


def _seconds(call: Callable[[int], None], number: int) -> float:
    started = time.perf_counter()
    call(number)
    return (time.perf_counter() - started) / number


if __name__ == "__main__":
    main("architectures", Config, run)

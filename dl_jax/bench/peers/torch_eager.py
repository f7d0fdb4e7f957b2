"""PyTorch, eager: as it comes, with images in the channels-last layout, with sparse reviews."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch  # pyright: ignore[reportMissingImports]

from dl_jax.bench.peers import torch_network as network
from dl_jax.bench.peers.peer import Choice, Peer, Trainer, seconds_of
from dl_jax.bench.peers.problem import (
    BETA_1,
    BETA_2,
    DECAY,
    EPSILON,
    LEARNING_RATE,
    Problem,
)

RMSPROP_NOTE = "RMSprop by torch._foreach, as torch.optim's adds epsilon outside the root"


def load(problem: Problem, variant: str) -> Peer:
    """Return eager PyTorch."""
    batches = network.device_batches(problem, variant)

    def build(fused: bool, threads: int, checked: bool) -> Trainer:
        params = network.parameters(problem, variant)
        for param in params:
            param.requires_grad_(True)
        forward = network.forward_of(problem, variant, checked)
        if problem.workload == "imdb_bow":
            update = partial(rmsprop, params, [torch.zeros_like(p) for p in params])
        else:
            foreach = None if fused else True
            adam = torch.optim.Adam(
                params, LEARNING_RATE, (BETA_1, BETA_2), EPSILON, fused=fused, foreach=foreach
            )
            update = adam.step

        def step(inputs: Any, targets: Any) -> None:
            loss = network.loss_of(forward(params, inputs), targets)
            for param in params:
                param.grad = None
            loss.backward()
            update()

        return trainer(problem, variant, params, step, batches, threads)

    if problem.workload == "imdb_bow":
        return peer(in_threads(problem, "", partial(build, False)), RMSPROP_NOTE)
    return peer(
        in_threads(problem, "fused Adam", partial(build, True))
        + in_threads(problem, "Adam", partial(build, False))
    )


def in_threads(
    problem: Problem, setting: str, build: Callable[[int, bool], Trainer]
) -> list[Choice]:
    """Return the choice with all threads, and for steps so small that it may be faster with one."""
    choices = [Choice(setting, partial(build, torch.get_num_threads()))]
    if problem.workload != "mnist_cnn":
        words = f"{setting}, one thread" if setting else "one thread"
        choices.append(Choice(words, partial(build, 1)))
    return choices


def peer(choices: Sequence[Choice], note: str = "") -> Peer:
    """Return the peer; on a GPU with TF32 in matrix products, as JAX has it there."""
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high")
    return Peer(torch.__version__, "gpu" if torch.cuda.is_available() else "cpu", choices, note)


def trainer(
    problem: Problem,
    variant: str,
    params: list[Any],
    step: Callable[[Any, Any], None],
    batches: list[tuple[Any, Any]],
    threads: int,
) -> Trainer:
    """Return a trainer that calls a step for each batch, and changes the parameters in place."""

    def train(steps: int) -> None:
        torch.set_num_threads(threads)
        for inputs, targets in batches[:steps]:
            step(inputs, targets)
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    def loss() -> float:
        inputs, targets = batches[0]
        with torch.no_grad():
            logits = network.forward_of(problem, variant, checked=True)(params, inputs)
            return float(network.loss_of(logits, targets))

    return Trainer(lambda steps: seconds_of(lambda: train(steps)), loss)


def rmsprop(params: list[Any], squares: list[Any], grads: list[Any] | None = None) -> None:
    """Make RMSprop's update with epsilon within the root, for all parameters at once.

    As many calls as `torch.optim.RMSprop(foreach=True)` makes.

    Args:
        params: changed in place.
        squares: running means of the squared gradients; changed in place.
        grads: by default those that `backward` left in the parameters.
    """
    with torch.no_grad():
        grads = grads or [param.grad for param in params]
        torch._foreach_mul_(squares, DECAY)
        torch._foreach_addcmul_(squares, grads, grads, 1 - DECAY)
        roots = torch._foreach_add(squares, EPSILON)
        torch._foreach_sqrt_(roots)
        torch._foreach_addcdiv_(params, grads, roots, -LEARNING_RATE)

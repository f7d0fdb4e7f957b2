"""What a training step has to compute and to move, by formula, and what XLA says of its program.

FLOPs are those of the textbook's algorithm, a multiplication and an addition counting one each,
comparisons, activations and the loss nothing (`models.summarize`). An algorithm that needs fewer is
credited with them all, as it does the same work. Of a layer's forward FLOPs f,
one example takes in training

    f  forward  +  f  gradient by its parameters  +  f  gradient by its inputs

for both gradients are products over the same pairs as the forward pass. The first layer with
parameters has no gradient by its inputs to give, a layer without parameters none by them, and
neither is needed in front of the first. Auxiliary heads run in training alone. An update adds the
optimizer's operations for each parameter.

Bytes are the compulsory traffic: what moves even if everything else stays in a cache.

    an example:  what is stored of it, read once;
                 each layer's output written forward and read backward
    an update:   the parameters and the optimizer's state, read once and written once
    evaluation:  what is stored of an example; layers' outputs stay in the cache

This is the least, so that the FLOPs per byte made of both are the most that there can be. XLA's
bytes count every operand of every operation it did not fuse; the truth is between.
"""

import math
from typing import Any, NamedTuple, TypedDict

import jax
from flax import linen as nn

from dl_jax.models import summarize
from dl_jax.models.summary import forward_flops

# Layers whose output need not be an array of its own: it is moved, or computed value by value on
# the way to the next layer, as an activation is.
_FREE = ("Flatten", "Dropout", "BatchNorm")


class Optimizer(NamedTuple):
    """An optimizer, and what it does for each parameter.

    Attributes:
        transformation: of optax.
        flops: operations an update.
        slots: numbers that it keeps.
    """

    transformation: Any
    flops: int
    slots: int


class Cost(NamedTuple):
    """FLOPs and bytes: of the forward pass and of training for an example, and of an update."""

    num_params: int
    forward_flops: int
    forward_bytes: int
    example_flops: int
    example_bytes: int
    update_flops: int
    update_bytes: int


class Work(TypedDict):
    """How much of it was done.

    Keys:
        steps: batches of the batch size; a shorter last one is a part of one.
        examples: trained on.
        updates: of the parameters.
        evaluated: examples of validation.
    """

    steps: float
    examples: int
    updates: int
    evaluated: int


class Counted(TypedDict):
    """FLOPs and bytes, null where they are not known."""

    flops: float | None
    bytes: float | None


def cost_of(
    model: nn.Module,
    inputs: jax.ShapeDtypeStruct,
    stored_bytes: int,
    optimizer: Optimizer,
    itemsize: int,
) -> Cost:
    """Return what the model costs, by the formulas above.

    Args:
        model: a Flax module.
        inputs: one example as the model takes it; of a text, as many ids as it has words.
        stored_bytes: of one example with its target, as the data set has it.
        optimizer: what updates the parameters.
        itemsize: bytes of a number in the precision of the network.

    Raises:
        ValueError: from `summarize`, for a model with layers that it does not know.
    """
    rows = summarize(model, inputs.shape, inputs.dtype)
    num_params = sum(row.num_params for row in rows)
    first = next((i for i, row in enumerate(rows) if row.num_params), len(rows))
    passes = [1 + (i > first) + (row.num_params > 0) for i, row in enumerate(rows)]
    outputs = sum(math.prod(row.output_shape) for row in rows if row.kind not in _FREE)
    return Cost(
        num_params=num_params,
        forward_flops=forward_flops(rows),
        forward_bytes=stored_bytes,
        example_flops=sum(n * row.flops for n, row in zip(passes, rows, strict=True)),
        example_bytes=stored_bytes + 2 * itemsize * outputs,
        update_flops=optimizer.flops * num_params,
        update_bytes=2 * (1 + optimizer.slots) * itemsize * num_params,
    )


def flops_of(cost: Cost, work: Work) -> int:
    """Return the FLOPs of the work."""
    return (
        work["examples"] * cost.example_flops
        + work["updates"] * cost.update_flops
        + work["evaluated"] * cost.forward_flops
    )


def bytes_of(cost: Cost, work: Work) -> int:
    """Return the bytes of the work."""
    return (
        work["examples"] * cost.example_bytes
        + work["updates"] * cost.update_bytes
        + work["evaluated"] * cost.forward_bytes
    )


def xla_cost(compiled: jax.stages.Compiled) -> Counted:
    """Return FLOPs and bytes of a compiled program as XLA counts them, once for a loop's body.

    Some backends do not say, or say -1; both are null here.
    """
    try:
        found = compiled.cost_analysis()
    except (jax.errors.JaxRuntimeError, NotImplementedError):
        found = None
    if isinstance(found, list):  # of one program, as JAX had it before
        found = found[0] if found else None

    def known(name: str) -> float | None:
        value = (found or {}).get(name)
        return float(value) if value is not None and value >= 0 else None

    return {"flops": known("flops"), "bytes": known("bytes accessed")}

"""Receptive fields followed through a model's program, wherever its branches part and meet.

The program is the jaxpr of the forward pass, in which every layer's input and output are marked by
name. From the image on, each array carries what one of its values sees. A layer changes that by
its windows (Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural
Networks", Distill):

    r' = r + D (K - 1) j        j' = S j

r pixels a side, j pixels from one value to the next. Between layers, additions, activations and
concatenations of channels compute each value from those at its own place: it sees the most that
one of them sees. What else a program does there leaves the field unknown, None.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jax.ad_checkpoint import checkpoint_name
from jax.extend.core import Jaxpr

from dl_jax.models.layer_formulas import Window

_CALLS = {"jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call", "checkpoint"}
_BY_PLACE = {
    "abs", "add", "and", "broadcast_in_dim", "clamp", "concatenate", "convert_element_type", "copy",
    "div", "eq", "erf", "exp", "exp2", "expm1", "ge", "gt", "integer_pow", "le", "log", "log1p",
    "logistic", "lt", "max", "min", "mul", "name", "ne", "neg", "not", "once", "or", "pad", "pow",
    "rsqrt", "select_n", "sign", "slice", "sqrt", "square", "stop_gradient", "sub", "tanh",
}  # fmt: skip


class Field(NamedTuple):
    """What a value of an array sees; a number for each axis of the image.

    Attributes:
        reach: r, pixels from the first to the last.
        step: j, pixels from one value to the next.
        side: values along the axis, also where they have become a vector.
    """

    reach: tuple[int, ...]
    step: tuple[int, ...]
    side: tuple[int, ...]


Change = Callable[[Field], Field | None]


def of_pixels(sides: Sequence[int]) -> Field:
    """Return the field of an image: each pixel sees itself."""
    ones = (1,) * len(sides)
    return Field(ones, ones, tuple(sides))


def through_windows(window: Window, sides: tuple[int, ...], field: Field) -> Field | None:
    """Return the field behind windows that leave so many values along each axis."""
    if len(field.reach) != len(window.kernel):
        return None
    reach = tuple(
        r + d * (k - 1) * j
        for r, j, k, d in zip(field.reach, field.step, window.kernel, window.dilation, strict=True)
    )
    step = tuple(j * s for j, s in zip(field.step, window.stride, strict=True))
    return Field(reach, step, sides)


def of_the_whole(field: Field) -> Field:
    """Return the field behind a dense layer, whose kernel is as large as the map was."""
    reach = tuple(r + (n - 1) * j for r, j, n in zip(*field, strict=True))
    return Field(reach, field.step, (1,) * len(reach))


def mark(what: str, layer: int, x: jax.Array) -> jax.Array:
    """Return x, which the program calls the `"input"` or `"output"` of the layer from now on."""
    return checkpoint_name(x, f"{what} of layer {layer}")


def follow(program: Jaxpr, image: Field | None, changes: Sequence[Change]) -> list[Field | None]:
    """Return the field behind each layer.

    Args:
        program: of the forward pass; its last argument is the image.
        image: the image's field; None without one, and there are no fields.
        changes: what each layer does to a field.
    """
    inputs: dict[str, Field | None] = {}
    found: list[Field | None] = [None] * len(changes)

    def run(jaxpr: Any, arguments: Sequence[Field | None]) -> list[Field | None]:
        fields: dict[Any, Field | None] = dict(zip(jaxpr.invars, arguments, strict=True))

        def known(x: Any) -> Field | None:
            return None if hasattr(x, "val") else fields.get(x)  # a literal sees nothing

        for equation in jaxpr.eqns:
            kind, before = equation.primitive.name, [known(x) for x in equation.invars]
            what, _, number = equation.params.get("name", "").rpartition(" of layer ")
            if kind in _CALLS and (inner := _inner(equation)):
                after = run(inner, before)
            elif kind == "name" and what == "output":
                field = inputs[number]
                found[int(number)] = field and changes[int(number)](field)
                after = [found[int(number)]]
            else:
                after = [_combined(equation, [field for field in before if field])]
                if kind == "name" and what == "input":
                    inputs[number] = after[0]
            if any(after):
                fields.update(zip(equation.outvars, after, strict=False))
        return [known(x) for x in jaxpr.outvars]

    run(program, [*[None] * (len(program.invars) - 1), image])
    return found


def _inner(equation: Any) -> Any:
    program = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
    return getattr(program, "jaxpr", program)


def _combined(equation: Any, fields: list[Field]) -> Field | None:
    """The field of what is computed place by place; None of anything else."""
    kind, shape = equation.primitive.name, equation.outvars[0].aval.shape
    flattens = kind == "reshape" and len(shape) == 2
    if not fields or not (kind in _BY_PLACE or flattens) or equation.params.get("strides"):
        return None
    if kind == "concatenate" and equation.params["dimension"] != len(shape) - 1:
        return None
    largest = max(fields, key=lambda field: field.side)
    reach = tuple(map(max, zip(*(field.reach for field in fields), strict=True)))
    return Field(reach, largest.step, shape[1:-1] if len(shape) > 2 else largest.side)


def reached_from(program: Jaxpr, outputs: int) -> set[int]:
    """Return the numbers of the layers that the first so many outputs of the program need."""
    needed: set[Any] = set(program.outvars[:outputs])
    layers: set[int] = set()
    for equation in reversed(program.eqns):
        if not needed.isdisjoint(equation.outvars):
            needed |= {x for x in equation.invars if not hasattr(x, "val")}
            layers |= set(_layers_in(equation))
    return layers


def _layers_in(equation: Any) -> list[int]:
    what, _, number = equation.params.get("name", "").rpartition(" of layer ")
    if what == "output":
        return [int(number)]
    inner = _inner(equation) if equation.primitive.name in _CALLS else None
    return [layer for eqn in inner.eqns for layer in _layers_in(eqn)] if inner else []

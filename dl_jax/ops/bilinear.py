"""A product of two arrays that knows its own transposes, one algorithm for each kind of device.

A convolution is linear in the images and linear in the kernel, so that its derivatives are three
products that are each other's transposes. As JAX primitives all of JAX's transformations pass
through them, forward and reverse mode to any order, `vmap` and `scan`; what a derivative costs on a
device is no longer what XLA happens to make of it.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core
from jax.interpreters import ad, batching, mlir

from dl_jax.ops.sharding import varying_alike

Flags = tuple[bool, bool]  # which of the two arguments has this batch axis
Product = Callable[[jax.Array, jax.Array, Any], jax.Array]


class Products(NamedTuple):
    """A way to compute `y = x * w`, linear in x and in w, and its transposes.

    Attributes:
        forward: `(x, w, geometry) -> y`; the geometry is what else it depends on, hashable.
        by_x: `(y, w, geometry) -> x`, the transpose in x: the gradient by x, from that by y.
        by_w: `(x, y, geometry) -> w`, the transpose in w.
    """

    forward: Product
    by_x: Product
    by_w: Product


def bilinear(
    name: str,
    default: Products,
    cpu: Products,
    example_axis: Literal[0, -1] | None,
    cuda: Products | None = None,
) -> Products:
    """Return the three products as primitives, each of which lowers to an algorithm of the device.

    Args:
        name: of the primitive, as programs print it.
        default: the products on a TPU and whatever else.
        cpu: the same on a CPU.
        example_axis: the axis of x and of y over which examples are independent: a batch of x
            alone becomes more of them; None if there is no such axis.
        cuda: the products on an NVIDIA GPU; the default ones unless given.
    """
    forward, by_x, by_w = (
        _primitive(f"{name}{suffix}", *each)
        for suffix, *each in zip(("", "_by_x", "_by_w"), default, cpu, cuda or default, strict=True)
    )
    for primitive in (forward, by_x):
        _batch(primitive, example_axis)
    _batch(by_w, None)
    _transpose(forward, by_x, by_w, lambda d_y, x, w: ((d_y, w), (x, d_y)))
    _transpose(by_x, forward, by_w, lambda d_x, y, w: ((d_x, w), (d_x, y)))
    _transpose(by_w, by_x, forward, lambda d_w, x, y: ((y, d_w), (x, d_w)))

    return Products(*(partial(_bind, primitive) for primitive in (forward, by_x, by_w)))


def _bind(primitive: core.Primitive, a: jax.Array, b: jax.Array, geometry: Any) -> jax.Array:
    return primitive.bind(*varying_alike(a, b), geometry=geometry, batch=())


def _primitive(name: str, default: Product, cpu: Product, cuda: Product) -> core.Primitive:
    primitive = core.Primitive(name)

    def at_once(each: Product, a, b, *, geometry, batch):
        product = partial(_call, each, geometry)
        for flags in reversed(batch):
            product = jax.vmap(product, tuple(0 if flag else None for flag in flags))
        return product(a, b)

    on_default, on_cuda = partial(at_once, default), partial(at_once, cuda)

    def on_cpu(a, b, *, geometry, batch):
        product = partial(_call, cpu, geometry)
        for flags in reversed(batch):
            product = partial(_one_by_one, product, flags)
        return product(a, b)

    @cache  # JAX asks dozens of times a derivative, and to trace Winograd's sums takes a while
    def shape_of(a, b, geometry, batch):
        return jax.eval_shape(partial(on_default, geometry=geometry, batch=batch), a, b)

    def abstract(a, b, *, geometry, batch):
        dtypes = (jax.dtypes.canonicalize_dtype(x.dtype) for x in (a, b))  # as `enable_x64` has it
        shapes = map(jax.ShapeDtypeStruct, (a.shape, b.shape), dtypes)
        out = shape_of(*shapes, geometry, batch)
        return a.update(shape=out.shape, dtype=out.dtype, weak_type=False)

    compiled = jax.jit(primitive.bind, static_argnames=("geometry", "batch"))

    @primitive.def_impl
    def outside_of_jit(a, b, **static):
        with jax.disable_jit(False):  # which would call this again
            return compiled(a, b, **static)

    primitive.def_abstract_eval(abstract)
    mlir.register_lowering(primitive, mlir.lower_fun(on_default, multiple_results=False))
    mlir.register_lowering(primitive, mlir.lower_fun(on_cpu, multiple_results=False), "cpu")
    mlir.register_lowering(primitive, mlir.lower_fun(on_cuda, multiple_results=False), "cuda")
    return primitive


def _call(product: Product, geometry: Any, a: jax.Array, b: jax.Array) -> jax.Array:
    return product(a, b, geometry)


def _one_by_one(
    product: Callable[[jax.Array, jax.Array], jax.Array], flags: Flags, a: jax.Array, b: jax.Array
) -> jax.Array:
    """A loop, not `vmap`: one product fills a CPU, and a batched one is slower."""
    mapped = [x for x, flag in zip((a, b), flags, strict=True) if flag]

    def one(members):
        members = iter(members)
        return product(*(next(members) if f else x for x, f in zip((a, b), flags, strict=True)))

    return lax.map(one, mapped)


def _batch(primitive: core.Primitive, example_axis: int | None) -> None:
    def batched(args, dims, *, geometry, batch):
        a, b = args
        flags = tuple(d is not None for d in dims)
        if flags == (True, False) and example_axis is not None and not batch:
            examples = a.ndim - 2 if example_axis else 0
            a = jnp.moveaxis(a, dims[0], examples)  # just before the examples
            n, each = a.shape[examples : examples + 2]
            a = a.reshape(*a.shape[:examples], n * each, *a.shape[examples + 2 :])
            y = primitive.bind(a, b, geometry=geometry, batch=())
            axis = y.ndim - 1 if example_axis else 0
            return y.reshape(*y.shape[:axis], n, each, *y.shape[axis + 1 :]), axis
        moved = (
            jnp.moveaxis(x, d, 0) if f else x for x, d, f in zip(args, dims, flags, strict=True)
        )
        return primitive.bind(*moved, geometry=geometry, batch=(flags, *batch)), 0

    batching.primitive_batchers[primitive] = batched


def _transpose(
    primitive: core.Primitive,
    first: core.Primitive,
    second: core.Primitive,
    arguments: Callable[[Any, Any, Any], tuple[tuple, tuple]],
) -> None:
    """Say which primitives are the transposes of one in its first and in its second argument.

    Args:
        primitive: linear in each of its two arguments.
        first: its transpose in the first.
        second: its transpose in the second.
        arguments: from a cotangent and the two arguments to the arguments of both transposes.
    """

    def rule(transpose: core.Primitive, which: int):
        def pull_back(d, a, b, *, geometry, batch):
            flags = tuple(zip(*batch, strict=True)) or ((), ())
            all_ = (True,) * len(batch)
            axes = arguments(all_, *flags)[which]
            out = transpose.bind(
                *arguments(d, a, b)[which], geometry=geometry, batch=tuple(zip(*axes, strict=True))
            )
            # What was the same for every member of a batch gets the sum of their gradients.
            return out.sum(tuple(i for i, flag in enumerate(flags[which]) if not flag))

        return pull_back

    ad.defbilinear(primitive, rule(first, 0), rule(second, 1))

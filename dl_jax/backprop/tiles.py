"""A convolution, ReLU and max pooling in tiles of 2x2 as one formula.

Adding the bias and ReLU keep the order of numbers, so that `max_k relu(z_k + b)` is
`relu(max_k z_k + b)`: one bias and one ReLU a tile, and one place that the gradient goes back to.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from dl_jax.ops.conv_tiles import conv_tiles, is_place, relu_max, tiles_of
from dl_jax.ops.once import once

Image = Float[Array, "n h w c"]
Kernel = Float[Array, "k_h k_w c f"]
Tiled = Float[Array, "n out_h out_w f"]
Place = UInt8[Array, "f out_h out_w n"]


def conv_relu_max_pool_fwd(
    x: Image, w: Kernel, b: Float[Array, " f"]
) -> tuple[Tiled, tuple[Image, Kernel, Place]]:
    """Return `y_pf = relu(b_f + max_k z_kpf)`, and x, w and the place k of each tile's largest.

        z_kpf = sum_{a, c} x_{2p + k + a, c} w_acf        k in {0, 1}^2

    The index p runs over the tiles, k over the places in one and a over the taps of the kernel, in
    two dimensions each. Where y is 0 the place is 4, which is none. Slides "Convolution Kernel and
    Bias", "Restricted linear unit", "Pooling".

    Args:
        x: images.
        w: the kernels.
        b: a bias for each kernel.
    """
    z = conv_tiles.forward(x.transpose(3, 1, 2, 0), w, tiles_of(x, w))
    y, place = relu_max(z, b)
    return once(y).transpose(3, 1, 2, 0), (x, w, once(place))


def conv_relu_max_pool_bwd(
    residuals: tuple[Image, Kernel, Place], d_y: Tiled
) -> tuple[Image, Kernel, Float[Array, " f"]]:
    """Return the gradients by x, w and b.

        dE/dz_kpf = dE/dy_pf  if k is the place of p, else 0
        dE/dw_acf = sum_{n, p, k} x_{2p + k + a, c} dE/dz_kpf
        dE/dx_qc  = sum_{p, k, a: 2p + k + a = q} sum_f w_acf dE/dz_kpf
        dE/db_f   = sum_{n, p, k} dE/dz_kpf

    The first of equally large values gets the gradient.
    """
    x, w, place = residuals
    tiles, d_y = tiles_of(x, w), once(d_y.transpose(3, 1, 2, 0))
    d_z = jnp.where(is_place(place), d_y, 0)
    d_w = conv_tiles.by_w(x.transpose(3, 1, 2, 0), d_z, tiles)
    d_x = conv_tiles.by_x(d_z, w, tiles).transpose(3, 1, 2, 0)
    d_b = jnp.where(place < 4, d_y, 0).sum((1, 2, 3))
    return d_x, d_w, d_b

"""The method of Toom and Cook, by which Winograd's algorithm multiplies polynomials.

The product of two polynomials, of m and of r coefficients u and g, has m + r - 1 of them and is
known by its values at as many points p, one of which is infinity, where the value is the leading
coefficient. Its coefficients, each times a number d, are together the sum of u_k y_k over

    y_k = sum_i g_i d_{k+i} = sum_j p_j^k (sum_i p_j^i g_i / N_j) (sum_i b_ji d_i)

with `N_j = prod_l (p_j - p_l)` and b_j the coefficients of `prod_l (z - p_l)`, both over the finite
points but p_j. At infinity p^k and p^i are 1 for the last k and the last i, 0 otherwise, and N is
1. So m outputs of a convolution with r taps are m + r - 1 products in place of m r: F(m, r)
(Winograd 1980; Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks"; on points
that round little, Barabasz et al. 2020, "Error Analysis and Improving the Accuracy of Winograd
Convolution for Deep Neural Networks").
"""

from collections.abc import Sequence

import jax
import numpy as np

Factors = np.ndarray


def matrices(points: Sequence[float], taps: int) -> tuple[Factors, Factors, Factors]:
    """Return the factors of products in outputs, of taps in products, and of pixels in products.

    Args:
        points: the finite ones, s - 1 of them.
        taps: r; the outputs are m = s + 1 - r.

    Returns:
        Arrays `[m, s]`, `[s, r]` and `[s, s]`, the latter two with a row for each product.
    """
    finite, size = np.array(points), len(points) + 1
    outputs = size + 1 - taps
    others = [np.delete(finite, j) for j in range(len(finite))]
    scale = [np.prod(p - rest) for p, rest in zip(finite, others, strict=True)]
    last = np.eye(size)[-1:]
    kernel = np.vander(finite, taps, increasing=True) / np.array(scale)[:, None]
    pixels = [np.append(np.poly(rest)[::-1], 0) for rest in others]
    return (
        np.vstack([np.vander(finite, outputs, increasing=True), last[:, -outputs:]]).T,
        np.vstack([kernel, last[:, -taps:]]),
        np.vstack([*pixels, np.poly(finite)[::-1]]),
    )


def combined(factors: Sequence[float] | Factors, arrays: Sequence[jax.Array]) -> jax.Array:
    """Return the sum of the arrays, each times its factor; what has the factor 0 is left out."""
    terms = [float(f) * a for f, a in zip(factors, arrays, strict=True) if f]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total

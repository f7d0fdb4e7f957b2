"""Local response normalisation against the paper's formula, and its gradient against a power's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import ops

EPS = float(jnp.finfo(jnp.float32).eps)


def by_the_paper(a: np.ndarray, n: int, alpha: float, beta: float, k: float) -> np.ndarray:
    """Section 3.3, channel by channel: j from max(0, i - n/2) to min(N - 1, i + n/2)."""
    channels = a.shape[-1]
    b = np.empty(a.shape, np.float64)
    for i in range(channels):
        base = np.full(a.shape[:-1], k, np.float64)
        for j in range(max(0, i - n // 2), min(channels - 1, i + n // 2) + 1):
            base += alpha * a[..., j].astype(np.float64) ** 2
        b[..., i] = a[..., i] / base**beta
    return b


@pytest.mark.parametrize("beta", [0.75, 1.3])  # by two roots, and by a power
@pytest.mark.parametrize(("channels", "size"), [(7, 5), (3, 5), (6, 1), (1, 3)])
def test_the_papers_formula(channels, size, beta, key):
    # An alpha of 1e-4 would leave the sum without a say in the result.
    x = 3 * jax.random.normal(key, (2, 3, 2, channels))
    expected = by_the_paper(np.asarray(x), size, 0.5, beta, 2.0)
    # A sum of positive terms is off by an eps a term, and the power multiplies that by beta; the
    # square, the two products, the roots or the power and the division round once more each.
    rtol = (beta * (size + 2) + 6) * EPS
    np.testing.assert_allclose(ops.local_response_norm(x, size, 0.5, beta), expected, rtol=rtol)


def test_the_papers_values_are_the_defaults(key):
    x = 50 * jax.random.normal(key, (4, 9))
    expected = by_the_paper(np.asarray(x), 5, 1e-4, 0.75, 2.0)
    np.testing.assert_allclose(ops.local_response_norm(x), expected, rtol=(0.75 * 7 + 6) * EPS)


@pytest.mark.parametrize("beta", [0.75, 0.6])
def test_the_gradient_is_that_of_a_power(beta):
    with jax.enable_x64(True):
        x = jax.random.normal(jax.random.key(1), (3, 8), jnp.float64)
        near = jnp.asarray(abs(np.subtract.outer(np.arange(8), np.arange(8))) <= 2, jnp.float64)

        def power(x):
            return x / (2 + 0.3 * (x * x) @ near) ** beta

        def gradient(layer):
            return jax.grad(lambda x: jnp.sum(jnp.sin(layer(x))))(x)

        ours = gradient(lambda x: ops.local_response_norm(x, 5, 0.3, beta))
        # Sums of five terms that may cancel: a dozen roundings of terms no larger than 1.
        np.testing.assert_allclose(ours, gradient(power), rtol=0, atol=12 * 2**-52)


@pytest.mark.parametrize("size", [0, 4, -1])
def test_a_size_without_a_middle_is_refused(size):
    with pytest.raises(ValueError, match=f"an odd size of at least 1, got {size}"):
        ops.local_response_norm(jnp.ones((2, 6)), size)

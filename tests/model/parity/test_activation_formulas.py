"""Each activation against its paper's formula."""

from math import erf

import numpy as np
from numpy_layers import array, assert_same, features, sigmoid
import pytest

from pocketdet.model import GELU, HardSwish, LeakyReLU, Mish, PReLU, ReLU, ReLU6, SiLU
from pocketdet.model.activation import ACTIVATIONS

FORMULAS = {
    ReLU: lambda x: np.maximum(x, 0),
    ReLU6: lambda x: np.minimum(np.maximum(x, 0), 6),
    LeakyReLU: lambda x: np.where(x > 0, x, 0.1 * x),
    PReLU: lambda x: np.where(x > 0, x, 0.25 * x),
    SiLU: lambda x: x * sigmoid(x),
    HardSwish: lambda x: x * np.minimum(np.maximum(x + 3, 0), 6) / 6,
    GELU: lambda x: x * np.vectorize(lambda v: 0.5 * (1 + erf(v / 2**0.5)))(x),
    Mish: lambda x: x * np.tanh(np.log(1 + np.exp(x))),
}


@pytest.mark.parametrize("kind", ACTIVATIONS, ids=lambda kind: kind.__name__)
def test_an_activation_is_its_formula(kind) -> None:
    given = features(2, 3, 7, 5) * 4
    assert_same(kind().build(), given.clone(), FORMULAS[kind](array(given)))


def test_the_fixed_slopes_are_the_fields() -> None:
    given = features(1, 2, 3, 3)
    x = array(given)
    assert_same(LeakyReLU(slope=0.2).build(), given.clone(), np.where(x > 0, x, 0.2 * x))
    assert_same(PReLU(initial_slope=0.5).build(), given.clone(), np.where(x > 0, x, 0.5 * x))

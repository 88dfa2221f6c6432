"""`[[status.operators]]`: a name, a token and a role for each, and what is refused."""

from __future__ import annotations

from functools import partial

import configuring
import pytest
from configuring import GOOD


@pytest.fixture
def read(tmp_path):
    return partial(configuring.read, tmp_path)


@pytest.fixture
def faults(tmp_path):
    return partial(configuring.faults, tmp_path)


ANN = '[[status.operators]]\nname = "ann"\ntoken = "ann-0123456789abcdef"\nrole = "read"\n'


def test_operators_are_read_and_take_the_place_of_the_token(read):
    config = read('[server]\npublic_url = "https://hooks.example.com"\n' + ANN + GOOD)
    (ann,) = config.status.operators
    assert (ann.name, ann.role, ann.token.get_secret_value()) == ("ann", "read", "ann-0123456789abcdef")
    assert "[[status.operators]] number 1.token" in config.plain_secrets


def test_what_is_wrong_with_an_operator_is_said(faults):
    (line,) = faults(ANN.replace('"read"', '"admin"') + GOOD)
    assert line == '[[status.operators]] number 1 role: must be one of "read", "decide"'
    name, token = faults(ANN + ANN + GOOD)
    assert "is the same as that of [[status.operators]] number 1" in name
    assert "ann-0123456789abcdef" not in token
    (line,) = faults('[status]\ntoken = "ann-0123456789abcdef"\n' + ANN + GOOD)
    assert line.startswith("[[status.operators]] number 1 token: is the same as that of [status] token")
    (line,) = faults('[status]\noperators = "ann"\n' + GOOD)
    assert "two brackets" in line


def test_a_short_token_is_warned_of_where_strangers_can_try(read):
    short = ANN.replace("ann-0123456789abcdef", "short")
    warnings = read('[server]\npublic_url = "https://hooks.example.com"\n' + short + GOOD).warnings
    assert any("[[status.operators]] number 1 token: is so short that it can be guessed" in line for line in warnings)

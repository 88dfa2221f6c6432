"""A request goes out as httpx would send it, although httpx does not make it."""

import copy

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.remote.request import LONGEST, Request, address

BASE = "https://api.example.com/v3/"
SEGMENTS = st.text(st.sampled_from("ab09-._~!$&'()*+,;=:@%?#[]|^\"<> \\é/"), min_size=1, max_size=8)
VALUES = st.text(max_size=8).filter(lambda text: text.isprintable()) | st.booleans() | st.integers() | st.none()


def outcome(make):
    try:
        return make()
    except httpx.InvalidURL:
        return None


@given(
    st.lists(SEGMENTS, min_size=1, max_size=3), st.none() | st.dictionaries(st.text("a$_[]é ", min_size=1), VALUES, max_size=3)
)
def test_an_address_is_the_one_that_httpx_makes_of_it(segments, params):
    path = "contacts/" + "/".join(segments)
    if any(part in (".", "..") for part in path.split("/")):
        return  # refused before
    assert outcome(lambda: address(BASE, path, params)) == outcome(
        lambda: str(httpx.Request("GET", BASE + path, params=params).url)
    )


def test_a_whole_address_is_taken_for_itself():
    assert address(BASE, "https://Other.example.com:443/a?b=c", None) == "https://other.example.com/a?b=c"
    assert (
        address("https://API.example.com:443/v3/", "/contacts", {"q": "a,b c"})
        == "https://api.example.com/v3/contacts?q=a%2Cb+c"
    )


def test_an_address_has_an_end():
    with pytest.raises(httpx.InvalidURL):
        address(BASE, "a" * LONGEST, None)


@pytest.mark.parametrize(("method", "body"), [("GET", b""), ("POST", b""), ("PUT", b'{"a":1}')])
def test_it_is_the_request_that_httpx_makes(method, body):
    said, extensions = {"Accept": "application/json", "X-Two": "2"}, {"timeout": {"read": 5.0}}
    ours = Request(method, BASE + "a%2Fb?q=1", said, body, extensions)
    theirs = httpx.Request(method, BASE + "a%2Fb?q=1", headers=said, content=body or None, extensions=extensions)
    assert "url" not in vars(ours)
    assert (ours.url, ours.headers, ours.content) == (theirs.url, theirs.headers, theirs.content)
    assert (ours.method, ours.extensions, ours.read()) == (theirs.method, theirs.extensions, body)
    assert not hasattr(ours, "nothing_of_the_kind")
    assert copy.copy(ours).said == said
    again = Request.of(theirs)
    assert (again.address, again.body, Request.of(again) is again) == (ours.address, body, True)


def test_a_further_header_leaves_the_request_as_it_was():
    first = Request("GET", BASE, {"Accept": "application/json"})
    second = first.also({"Authorization": "Bearer new"})
    assert dict(first.said) == {"Accept": "application/json"}
    assert second.headers["Authorization"] == "Bearer new"

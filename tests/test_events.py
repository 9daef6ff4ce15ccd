"""Events: one text per content, small bodies, and versions that are known."""

import math

import pytest

from bbo.errors import NewerFormatError, StorageError
from bbo.events import MAX_BODY_BYTES, Event, canonical, check_known, digest, event, number


def test_one_content_has_one_text_whatever_the_order():
    assert canonical({"b": 1, "a": [1.5, None]}) == canonical({"a": [1.5, None], "b": 1}) == '{"a":[1.5,null],"b":1}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1}) != digest({"a": 2, "b": 2})


def test_floats_that_are_not_finite_are_strings_and_come_back():
    text = canonical({"v": [math.inf, -math.inf, math.nan, 1.0]})
    assert text == '{"v":["Infinity","-Infinity","NaN",1.0]}'
    back = [number(v) for v in Event("told", "k", text).read()["v"]]
    assert back[:2] == [math.inf, -math.inf]
    assert math.isnan(back[2])


def test_a_large_body_is_refused_with_the_remedy():
    with pytest.raises(StorageError, match="Keep notes and messages small"):
        event("told", "k", {"note": "x" * MAX_BODY_BYTES})
    assert event("told", "k", {"note": "x" * (MAX_BODY_BYTES - 20)}).body


@pytest.mark.parametrize("body", ["{", "[1]", "3"])
def test_a_body_that_is_no_object_is_an_error_that_names_the_event(body):
    with pytest.raises(StorageError, match=r"Event 7 \(told\)"):
        Event("told", "k", body, seq=7).read()


@pytest.mark.parametrize(("kind", "version"), [("told", 3), ("teleported", 1)])
def test_an_event_of_a_later_version_is_recognised(kind, version):
    with pytest.raises(NewerFormatError, match="upgrade bbo"):
        check_known(Event(kind, "k", "{}", version=version))
    check_known(Event("told", "k", "{}"))

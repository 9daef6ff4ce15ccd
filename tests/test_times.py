from hypothesis import example, given
from hypothesis import strategies as st

from bbo.events import now
from bbo.times import Times

texts = st.one_of(
    st.text(max_size=40),
    st.just(""),
    st.datetimes().map(lambda t: t.isoformat(timespec="milliseconds") + "+00:00"),
    st.datetimes(timezones=st.timezones()).map(lambda t: t.isoformat()),
)


@given(st.lists(texts), st.data())
@example(["2026-11-21T10:00:00.123+00:00", "2026-11-21T10:00:00.123+01:00", "0001-01-01T00:00:00.000+00:00"], None)
def test_what_comes_back_is_what_went_in_whatever_is_done(given_texts, data):
    times, plain = Times(), []
    for text in given_texts:
        times.append(text)
        plain.append(text)
    if data is not None and plain:
        for k in data.draw(st.lists(st.integers(0, len(plain) - 1), max_size=5)):
            times[k] = plain[k] = data.draw(texts)
        n = data.draw(st.integers(0, len(plain)))
        assert times[n:] == plain[n:]
        assert times[:n] == plain[:n]
        times.cut(n)
        del plain[n:]
        times.append("later")
        plain.append("later")
    assert list(times) == plain
    assert [times[k] for k in range(len(plain))] == plain
    assert len(times) == len(plain)


def test_a_time_of_now_takes_eight_bytes():
    times = Times()
    for _ in range(1000):
        times.append(now())
    assert times._words == {}
    assert times._milliseconds.itemsize == 8

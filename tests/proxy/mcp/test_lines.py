"""Lines: whole ones out of any pieces, and little of those that are too long."""

from __future__ import annotations

from proxy.mcp.lines import HEAD, Line, Lines

DATA = b'{"a":1}\n\r\n{"b":2}\r\nrest'
WHOLE = [Line(b'{"a":1}'), Line(b""), Line(b'{"b":2}')]


def test_lines_do_not_depend_on_where_the_stream_was_cut() -> None:
    for size in range(1, len(DATA)):
        lines = Lines(16)
        found = [one for at in range(0, len(DATA), size) for one in lines.feed(DATA[at : at + size])]
        assert found == WHOLE
        assert lines.close() == [Line(b"rest")]
        assert lines.close() == []


def test_a_line_may_have_as_many_bytes_as_are_allowed_and_no_more() -> None:
    lines = Lines(4)
    assert lines.feed(b"1234\n12345\n12\n") == [Line(b"1234"), Line(b"12345", False), Line(b"12")]


def test_of_a_long_line_its_beginning_and_its_end_are_kept_in_little_memory() -> None:
    lines = Lines(100)
    for _ in range(50):
        assert lines.feed(b"begin" + b"x" * HEAD) == []
        assert lines.is_long
        assert sum(map(len, lines._held)) <= 2 * HEAD
    [line] = lines.feed(b'"id":7}\n')
    assert not line.is_whole
    assert line.data.startswith(b"begin")
    assert line.data.endswith(b'"id":7}')
    assert not lines.is_long

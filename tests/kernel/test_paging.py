"""Keyset pages: cursors go round trip, nonsense is a 422, the last page has no cursor."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.http.paging import CursorError, Cut, decode, encode


@given(st.uuids())
def test_a_cursor_goes_round(key: UUID) -> None:
    assert decode(encode(key)) == key


@given(st.integers(min_value=0, max_value=(1 << 63) - 1))
def test_so_does_a_number(key: int) -> None:
    assert Cut(limit=10, cursor=encode(key)).numbers["before"] == key


@given(st.text(max_size=64))
def test_nonsense_is_our_error_and_no_other(cursor: str) -> None:
    try:
        decode(cursor)
    except CursorError as error:
        assert error.status == 422


@pytest.mark.parametrize("cursor", ["x", "é", "AAAA", "=" * 8, "A" * 64])
def test_a_short_or_long_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(CursorError):
        decode(cursor)


def test_pages_join_without_gap_or_repetition() -> None:
    rows = list(range(25, 0, -1))
    seen: list[int] = []
    cursor = None
    while True:
        cut = Cut(limit=10, cursor=cursor)
        before, limit = cut.numbers["before"], cut.numbers["limit"]
        assert isinstance(before, int) and isinstance(limit, int)
        page = cut.page([row for row in rows if row < before][:limit], lambda row: row, lambda row: row)
        assert len(page.items) <= 10
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == rows


def test_a_full_last_page_has_no_cursor() -> None:
    cut = Cut(limit=2, cursor=None)
    assert cut.page([2, 1], lambda row: row, lambda row: row).next_cursor is None
    assert cut.page([], lambda row: row, lambda row: row).items == []

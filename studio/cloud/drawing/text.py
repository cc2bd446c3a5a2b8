"""How wide a text is, without a font: generous widths, so that what fits here fits in every sans serif."""

_NARROW, _WIDE = frozenset("ijl.,:;'|!()[]{}tfrI "), frozenset("mwMW@%→")
_EM = {"narrow": 0.36, "plain": 0.6, "capital": 0.7, "wide": 0.92}
BOLD = 1.08


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Pixels that a line takes at a font size.

    >>> width("ii", 10) < width("mm", 10)
    True
    """
    ems = sum(
        _EM["narrow" if one in _NARROW else "wide" if one in _WIDE else "capital" if one.isupper() else "plain"]
        for one in text
    )
    return ems * size * (BOLD if bold else 1)


def wrap(text: str, size: float, limit: float, *, bold: bool = False) -> list[str]:
    """Lines no wider than `limit` pixels, broken at spaces; a word that is wider stands alone.

    >>> wrap("one two three", 10, 45)
    ['one two', 'three']
    """
    lines: list[str] = []
    for word in text.split(" "):
        if lines and width(f"{lines[-1]} {word}", size, bold=bold) <= limit:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines

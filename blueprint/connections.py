"""Connections that Aurora PostgreSQL takes, by the capacities between which its cluster scales."""

from types import MappingProxyType

GIB = 1024**3
CONNECTIONS: MappingProxyType[float, int] = MappingProxyType({1: 189, 4: 823, 8: 1669, 16: 3360, 32: 5000})
"""Connections that Aurora PostgreSQL takes, by the cluster's maximum capacity (Aurora user guide, "Maximum connections
for Aurora Serverless v2"); a minimum of 0 or 0.5 bounds them at 2000."""
MAX_CONNECTIONS_BYTES = 9_531_392
"""Aurora PostgreSQL lets in DBInstanceClassMemory / 9531392 connections (its default parameter group); an Aurora
capacity unit has 2 GiB, of which PostgreSQL sees about nine tenths: 4 units let 823 in."""
MAX_CONNECTIONS_OF_SMALL = 2_000
"""However large it may grow, a cluster whose minimum is 0.5 units or less lets no more in (Aurora user guide, "Maximum
connections for Aurora Serverless v2")."""


def admitted(*, minimum: float, maximum: float) -> int:
    """The connections that Aurora PostgreSQL lets in between two capacities, in Aurora capacity units.

    >>> admitted(minimum=0.5, maximum=4), admitted(minimum=0.5, maximum=64)
    (811, 2000)
    """
    most = 0.9 * maximum * 2 * GIB / MAX_CONNECTIONS_BYTES
    return int(min(most, MAX_CONNECTIONS_OF_SMALL) if minimum <= 0.5 else most)


def connections(*, minimum: float, maximum: float) -> int:
    """Four fifths of them.

    >>> connections(minimum=0.5, maximum=4), connections(minimum=0.5, maximum=64)
    (648, 1600)
    """
    return int(0.8 * admitted(minimum=minimum, maximum=maximum))

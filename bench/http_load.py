"""A small HTTP/1.1 load generator: keep-alive connections that each send one request after the other.

It does only what a benchmark needs (responses carry Content-Length), so that the client is not what is measured.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """Requests a second, and latencies in milliseconds."""

    rate: float
    p50: float
    p99: float
    statuses: dict[int, int]


async def load(port: int, make: Callable[[int], bytes], *, connections: int, seconds: float) -> Measured:
    """Sends `make(number)` over and over for `seconds` on each connection; the first tenth is warm-up."""
    begin = time.perf_counter()
    warm, end = begin + seconds / 10, begin + seconds
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    numbers = iter(range(10**9))

    async def drive() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (sent := time.perf_counter()) < end:
            writer.write(make(next(numbers)))
            status = await _response(reader)
            if sent >= warm:
                latencies.append(time.perf_counter() - sent)
                statuses[status] = statuses.get(status, 0) + 1
        writer.close()

    await asyncio.gather(*(drive() for _ in range(connections)))
    latencies.sort()
    return Measured(
        len(latencies) / (end - warm),
        latencies[len(latencies) // 2] * 1000,
        latencies[int(len(latencies) * 0.99)] * 1000,
        statuses,
    )


async def _response(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            length = int(line[15:])
    if length:
        await reader.readexactly(length)
    return int(head[9:12])


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A POST as bytes."""
    lines = [f"POST {path} HTTP/1.1", "Host: bench", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

"""The delegation of the zone, asked of a name server."""

import socket
import threading
from collections.abc import Callable, Iterator

import dns.flags
import dns.message
import dns.rrset
import pytest

from blueprint.environments import PROD
from studio.cloud.deploy import delegation
from studio.errors import StudioError
from studio.processes import LOOPBACK

ZONE = PROD.host
SERVERS = frozenset({"ns-1.awsdns-01.org", "ns-2.awsdns-02.net"})


class NameServer:
    """A resolver on a UDP port of this machine that knows one zone."""

    def __init__(self) -> None:
        self.servers: frozenset[str] | None = SERVERS
        """None: the name does not exist."""
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                data, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            if not data:
                return
            self.asked += 1
            question = dns.message.from_wire(data)
            answer = dns.message.make_response(question)
            answer.flags |= dns.flags.RA
            if self.servers is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            else:
                names = [f"{one.upper()}." for one in self.servers]
                answer.answer.append(dns.rrset.from_text_list(question.question[0].name, 60, "IN", "NS", names))
            self._socket.sendto(answer.to_wire(), peer)

    def close(self) -> None:
        self._socket.sendto(b"", (LOOPBACK, self.port))
        self._thread.join(2)
        self._socket.close()


@pytest.fixture
def resolver() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.close()


def question(server: NameServer) -> Callable[[str], list[delegation.Answer]]:
    return lambda zone: delegation.ask(zone, [LOOPBACK], port=server.port)


def test_a_delegated_zone_goes_on_at_once(resolver: NameServer) -> None:
    said: list[str] = []
    delegation.wait(ZONE, SERVERS, say=said.append, patient=False, question=question(resolver))
    assert said == [f"{ZONE} is delegated to its name servers."]
    assert resolver.asked == 1


@pytest.mark.parametrize("seen", [None, frozenset({"ns1.registrar.example"})])
def test_without_patience_it_says_what_to_enter_where(resolver: NameServer, seen: frozenset[str] | None) -> None:
    resolver.servers = seen
    with pytest.raises(StudioError) as told:
        delegation.wait(ZONE, SERVERS, say=print, patient=False, question=question(resolver))
    assert "Where pingvas.com is kept" in told.value.message
    assert all(server in told.value.message for server in SERVERS)
    assert ("ns1.registrar.example" if seen else "no such record") in told.value.message


def test_with_patience_it_waits_until_the_world_knows(resolver: NameServer) -> None:
    resolver.servers = None
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            resolver.servers = SERVERS

    said: list[str] = []
    delegation.wait(ZONE, SERVERS, say=said.append, patient=True, question=question(resolver), pause=pause)
    assert pauses == [delegation.ASK_EVERY_SECONDS] * 3
    assert said[-1] == f"{ZONE} is delegated to its name servers."


def test_one_resolver_with_an_old_answer_is_waited_for() -> None:
    answers = [delegation.Answer("1.1.1.1", SERVERS), delegation.Answer("8.8.8.8", frozenset())]
    assert not delegation.delegated(answers, SERVERS)
    assert delegation.delegated([answers[0], delegation.Answer("8.8.8.8", None)], SERVERS)


def test_nobody_to_ask_is_said() -> None:
    with pytest.raises(StudioError, match="No public resolver could be asked"):
        delegation.delegated([delegation.Answer("1.1.1.1", None)], SERVERS)

"""Whether the world asks the zone's name servers: until it does, no certificate is issued and a deployment hangs."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import dns.exception
import dns.resolver

from studio.cloud.deploy.account import Account
from studio.errors import StudioError

RESOLVERS = ("1.1.1.1", "8.8.8.8", "9.9.9.9")
"""Public resolvers: Cloudflare, Google, Quad9. One alone may remember an old answer."""
ANSWER_SECONDS = 4.0
ASK_EVERY_SECONDS = 30.0
REMIND_EVERY = 10
"""After so many questions a waiting deployment says again that it waits."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one resolver says; `servers` is None where it could not be asked."""

    resolver: str
    servers: frozenset[str] | None


def name_servers(account: Account, zone_id: str) -> frozenset[str]:
    """The zone's own name servers, lower case, without the last dot."""
    found = account.client("route53").get_hosted_zone(Id=zone_id)
    return frozenset(_plain(one) for one in found["DelegationSet"]["NameServers"])


def ask(zone: str, resolvers: Sequence[str] = RESOLVERS, *, port: int = 53) -> list[Answer]:
    """The name servers of a zone as each resolver sees them."""
    return [Answer(one, _ask(zone, one, port)) for one in resolvers]


def _ask(zone: str, address: str, port: int) -> frozenset[str] | None:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [address]
    resolver.port = port
    resolver.lifetime = ANSWER_SECONDS
    try:
        answer = resolver.resolve(zone, "NS", raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN:
        return frozenset()
    except dns.exception.DNSException:
        return None
    return frozenset(_plain(str(one.target)) for one in answer.rrset or ())


def delegated(answers: Iterable[Answer], expected: frozenset[str]) -> bool:
    """Every resolver that answered names exactly the zone's servers.

    Raises:
        StudioError: none answered.
    """
    told = [one.servers for one in answers if one.servers is not None]
    if not told:
        raise StudioError(
            "No public resolver could be asked (UDP port 53 to 1.1.1.1, 8.8.8.8, 9.9.9.9), so nobody knows whether the "
            "zone is delegated.",
            advice="Look from elsewhere (dig NS ZONE @1.1.1.1), then give --assume-delegated.",
        )
    return all(servers == expected for servers in told)


def wait(
    zone: str,
    expected: frozenset[str],
    *,
    say: Callable[[str], None],
    patient: bool,
    question: Callable[[str], list[Answer]] = ask,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Returns when the zone is delegated; says once what to enter at the registrar.

    Raises:
        StudioError: it is not, and we are not to wait.
    """
    asked = 0
    while True:
        answers = question(zone)
        if delegated(answers, expected):
            say(f"{zone} is delegated to its name servers.")
            return
        if not patient:
            raise StudioError(
                f"{zone} is not delegated yet.\n{instructions(zone, expected, answers)}",
                advice="Run the same command again when that is done: it goes on here.",
            )
        if asked == 0:
            say(instructions(zone, expected, answers))
            say("Waiting; Ctrl-C is safe, the same command goes on here.")
        elif asked % REMIND_EVERY == 0:
            say(f"Still waiting for {zone} ({asked * ASK_EVERY_SECONDS / 60:.0f} min).")
        asked += 1
        pause(ASK_EVERY_SECONDS)


def instructions(zone: str, expected: frozenset[str], answers: Sequence[Answer]) -> str:
    """What to enter, and what there is now."""
    parent = zone.partition(".")[2]
    lines = [f"Where {parent} is kept (registrar or DNS host), enter an NS record for {zone} with these servers:"]
    lines += [f"    {one}" for one in sorted(expected)]
    lines.append("Now the world sees:")
    for one in answers:
        told = "no answer" if one.servers is None else ", ".join(sorted(one.servers)) or "no such record"
        lines.append(f"    {one.resolver}: {told}")
    return "\n".join(lines)


def _plain(name: str) -> str:
    return name.rstrip(".").lower()

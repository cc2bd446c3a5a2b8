"""Cards and links, read from templates. A card whose resource is not there is not made, nor are its links."""

from collections.abc import Iterable

from studio.cloud.drawing import edge, inside, regional
from studio.cloud.drawing.estate import Estate
from studio.cloud.drawing.model import Card, Link, Picture, Tier

TIERS = ("public", "private", "data")


def gather(estate: Estate) -> Picture:
    """Everything the drawing shows of an estate."""
    vpc = estate.first("AWS::EC2::VPC")
    by_tier = {name: list[Card]() for name in TIERS}
    for tier, card in inside.cards(estate):
        by_tier.setdefault(tier, []).append(card)
    picture = Picture(
        title="Pingvas Studio on AWS",
        subtitle=f"Drawn from the templates by ./pingvas draw: {len(estate.stacks)} stacks, "
        f"{estate.resources} resources",
        region=f"Region {estate.region}",
        vpc=f"VPC {vpc.properties['CidrBlock']}" if vpc else "no VPC",
        edge=tuple(edge.cards(estate)),
        tiers=tuple(
            Tier(name, tuple(_subnets(estate, name)), tuple(by_tier[name]))
            for name in by_tier
            if by_tier[name] or any(True for _ in _subnets(estate, name))
        ),
        aside=tuple(regional.aside(estate)),
        watch=tuple(regional.watch(estate)),
        stacks=tuple(_stacks(estate)),
    )
    known = {card.key for card in picture.cards}
    links = _merged([*edge.links(estate), *inside.links(estate)])
    return Picture(
        **{name: getattr(picture, name) for name in Picture.__dataclass_fields__ if name != "links"},
        links=tuple(link for link in links if {link.source, link.target} <= known and link.source != link.target),
    )


def _subnets(estate: Estate, tier: str) -> Iterable[str]:
    for subnet in estate.all("AWS::EC2::Subnet"):
        tags = {tag["Key"]: tag["Value"] for tag in subnet.properties.get("Tags", ())}
        if tags.get("aws-cdk:subnet-name") == tier:
            zone = str(subnet.properties["AvailabilityZone"]).rpartition("-")[2]
            yield f"{zone}  {subnet.properties['CidrBlock']}"


def _stacks(estate: Estate) -> Iterable[Card]:
    """A stack a card, with the stacks whose outputs it reads; those that need least come first."""
    needs = {stack: estate.imports(stack) for stack in estate.stacks}
    done: list[str] = []
    while len(done) < len(needs):
        ready = sorted(one for one in needs if one not in done and set(needs[one]) <= {*done})
        done += ready or sorted(set(needs) - set(done))
    for stack in done:
        count = len(estate.stacks[stack].get("Resources", {}))
        reads = f"reads {', '.join(needs[stack])}" if needs[stack] else "stands alone"
        yield Card(f"stack:{stack}", stack, (f"{count} resources", reads), "network")


def _merged(links: Iterable[Link]) -> list[Link]:
    """One arrow for each pair of cards, its labels side by side."""
    found: dict[tuple[str, str], list[str]] = {}
    for link in links:
        labels = found.setdefault((link.source, link.target), [])
        if link.label not in labels:
            labels.append(link.label)
    return [Link(source, target, ", ".join(labels)) for (source, target), labels in found.items()]

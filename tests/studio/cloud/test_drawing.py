"""The drawing shows what the templates hold, all of it readable, and nothing that is not there."""

import copy
import itertools
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from blueprint.network import NETWORK
from blueprint.regions import DEFAULT_REGION, REGIONS
from studio.cli import run
from studio.cloud.drawing import PICTURE, draw
from studio.cloud.drawing.cards import gather
from studio.cloud.drawing.estate import Estate
from studio.cloud.drawing.layout import arrange
from studio.cloud.drawing.model import Picture
from studio.cloud.drawing.scene import Box, Scene
from studio.errors import Exit
from tests.support.templates import synthesize

SVG = "{http://www.w3.org/2000/svg}"
Plain = dict[str, dict[str, Any]]
VARIANTS: tuple[dict[str, Any], ...] = (
    *({"region": region} for region in REGIONS),
    {"region": DEFAULT_REGION, "nat_gateways": 3, "interface_endpoints": True},
    {"region": DEFAULT_REGION, "cloudfront": False},
)


@pytest.fixture
def templates() -> Plain:
    """A copy of the default templates, to be changed."""
    return copy.deepcopy(dict(synthesize(region=DEFAULT_REGION)))


def picture(templates: Plain) -> Picture:
    return gather(Estate(templates))


def remove(templates: Plain, kind: str) -> int:
    """Takes every resource of a type out; how many there were."""
    count = 0
    for template in templates.values():
        gone = [name for name, body in template.get("Resources", {}).items() if body["Type"] == kind]
        count += len(gone)
        for name in gone:
            del template["Resources"][name]
    return count


def card_keys(templates: Plain) -> set[str]:
    return {card.key for card in picture(templates).cards}


def text_of(templates: Plain) -> str:
    """All texts of the drawing, a space for each line's end."""
    root = ET.fromstring(draw(templates))  # noqa: S314 (our own)
    return " ".join(" ".join(node.itertext()) for node in root.iter(f"{SVG}text"))


def test_the_committed_drawing_is_that_of_the_templates(templates: Plain) -> None:
    assert PICTURE.read_text(encoding="utf-8") == draw(templates), "`./pingvas draw` makes it anew"


def test_the_same_templates_give_the_same_bytes_in_any_order(templates: Plain) -> None:
    turned = {
        stack: {**template, "Resources": dict(reversed(template.get("Resources", {}).items()))}
        for stack, template in reversed(templates.items())
    }
    assert draw(turned) == draw(templates)


def test_it_is_accessible_and_needs_nothing_from_elsewhere(templates: Plain) -> None:
    drawn = draw(templates)
    root = ET.fromstring(drawn)  # noqa: S314 (our own)
    assert root.get("role") == "img"
    names = (root.get("aria-labelledby") or "").split()
    labels = [node for node in root.iter() if node.get("id") in names]
    assert len(labels) == 2
    assert all(node.text for node in labels)
    assert "prefers-color-scheme: dark" in drawn
    assert not re.search(r"<script|<image|href=|https?://(?!www\.w3\.org/2000/svg)", drawn)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("AWS::EC2::NatGateway", "nat"),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", "alb"),
        ("AWS::EKS::Cluster", "cluster"),
        ("AWS::EKS::Nodegroup", "nodes"),
        ("AWS::RDS::DBCluster", "aurora"),
        ("AWS::EFS::FileSystem", "efs"),
        ("AWS::AutoScaling::AutoScalingGroup", "vpn"),
        ("AWS::WAFv2::WebACL", "waf"),
        ("AWS::Route53::HostedZone", "dns"),
        ("AWS::S3::Bucket", "buckets"),
        ("AWS::ECR::Repository", "ecr"),
        ("AWS::SecretsManager::Secret", "secrets"),
        ("AWS::SecretsManager::RotationSchedule", "rotation"),
        ("AWS::KMS::Key", "kms"),
        ("AWS::EC2::VPCEndpoint", "endpoints"),
        ("AWS::CloudTrail::Trail", "trail"),
        ("AWS::GuardDuty::Detector", "guardduty"),
        ("AWS::CloudWatch::Alarm", "alarms"),
        ("AWS::SNS::Topic", "topics"),
        ("AWS::Backup::BackupPlan", "backup"),
        ("AWS::Budgets::Budget", "budget"),
    ],
)
def test_a_card_goes_with_its_resource(kind: str, key: str, templates: Plain) -> None:
    assert key in card_keys(templates)
    assert remove(templates, kind)
    assert key not in card_keys(templates)
    assert not any(key in (link.source, link.target) for link in picture(templates).links)
    draw(templates)


def test_distributions_and_caches_are_cards_of_their_own(templates: Plain) -> None:
    for kind in ("AWS::CloudFront::Distribution", "AWS::ElastiCache::ReplicationGroup"):
        keys = card_keys(templates)
        count = remove(templates, kind)
        assert len(keys - card_keys(templates)) == count == 2


def test_it_shows_the_real_numbers(templates: Plain) -> None:
    text = text_of(templates)
    for network in (NETWORK.vpc, *NETWORK.public, *NETWORK.private, *NETWORK.data):
        assert str(network) in text
    for words in ("1 NAT gateway", "0.5-4 ACU", "system: 3 (2-5) Spot", "3 × r6g.large", "1 × t4g.medium"):
        assert words in text
    estate = Estate(templates)
    rules, groups = (estate.count(f"AWS::ElasticLoadBalancingV2::{kind}") for kind in ("ListenerRule", "TargetGroup"))
    assert f"{rules} rules → {groups} target groups" in text
    assert f"{len(templates)} stacks, {estate.resources} resources" in text


def test_a_changed_number_changes_the_drawing(templates: Plain) -> None:
    for body in templates["Data"]["Resources"].values():
        if body["Type"] == "AWS::RDS::DBCluster":
            body["Properties"]["ServerlessV2ScalingConfiguration"]["MaxCapacity"] = 64
    assert "0.5-64 ACU" in text_of(templates)
    three = text_of(copy.deepcopy(dict(synthesize(region=DEFAULT_REGION, nat_gateways=3))))
    assert "3 NAT gateways" in three
    assert "ap-northeast-2" in text_of(copy.deepcopy(dict(synthesize(region="ap-northeast-2"))))


def test_arrows_are_the_security_group_rules(templates: Plain) -> None:
    links = {(link.source, link.target): link.label for link in picture(templates).links}
    assert links["alb", "nodes"] == "8001-8005"
    assert links["nodes", "aurora"] == "5432"
    assert links["nodes", "efs"] == "2049"
    assert links["rotation", "aurora"] == "5432"
    assert (links["vpn", "aurora"], links["vpn", "cluster"]) == ("5432", "443")
    caches = [key for key in card_keys(templates) if "Redis" in key]
    assert [links["nodes", key] for key in caches] == ["6379", "6379"]
    assert not any(source == "alb" and target != "nodes" for source, target in links)
    edges = [key for key in card_keys(templates) if key.startswith("Edge/")]
    assert [links[key, "alb"] for key in edges] == ["/api/* 443"] * 2
    assert [links[key, "buckets"] for key in edges] == ["signed (OAC)"] * 2


def test_a_rule_that_goes_takes_its_arrow(templates: Plain) -> None:
    network = templates["Network"]["Resources"]
    gone = [
        name
        for name, body in network.items()
        if body["Type"] == "AWS::EC2::SecurityGroupIngress" and body["Properties"].get("FromPort") == 2049
    ]
    assert gone
    for name in gone:
        del network[name]
    links = {(link.source, link.target) for link in picture(templates).links}
    assert ("nodes", "efs") not in links
    assert ("nodes", "aurora") in links


def test_an_origin_that_changes_moves_its_arrow(templates: Plain) -> None:
    for body in templates["Edge"]["Resources"].values():
        if body["Type"] == "AWS::CloudFront::Distribution":
            origins = body["Properties"]["DistributionConfig"]["Origins"]
            for origin in origins:
                origin["DomainName"] = "elsewhere.example.com"
    assert not any(link.target in ("alb", "buckets") for link in picture(templates).links)


@pytest.fixture(scope="module", params=range(len(VARIANTS)), ids=lambda number: str(VARIANTS[number]))
def scene(request: pytest.FixtureRequest) -> Scene:
    return arrange(gather(Estate(synthesize(**VARIANTS[request.param]))))


def test_no_box_overlaps_another(scene: Scene) -> None:
    for one, other in itertools.combinations(scene.boxes, 2):
        nested = one.contains(other) or other.contains(one)
        assert nested or not one.overlaps(other), f"{one.name} overlaps {other.name}"
    cards = [box for box in scene.boxes if box.style == "card"]
    for one, other in itertools.combinations(cards, 2):
        assert not one.overlaps(other)
    page = Box(0, 0, scene.width, scene.height, "page")
    assert all(page.contains(box) for box in scene.boxes)


def test_every_text_stands_in_its_box_and_over_no_other(scene: Scene) -> None:
    page = Box(0, 0, scene.width, scene.height, "page")
    for text in scene.texts:
        assert page.contains(text.box), text.text
        for box in scene.boxes:
            inside = box.contains(text.box)
            assert inside or not box.overlaps(text.box) or text.style == "label", f"{text.text!r} leaves {box.name}"
            if text.style == "label" and box.style == "card":
                assert not box.overlaps(text.box), f"{text.text!r} covers {box.name}"
    for one, other in itertools.combinations(scene.texts, 2):
        assert not one.box.overlaps(other.box), f"{one.text!r} covers {other.text!r}"


def test_arrows_cross_neither_cards_nor_texts(scene: Scene) -> None:
    assert scene.arrows
    cards = [box for box in scene.boxes if box.style == "card"]
    for arrow in scene.arrows:
        for piece in arrow.pieces:
            thick = Box(piece.x - 0.5, piece.y - 0.5, piece.width + 1, piece.height + 1, "piece")
            for box in cards:
                if box.name in (arrow.source, arrow.target):
                    inner = Box(box.x + 1, box.y + 1, box.width - 2, box.height - 2, "card")
                    assert not inner.overlaps(thick), f"{piece.name} runs into {box.name}"
                else:
                    assert not box.overlaps(thick), f"{piece.name} crosses {box.name}"
            for text in scene.texts:
                assert not text.box.overlaps(thick), f"{piece.name} crosses {text.text!r}"
        start, end = arrow.points[0], arrow.points[-1]
        assert scene.places[arrow.source].x < start[0] < scene.places[arrow.source].right
        assert scene.places[arrow.target].x < end[0] < scene.places[arrow.target].right


def test_no_two_arrows_run_over_one_another(scene: Scene) -> None:
    for one, other in itertools.combinations(scene.arrows, 2):
        for left, right in itertools.product(one.pieces, other.pieces):
            flat = left.height == right.height == 0 and left.y == right.y
            upright = left.width == right.width == 0 and left.x == right.x
            if flat:
                assert left.right <= right.x or right.right <= left.x, f"{left.name} over {right.name}"
            if upright:
                assert left.bottom <= right.y or right.bottom <= left.y, f"{left.name} over {right.name}"


def test_the_command_draws_a_saved_assembly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import studio.cloud.assembly as module

    found = dict(synthesize(region=DEFAULT_REGION))
    monkeypatch.setattr(module, "load", lambda folder: found)
    target = tmp_path / "drawing.svg"
    assert run(["draw", "--assembly", str(tmp_path), "-o", str(target)]) == Exit.OK
    assert target.read_text() == draw(found)
    assert capsys.readouterr().out.strip() == str(target)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--assembly", ".", "-c", "nat_gateways=3"], "synthesized already"),
        (["-o", "/nowhere/at/all.svg"], "no folder /nowhere/at"),
        (["--assembly", "docs"], "no cloud assembly"),
    ],
)
def test_wrong_usage_is_one_message(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["draw", *arguments]) == Exit.USAGE
    assert words in " ".join(capsys.readouterr().err.split())

"""Settings: what an operator may write, and the one line that answers what cannot be."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from blueprint.regions import REGIONS
from blueprint.rules import RuleError
from stacks.placeholders import CDN_PUBLIC_KEYS
from stacks.settings import Settings, read, unknown

ROOT = Path(__file__).parents[2]
PEM = dict(CDN_PUBLIC_KEYS)["dev-a"]

BAD = [
    ("account", "12345", "must be an AWS account id, 12 digits"),
    ("account", "1234567890123", "must be an AWS account id, 12 digits"),
    ("region", "eu-moon-1", "must be one of us-east-1, ap-northeast-2"),
    ("availability_zones", "us-east-1a,us-east-1b", "must be three"),
    ("availability_zones", "us-east-1a,us-east-1b,us-west-2c", "is not in region us-east-1"),
    ("availability_zones", "us-east-1a,us-east-1a,us-east-1b", "names something twice"),
    ("hosted_zone_id", "studio.pingvas.com", "must be a Route 53 hosted zone id"),
    ("protected", "maybe", "must be true or false"),
    ("nat_gateways", "2", "must be 1 (cost) or 3 (one a zone)"),
    ("vpn_allowed_cidrs", "", "must not be empty"),
    ("vpn_allowed_cidrs", "[]", "must not be empty"),
    ("vpn_allowed_cidrs", "0.0.0.0/0", "is no allow-list"),
    ("vpn_allowed_cidrs", "198.51.100.7/24", "is not an IPv4 range"),
    ("vpn_allowed_cidrs", "198.51.100.0/24,198.51.100.128/25", "overlaps 198.51.100.0/24"),
    ("kubernetes_public_cidrs", "", "must not be empty"),
    ("kubernetes_public_cidrs", "office", "is not an IPv4 range"),
    ("developers", "", "must not be empty"),
    ("developers", "somebody with spaces", "is not an IAM user name"),
    ("github_repository", "studio", "must be owner/name"),
    ("geo_blocked_countries", "Atlantis", "is not an ISO 3166-1 alpha-2 code"),
    ("system_architecture", "mips", "must be one of x86_64, arm64"),
    ("aurora_min_acu", "5", "must not be above aurora_max_acu, which is 4"),
    ("aurora_min_acu", "0", "must be 0.5 or more, or 0 with aurora_auto_pause"),
    ("aurora_min_acu", "0.7", "steps of 0.5"),
    ("aurora_max_acu", "many", "must be a number"),
    ("aurora_max_acu", "nan", "must be a number"),
    ("aurora_max_acu", "500", "must be from 1 to 256"),
    ("replication_region", "us-east-1", "must not be the region itself"),
    ("replication_region", "nowhere", "must be a region"),
    ("slack_workspace_id", "T0123ABCD", "set both or neither"),
    ("slack_channel_id", "#alerts", "must be a Slack channel id"),
    ("cdn_public_keys", "{", "must be an object"),
    ("cdn_public_keys", json.dumps({"dev-a": PEM}), "has no key"),
    ("cdn_public_keys", json.dumps({"dev-a": PEM, "stage-a": PEM}), "is no slot"),
    ("cdn_public_keys", json.dumps({"dev-a": PEM, "prod-a": "-----BEGIN PRIVATE KEY-----"}), "holds a private key"),
    ("cdn_public_keys", json.dumps({"dev-a": PEM, "prod-a": "x"}), "is not a public key in PEM form"),
]


@pytest.mark.parametrize(("name", "value", "rule"), BAD, ids=lambda part: str(part)[:40])
def test_what_cannot_be_is_refused_by_name(name: str, value: str, rule: str) -> None:
    with pytest.raises(RuleError) as refused:
        read({name: value})
    assert refused.value.setting in (name, "aurora_min_acu", "slack_workspace_id")
    assert rule in str(refused.value)
    assert "\n" not in str(refused.value)


def test_nothing_set_is_the_default_of_every_setting() -> None:
    assert read({}) == Settings()
    assert Settings().region == "us-east-1"
    for name, region in REGIONS.items():
        assert read({"region": name}).zones == region.zones


def test_every_setting_can_be_given_as_text_and_as_json() -> None:
    given = {
        "account": "123456789012",
        "region": "ap-northeast-2",
        "availability_zones": ["ap-northeast-2a", "ap-northeast-2b", "ap-northeast-2d"],
        "hosted_zone_id": "Z0123456789ABC",
        "protected": False,
        "nat_gateways": 3,
        "interface_endpoints": True,
        "cloudfront": False,
        "vpn_allowed_cidrs": ["198.51.100.0/24"],
        "kubernetes_public_cidrs": ["198.51.100.0/24", "192.0.2.1/32"],
        "developers": ["one", "two"],
        "github_repository": "owner/name",
        "geo_blocked_countries": [],
        "system_architecture": "arm64",
        "aurora_min_acu": 0,
        "aurora_max_acu": 8,
        "aurora_auto_pause": True,
        "replication_region": "us-west-2",
        "slack_workspace_id": "T0123ABCD",
        "slack_channel_id": "C0123ABCD",
        "pagerduty": True,
        "make_guardduty_detector": False,
        "make_github_oidc_provider": False,
        "make_spot_service_linked_role": False,
        "make_access_analyzer": False,
        "cdn_public_keys": dict(CDN_PUBLIC_KEYS),
    }
    assert set(given) == {field.name for field in fields(Settings)}, "a setting has no example here"
    as_text = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
    assert read(given) == read(as_text)
    commas = {name: ",".join(value) if isinstance(value, list) else value for name, value in given.items()}
    assert read(commas) == read(given)


def test_a_misspelt_setting_is_noticed() -> None:
    context = {"nat_gateway": 3, "region": "us-east-1", "@aws-cdk/core:x": True, "aws:cdk:bundling": 1}
    assert unknown(context) == ["nat_gateway"]


@pytest.mark.parametrize("pair", ["region=nowhere", "vpn_allowed_cidrs=", "nat_gateway=3"])
def test_synthesis_stops_with_one_line(pair: str, tmp_path: Path) -> None:
    name, _, value = pair.partition("=")
    (tmp_path / "context.json").write_text(json.dumps({name: value}))
    done = subprocess.run(
        [sys.executable, ROOT / "app.py"],
        cwd=ROOT,
        env={"CDK_CONTEXT_JSON": json.dumps({name: value}), "CDK_OUTDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"pingvas: {name}")
    assert not list(tmp_path.glob("*.template.json"))


def test_the_file_runs_alone_with_the_projects_own_switches(tmp_path: Path) -> None:
    environment = {"CDK_OUTDIR": str(tmp_path), "CDK_VALIDATION": "false", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, ROOT / "app.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list(tmp_path.glob("*.template.json"))) >= 13

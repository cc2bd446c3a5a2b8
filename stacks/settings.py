"""The operator's settings: CDK context (`-c name=value`, cdk.context.json), checked before anything is made of them."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from ipaddress import IPv4Network
from typing import Any, Literal

from blueprint.data import AURORA
from blueprint.delivery import REPOSITORY
from blueprint.regions import DEFAULT_REGION, GLOBAL_REGION, REGIONS, Region
from blueprint.rules import RuleError, demand
from stacks.placeholders import CDN_PUBLIC_KEYS

ENVIRONMENTS = ("dev", "prod")
_ACCOUNT = re.compile(r"\d{12}")
_ZONE_ID = re.compile(r"Z[A-Z0-9]{5,31}")
_USER = re.compile(r"[\w+=,.@-]{1,64}")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_COUNTRY = re.compile(r"[A-Z]{2}")
_WORKSPACE = re.compile(r"T[A-Z0-9]{6,}")
_CHANNEL = re.compile(r"[CG][A-Z0-9]{6,}")
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/=]+\n)+-----END PUBLIC KEY-----\n?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What differs between one deployment of the platform and another; each field is a context key of its name."""

    account: str | None = None
    """The AWS account, 12 digits. Without it templates are made for any account."""
    region: str = DEFAULT_REGION
    availability_zones: tuple[str, ...] = ()
    """Three zones, one a subnet of each tier; empty: the region's defaults."""
    hosted_zone_id: str | None = None
    """An existing zone for studio.pingvas.com; without it the Dns stack makes one."""
    protected: bool = True
    """Stateful stacks refuse deletion and keep what they hold. False for a trial account."""
    nat_gateways: Literal[1, 3] = 1
    interface_endpoints: bool = False
    """Interface endpoints for ECR, STS, Secrets Manager and Logs in the data subnets."""
    cloudfront: bool = True
    """False opens the load balancer to everybody (80 redirects, 443), for running without CloudFront."""
    vpn_allowed_cidrs: tuple[str, ...] = ("203.0.113.0/24",)
    kubernetes_public_cidrs: tuple[str, ...] = ("203.0.113.0/24",)
    """Who reaches the cluster's public endpoint. The defaults are documentation addresses (RFC 5737): nobody."""
    developers: tuple[str, ...] = ("Developer-A", "Developer-B")
    """IAM users who may assume DevOps-AssumeRole, with MFA and from the VPN."""
    github_repository: str = REPOSITORY
    geo_blocked_countries: tuple[str, ...] = ("CU", "IR", "KP", "SY")
    """ISO 3166-1 alpha-2; empty: no geographic rule."""
    system_architecture: Literal["x86_64", "arm64"] = "x86_64"
    aurora_min_acu: float = AURORA.minimum_acu
    aurora_max_acu: float = AURORA.maximum_acu
    aurora_auto_pause: bool = False
    """Allows aurora_min_acu = 0, where Aurora pauses when nobody is connected; for a dev-only cluster."""
    replication_region: str | None = None
    """Where buckets are copied to; without it they are not."""
    slack_workspace_id: str | None = None
    slack_channel_id: str | None = None
    pagerduty: bool = False
    """Subscribe PagerDuty to critical alarms; its key is in the secret pingvas/shared/pagerduty by then."""
    make_guardduty_detector: bool = True
    make_github_oidc_provider: bool = True
    make_spot_service_linked_role: bool = True
    make_access_analyzer: bool = True
    """Account singletons: false where the account has them already; `./pingvas deploy` looks."""
    cdn_public_keys: tuple[tuple[str, str], ...] = CDN_PUBLIC_KEYS
    """(slot, PEM) pairs, slots `<env>-a` and `<env>-b`: the public halves of the keys that sign picture URLs."""

    @property
    def place(self) -> Region:
        return REGIONS[self.region]

    @property
    def zones(self) -> tuple[str, ...]:
        return self.availability_zones or self.place.zones

    @property
    def global_region(self) -> str:
        return GLOBAL_REGION

    def public_keys(self, environment: str) -> dict[str, str]:
        """The slots of one environment: {"a": PEM, ...}."""
        return {
            slot.removeprefix(f"{environment}-"): pem
            for slot, pem in self.cdn_public_keys
            if slot.startswith(f"{environment}-")
        }


def read(context: Callable[[str], Any] | Mapping[str, Any]) -> Settings:
    """Settings from CDK context; values from the command line are strings, those of files are JSON.

    Raises:
        RuleError: a value cannot be; the message names the context key and the rule.
    """
    get = context.get if isinstance(context, Mapping) else context
    given = {field.name: value for field in fields(Settings) if (value := get(field.name)) is not None}
    settings = Settings(**{name: _READERS[name](name, value) for name, value in given.items()})
    _coherent(settings)
    return settings


def unknown(context: Mapping[str, Any]) -> list[str]:
    """Context keys that are neither ours nor CDK's own."""
    known = {field.name for field in fields(Settings)}
    own = ("@aws-cdk", "aws:", "aws-cdk:", "cdk:", "availability-zones:", "cli-", "nag")
    return sorted(key for key in context if key not in known and not key.startswith(own))


def _text(pattern: re.Pattern[str], rule: str) -> Callable[[str, Any], str]:
    def reader(name: str, value: Any) -> str:
        text = str(value)
        demand(bool(pattern.fullmatch(text)), name, value, rule)
        return text

    return reader


def _choice(*values: str) -> Callable[[str, Any], str]:
    def reader(name: str, value: Any) -> str:
        demand(value in values, name, value, f"must be one of {', '.join(values)}")
        return str(value)

    return reader


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    demand(value in ("true", "false"), name, value, "must be true or false")
    return bool(value == "true")


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    demand(math.isfinite(number), name, value, "must be a number")
    return number


def _json(name: str, value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise RuleError(name, value, f"must be an object or a list in JSON ({error})") from None


def _gateways(name: str, value: Any) -> int:
    demand(str(value) in ("1", "3"), name, value, "must be 1 (cost) or 3 (one a zone)")
    return int(value)


def _items(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = (
            _json(name, value) if value.startswith("[") else [part.strip() for part in value.split(",") if part.strip()]
        )
    demand(isinstance(value, list), name, value, "must be a list, or values parted by commas")
    return tuple(str(one) for one in value)


def _list_of(pattern: re.Pattern[str], rule: str, *, empty: bool = False) -> Callable[[str, Any], tuple[str, ...]]:
    def reader(name: str, value: Any) -> tuple[str, ...]:
        items = _items(name, value)
        demand(bool(items) or empty, name, value, "must not be empty")
        for item in items:
            demand(bool(pattern.fullmatch(item)), name, item, rule)
        demand(len(set(items)) == len(items), name, value, "names something twice")
        return items

    return reader


def _sources(name: str, value: Any) -> tuple[str, ...]:
    items = _items(name, value)
    demand(bool(items), name, value, "must not be empty: an empty allow-list would let nobody in")
    networks = []
    for item in items:
        try:
            network = IPv4Network(item)
        except ValueError as error:
            raise RuleError(name, item, f"is not an IPv4 range in CIDR form ({error})") from None
        demand(network.prefixlen >= 8, name, item, "is wider than /8, which is no allow-list")
        networks.append(network)
    for index, network in enumerate(networks):
        for other in networks[:index]:
            demand(not network.overlaps(other), name, network, f"overlaps {other}")
    return tuple(str(network) for network in networks)


def _keys(name: str, value: Any) -> tuple[tuple[str, str], ...]:
    keys = _json(name, value) if isinstance(value, str) else value
    demand(isinstance(keys, dict), name, "…", "must be an object {slot: PEM}")
    slots = [f"{environment}-{letter}" for environment in ENVIRONMENTS for letter in "ab"]
    for slot, pem in keys.items():
        demand(slot in slots, name, slot, f"is no slot; slots are {', '.join(slots)}")
        demand("PRIVATE" not in str(pem), name, slot, "holds a private key; only public halves belong in a setting")
        demand(bool(_PEM.fullmatch(str(pem))), name, slot, "is not a public key in PEM form")
    for environment in ENVIRONMENTS:
        demand(
            any(slot.startswith(environment) for slot in keys),
            name,
            environment,
            "has no key; pictures could never be opened",
        )
    return tuple(sorted((slot, str(pem)) for slot, pem in keys.items()))


_region = _choice(*REGIONS)
_READERS: dict[str, Callable[[str, Any], Any]] = {
    "account": _text(_ACCOUNT, "must be an AWS account id, 12 digits"),
    "region": _region,
    "availability_zones": _list_of(re.compile(r"[a-z0-9-]+"), "is not an availability zone"),
    "hosted_zone_id": _text(_ZONE_ID, "must be a Route 53 hosted zone id, such as Z0123456789ABC"),
    "protected": _flag,
    "nat_gateways": _gateways,
    "interface_endpoints": _flag,
    "cloudfront": _flag,
    "vpn_allowed_cidrs": _sources,
    "kubernetes_public_cidrs": _sources,
    "developers": _list_of(_USER, "is not an IAM user name"),
    "github_repository": _text(_REPOSITORY, "must be owner/name"),
    "geo_blocked_countries": _list_of(_COUNTRY, "is not an ISO 3166-1 alpha-2 code", empty=True),
    "system_architecture": _choice("x86_64", "arm64"),
    "aurora_min_acu": _number,
    "aurora_max_acu": _number,
    "aurora_auto_pause": _flag,
    "replication_region": _text(re.compile(r"[a-z]{2}(-[a-z]+)+-\d"), "must be a region"),
    "slack_workspace_id": _text(_WORKSPACE, "must be a Slack workspace id, such as T0123ABCD"),
    "slack_channel_id": _text(_CHANNEL, "must be a Slack channel id, such as C0123ABCD"),
    "pagerduty": _flag,
    "make_guardduty_detector": _flag,
    "make_github_oidc_provider": _flag,
    "make_spot_service_linked_role": _flag,
    "make_access_analyzer": _flag,
    "cdn_public_keys": _keys,
}


def _coherent(settings: Settings) -> None:
    """Rules between settings."""
    zones = settings.zones
    demand(len(zones) == 3, "availability_zones", ",".join(zones), "must be three, one a subnet of each tier")
    for zone in zones:
        demand(zone[:-1] == settings.region, "availability_zones", zone, f"is not in region {settings.region}")
    low, high = settings.aurora_min_acu, settings.aurora_max_acu
    for name, value in (("aurora_min_acu", low), ("aurora_max_acu", high)):
        demand((value * 2).is_integer(), name, value, "Aurora's capacity goes in steps of 0.5")
    demand(
        low >= 0.5 or (low == 0 and settings.aurora_auto_pause),
        "aurora_min_acu",
        low,
        "must be 0.5 or more, or 0 with aurora_auto_pause",
    )
    demand(1 <= high <= 256, "aurora_max_acu", high, "must be from 1 to 256")
    demand(low <= high, "aurora_min_acu", low, f"must not be above aurora_max_acu, which is {high:g}")
    demand(
        settings.replication_region != settings.region,
        "replication_region",
        settings.replication_region,
        "must not be the region itself",
    )
    both = (settings.slack_workspace_id is None) == (settings.slack_channel_id is None)
    demand(
        both,
        "slack_workspace_id",
        settings.slack_workspace_id,
        "goes together with slack_channel_id: set both or neither",
    )

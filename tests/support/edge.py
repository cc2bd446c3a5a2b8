"""What a listener, a distribution and a Web ACL of the templates do with a request, by the rules of AWS's guides."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.templates import Resource, Templates


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a viewer. `findings` are rules of AWS's groups that its content would set off, by their names."""

    host: str = "studio.pingvas.com"
    path: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    country: str = "KR"
    requests_in_window: int = 1
    findings: tuple[str, ...] = ()


def glob(pattern: str, text: str) -> bool:
    """ELB's and CloudFront's wildcards: `*` any characters, `?` one; nothing else is special."""
    parts = {"*": ".*", "?": "."}
    return bool(re.fullmatch("".join(parts.get(letter, re.escape(letter)) for letter in pattern), text, re.DOTALL))


class Listener:
    """The HTTPS listener: `target` says which target group takes a request, or the status that refuses it."""

    def __init__(self, templates: Templates) -> None:
        self.resource = templates.one("AWS::ElasticLoadBalancingV2::Listener", Port=443)
        groups = {
            resource.id: resource.properties["Name"]
            for resource in templates.resources("AWS::ElasticLoadBalancingV2::TargetGroup")
        }
        self.rules = sorted(
            (
                (rule.properties["Priority"], rule.properties["Conditions"], self._action(rule, groups))
                for rule in templates.resources("AWS::ElasticLoadBalancingV2::ListenerRule")
            ),
            key=lambda rule: int(rule[0]),
        )
        (action,) = self.resource.properties["DefaultActions"]
        self.default = int(action["FixedResponseConfig"]["StatusCode"])

    @staticmethod
    def _action(rule: Resource, groups: Mapping[str, str]) -> str:
        (action,) = rule.properties["Actions"]
        assert action["Type"] == "forward"
        return groups[action["TargetGroupArn"]["Ref"]]

    def target(self, request: Request) -> str | int:
        for _, conditions, target in self.rules:
            if all(self._holds(condition, request) for condition in conditions):
                return str(target)
        return self.default

    @staticmethod
    def _holds(condition: Mapping[str, Any], request: Request) -> bool:
        match condition["Field"]:
            case "host-header":
                patterns = condition["HostHeaderConfig"]["Values"]
                return any(glob(pattern.lower(), request.host.lower()) for pattern in patterns)
            case "path-pattern":
                return any(glob(pattern, request.path) for pattern in condition["PathPatternConfig"]["Values"])
            case "http-header":
                config = condition["HttpHeaderConfig"]
                sent = {name.lower(): value for name, value in request.headers.items()}
                value = sent.get(config["HttpHeaderName"].lower())
                return value is not None and any(glob(one.lower(), value.lower()) for one in config["Values"])
        raise ValueError(f"no rule of this listener is known to ask for {condition['Field']}")


@dataclass(frozen=True, slots=True)
class Answer:
    """Who answers: an origin of the distribution under a behaviour, with the origin itself."""

    behaviour: Mapping[str, Any]
    origin: Mapping[str, Any]


class Distribution:
    """One environment's distribution."""

    def __init__(self, templates: Templates, host: str) -> None:
        (self.resource,) = [
            resource
            for resource in templates.resources("AWS::CloudFront::Distribution")
            if resource.properties["DistributionConfig"]["Aliases"] == [host]
        ]
        self.config: Mapping[str, Any] = self.resource.properties["DistributionConfig"]
        self.origins = {origin["Id"]: origin for origin in self.config["Origins"]}

    def answer(self, path: str) -> Answer:
        """The first behaviour whose pattern fits, else the default: CloudFront asks in the order of the list."""
        for behaviour in self.config["CacheBehaviors"]:
            pattern = behaviour["PathPattern"]
            if glob(pattern, path) or glob(pattern, path.removeprefix("/")):
                return Answer(behaviour, self.origins[behaviour["TargetOriginId"]])
        default = self.config["DefaultCacheBehavior"]
        return Answer(default, self.origins[default["TargetOriginId"]])

    def status(self, origin_status: int) -> tuple[int, str | None, float]:
        """What becomes of an error: the viewer's status, the page that replaces it, how many seconds it is kept."""
        for response in self.config.get("CustomErrorResponses", ()):
            if response["ErrorCode"] == origin_status:
                status = int(response.get("ResponseCode", origin_status))
                return status, response.get("ResponsePagePath"), float(response.get("ErrorCachingMinTTL", 10))
        return origin_status, None, 10.0


COSTS = {"ByteMatchStatement": 2, "GeoMatchStatement": 1, "LabelMatchStatement": 1, "RateBasedStatement": 2}
"""WCU: WAF developer guide, "AWS WAF rule statements"; a byte match with a wildcard would cost more."""
NO_COST = {"AndStatement", "OrStatement", "NotStatement"}


class WebAcl:
    """The Web ACL: what it does with a request, rule by rule in the order of priorities."""

    def __init__(self, templates: Templates, capacities: Mapping[str, int], labels: Mapping[str, str]) -> None:
        self.resource = templates.one("AWS::WAFv2::WebACL")
        self.rules = sorted(self.resource.properties["Rules"], key=lambda rule: int(rule["Priority"]))
        self.capacities = capacities
        self.labels = labels

    def decide(self, request: Request) -> tuple[str, str, set[str]]:
        """`block` or `allow`, the rule that decided, and the labels that were counted on the way."""
        labels: set[str] = set()
        for rule in self.rules:
            statement = rule["Statement"]
            if group := statement.get("ManagedRuleGroupStatement"):
                if rule["OverrideAction"] == {"None": {}} and self._group_blocks(group, request, labels):
                    return "block", str(rule["Name"]), labels
            elif self._holds(statement, request, labels):
                (action,) = rule["Action"]
                if action != "Count":
                    return str(action).lower(), str(rule["Name"]), labels
        (default,) = self.resource.properties["DefaultAction"]
        return str(default).lower(), "default", labels

    def _group_blocks(self, group: Mapping[str, Any], request: Request, labels: set[str]) -> bool:
        counted = {one["Name"] for one in group.get("RuleActionOverrides", ()) if one["ActionToUse"] == {"Count": {}}}
        for finding in request.findings:
            name, _, rule = finding.partition("/")
            if name != group["Name"]:
                continue
            if rule not in counted:
                return True
            labels.add(self.labels[rule])
        return False

    def _holds(self, statement: Mapping[str, Any], request: Request, labels: set[str]) -> bool:  # noqa: PLR0911 (one line a kind)
        ((kind, what),) = statement.items()
        match kind:
            case "AndStatement":
                return all(self._holds(one, request, labels) for one in what["Statements"])
            case "OrStatement":
                return any(self._holds(one, request, labels) for one in what["Statements"])
            case "NotStatement":
                return not self._holds(what["Statement"], request, labels)
            case "GeoMatchStatement":
                return request.country in what["CountryCodes"]
            case "LabelMatchStatement":
                assert what["Scope"] == "LABEL"
                return what["Key"] in labels
            case "RateBasedStatement":
                counts = self._holds(what["ScopeDownStatement"], request, labels)
                return counts and request.requests_in_window > what["Limit"]
            case "ByteMatchStatement":
                assert what["FieldToMatch"] == {"UriPath": {}}
                assert what["TextTransformations"] == [{"Priority": 0, "Type": "NONE"}]
                wanted = what["SearchString"]
                if what["PositionalConstraint"] == "EXACTLY":
                    return request.path == wanted
                assert what["PositionalConstraint"] == "STARTS_WITH"
                return request.path.startswith(wanted)
        raise ValueError(f"no rule of this Web ACL is known to ask for {kind}")

    def capacity(self) -> int:
        """In WCU."""
        return sum(self._capacity(rule["Statement"]) for rule in self.rules)

    def _capacity(self, statement: Mapping[str, Any]) -> int:
        ((kind, what),) = statement.items()
        if kind == "ManagedRuleGroupStatement":
            return self.capacities[what["Name"]]
        assert kind in COSTS or kind in NO_COST, kind
        inside = [
            *what.get("Statements", ()),
            *(what[key] for key in ("Statement", "ScopeDownStatement") if key in what),
        ]
        return COSTS.get(kind, 0) + sum(self._capacity(one) for one in inside)

"""The way in: what CloudFront, the Web ACL and the load balancer let through, where it goes, and how long they wait.

Seconds unless a name says otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from blueprint.buckets import IMAGE_PREFIX
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.rules import demand
from blueprint.services import GATEWAY_PORT, SERVICES, Service

API_PREFIX = "/api/"
IMAGES_PREFIX = f"/{IMAGE_PREFIX}"
"""Keys of pictures start so in their bucket: path and key are one."""
WEBHOOK_PATHS: Mapping[str, tuple[str, ...]] = MappingProxyType({"payment": ("/api/v1/webhooks/lemon-squeezy",)})
"""By service: where others call us. Calls are signed, and come from abroad or in bursts without being an attack."""
UPLOAD_PATHS = ("/api/v1/generations", "/api/v1/images", "/api/v1/models")
"""Below these, bodies carry pictures, weights and prompts: what looks like an attack there is counted, not blocked."""
HEALTH_PATH = "/readyz"


@dataclass(frozen=True, slots=True)
class OriginHeader:
    """The header by which the load balancer knows our distributions from other people's.

    ELB compares it without regard to case and reads `*` and `?` in it as wildcards, so values are letters and digits.
    """

    name: str = "x-pingvas-origin"
    key: str = "value"
    length: int = 64

    def secret(self, environment: str) -> str:
        """The secret's name in Secrets Manager."""
        return f"pingvas/{environment}/origin-header"

    def reference(self, environment: str) -> str:
        """The value, as CloudFormation resolves it when it makes or changes the resource that names it.

        >>> ORIGIN_HEADER.reference("dev")
        '{{resolve:secretsmanager:pingvas/dev/origin-header:SecretString:value}}'
        """
        return f"{{{{resolve:secretsmanager:{self.secret(environment)}:SecretString:{self.key}}}}}"


@dataclass(frozen=True, slots=True)
class OriginRotation:
    """How the origin header rotates; the secret's own row says how often.

    CloudFront tells that a distribution is deployed after some minutes; the function waits `timeout_seconds` at most,
    Lambda's own longest, and goes on where it stopped when Secrets Manager calls again. The window opens at midnight,
    UTC.
    """

    timeout_seconds: int = 900
    reserve_seconds: int = 30
    poll_seconds: int = 15
    settle_seconds: int = 10
    """ELB changes a rule within seconds; CloudFront is told of a new value only after these."""
    memory_mib: int = 256
    window_hours: int = 4
    log_days: int = 90


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """Timeouts form a chain in which the side that reuses a connection closes it first, or it would send a request into
    a connection that the other side is just closing, which is a 502: CloudFront's keep-alive < the load balancer's idle
    timeout < the services' keep-alive. Event streams live below the idle timeout by their heartbeat. Source: ELB user
    guide, "HTTP 502: Bad gateway", and CloudFront developer guide, "Keep-alive timeout".
    """

    name: str = "pingvas"
    idle_timeout: int = 60
    deregistration_delay: int = 20
    """Below the services' graceful shutdown: no request arrives at a process that has gone."""
    algorithm: str = "least_outstanding_requests"
    """Event streams are open for minutes: counting requests in flight keeps a fresh pod from standing idle."""
    health_interval: int = 10
    health_timeout: int = 5
    healthy_threshold: int = 2
    unhealthy_threshold: int = 3
    tls_policy: str = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"


@dataclass(frozen=True, slots=True)
class Distribution:
    """CloudFront. `price_class` 200 has the edges of Korea and Japan, which 100 has not."""

    price_class: str = "PriceClass_200"
    tls_policy: str = "TLSv1.2_2025"
    http_version: str = "http2and3"
    origin_read_timeout: int = 120
    origin_keep_alive: int = 50
    connection_timeout: int = 5
    connection_attempts: int = 3
    hsts: int = 63_072_000
    """Two years."""
    images_browser_cache: int = 86_400
    """How long a browser keeps a picture that its uploader gave no Cache-Control."""


@dataclass(frozen=True, slots=True)
class ManagedGroup:
    """A rule group of AWS; `bodies` are its rules that read bodies, without the ending that all have.

    Source: WAF developer guide, "AWS Managed Rules rule groups list"; capacities (WCU) too.
    """

    name: str
    capacity: int
    label_prefix: str = ""
    bodies: tuple[str, ...] = ()

    @property
    def body_rules(self) -> tuple[str, ...]:
        return tuple(f"{body}_BODY" for body in self.bodies)

    @property
    def body_labels(self) -> tuple[str, ...]:
        """What each of them leaves on a request that it would have blocked."""
        return tuple(f"awswaf:managed:aws:{self.label_prefix}:{body}_Body" for body in self.bodies)


@dataclass(frozen=True, slots=True)
class Waf:
    """The Web ACL: rules in the order in which they are asked, capacities in WCU."""

    name: str = "pingvas"
    rate_limit: int = 2000
    """Requests of one address within `rate_window`."""
    rate_window: int = 300
    groups: tuple[ManagedGroup, ...] = (
        ManagedGroup("AWSManagedRulesAmazonIpReputationList", 25),
        ManagedGroup("AWSManagedRulesSQLiRuleSet", 200, "sql-database", ("SQLi", "SQLiExtPatterns")),
        ManagedGroup(
            "AWSManagedRulesCommonRuleSet",
            700,
            "core-rule-set",
            ("SizeRestrictions", "EC2MetaDataSSRF", "GenericLFI", "GenericRFI", "CrossSiteScripting"),
        ),
        ManagedGroup(
            "AWSManagedRulesKnownBadInputsRuleSet",
            200,
            "known-bad-inputs",
            ("JavaDeserializationRCE", "Log4JRCE"),
        ),
    )
    order: tuple[str, ...] = (
        "geography",
        "AWSManagedRulesAmazonIpReputationList",
        "rate",
        "AWSManagedRulesSQLiRuleSet",
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
        "bodies",
    )
    capacity: int = 1500
    """What a Web ACL may weigh before AWS asks for more money."""
    log_group: str = "aws-waf-logs-pingvas"
    log_days: int = 90
    redacted_headers: tuple[str, ...] = ("authorization", "cookie", "x-api-key")

    def priority(self, rule: str) -> int:
        """Tens, so that a rule can be put between two.

        >>> WAF.priority("rate")
        30
        """
        return 10 * (self.order.index(rule) + 1)


ORIGIN_HEADER = OriginHeader()
ORIGIN_ROTATION = OriginRotation()
LOAD_BALANCER = LoadBalancer()
DISTRIBUTION = Distribution()
WAF = Waf()


@dataclass(frozen=True, slots=True)
class Route:
    """One listener rule: a path and everything below it, on one host, to one target group."""

    environment: str
    host: str
    service: str
    path: str
    priority: int

    @property
    def patterns(self) -> tuple[str, str]:
        """Host, these two and two header values are ELB's five condition values of a rule."""
        return self.path, f"{self.path}/*"


def target_group(environment: str, service: str) -> str:
    """The target group's fixed name.

    >>> target_group("dev", "user")
    'dev-user-service'
    """
    return f"{environment}-{service}-service"


_RULES_MAXIMUM = 100
_BLOCK, _DOCS, _PREFIXES, _WEBHOOKS = 100, 0, 1, 80


def routes(
    environments: Sequence[Environment] = CLUSTER_ENVIRONMENTS, services: Mapping[str, Service] = SERVICES
) -> tuple[Route, ...]:
    """Every rule of the listener.

    A priority follows from environment, port and the path's place within its service, so that another service or
    another path at the end of a service's list changes no other rule: ELB refuses a number that is still taken.

    Raises:
        RuleError: one service's path lies below another's, two services share a number, or ELB allows fewer rules.
    """
    made = []
    for block, environment in enumerate(environments, start=1):
        for service in services.values():
            base = block * 10_000 + (service.port - GATEWAY_PORT) * _BLOCK
            paths = {base + _DOCS: service.docs_path}
            paths |= {base + _PREFIXES + at: path for at, path in enumerate(service.path_prefixes)}
            paths |= {base + _WEBHOOKS + at: path for at, path in enumerate(WEBHOOK_PATHS.get(service.name, ()))}
            made += [
                Route(environment.name, environment.host, service.name, path, priority)
                for priority, path in paths.items()
            ]
    _check(made)
    return tuple(made)


def _check(made: Sequence[Route]) -> None:
    demand(len(made) <= _RULES_MAXIMUM, "listener rules", len(made), f"ELB allows {_RULES_MAXIMUM} a load balancer")
    priorities = [route.priority for route in made]
    demand(len(set(priorities)) == len(priorities), "listener rules", priorities, "two share a priority")
    for route in made:
        demand(route.path.startswith(API_PREFIX), "path", route.path, f"CloudFront sends {API_PREFIX}* alone this way")
        for other in made:
            demand(
                route is other or route.host != other.host or not f"{route.path}/".startswith(f"{other.path}/"),
                "path",
                route.path,
                f"of {route.service} lies below {other.path} of {other.service}, which would get its requests",
            )

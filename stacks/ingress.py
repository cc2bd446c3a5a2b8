"""The load balancer, its certificate, rules and ten target groups."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_route53 as route53
from constructs import Construct

from blueprint import contract
from blueprint.buckets import LOG_PREFIXES, LOGS_BUCKET
from blueprint.edge import HEALTH_PATH, LOAD_BALANCER, ORIGIN_HEADER, routes, target_group
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.services import SERVICES
from stacks.components.certificate import certificate
from stacks.components.names import bucket_name
from stacks.components.stack import PlatformStack
from stacks.dns import DnsStack
from stacks.network import NetworkStack
from stacks.security import SecurityStack
from stacks.settings import Settings
from stacks.storage import StorageStack

_Attribute = TypeVar("_Attribute")


class IngressStack(PlatformStack):
    """`alb`, its `listener`, and `target_groups` by (environment, service).

    With CloudFront every rule demands the environment's origin header, and what no rule takes is refused, so that
    neither the load balancer's address nor another distribution leads in. Without CloudFront the hosts point here, and
    port 80 redirects.

    The header's value is a dynamic reference. CloudFormation resolves it when it makes or changes the rule that holds
    it and leaves the rule alone otherwise, so that what a rotation wrote stays; stacks/functions/rotate_origin_header
    tells what a deployment does to a rotation.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        settings: Settings,
        network: NetworkStack,
        dns: DnsStack,
        security: SecurityStack,
        storage: StorageStack,
    ) -> None:
        super().__init__(scope, "Ingress", settings=settings, description="load balancer and target groups")
        self.add_stack_dependency(security, "the rules name the origin headers' secrets")
        self.add_stack_dependency(storage, "the logs bucket has to let the load balancer write")
        self.alb = self._load_balancer(network)
        self.target_groups: Mapping[tuple[str, str], elbv2.CfnTargetGroup] = {
            (environment.name, service): self._target_group(network, environment.name, service)
            for environment in CLUSTER_ENVIRONMENTS
            for service in SERVICES
        }
        self.listener = self._listener(dns)
        self._rules()
        if not settings.cloudfront:
            self._open(dns)
        for (environment, service), group in self.target_groups.items():
            self.tag_environment(group, environment)
            self.publish(contract.target_group(environment, service), group.ref)

    def _load_balancer(self, network: NetworkStack) -> elbv2.CfnLoadBalancer:
        logs = bucket_name(LOGS_BUCKET, self.settings)
        return elbv2.CfnLoadBalancer(
            self,
            "Alb",
            name=LOAD_BALANCER.name,
            type="application",
            scheme="internet-facing",
            ip_address_type="ipv4",
            subnets=[subnet.subnet_id for subnet in network.tier("public")],
            security_groups=[network.groups.alb.security_group_id],
            load_balancer_attributes=_attributes(
                elbv2.CfnLoadBalancer.LoadBalancerAttributeProperty,
                {
                    "deletion_protection.enabled": self.settings.protected,
                    "idle_timeout.timeout_seconds": LOAD_BALANCER.idle_timeout,
                    "routing.http2.enabled": True,
                    "routing.http.drop_invalid_header_fields.enabled": True,
                    "routing.http.desync_mitigation_mode": "defensive",
                    "routing.http.preserve_host_header.enabled": True,
                    "routing.http.xff_header_processing.mode": "append",
                    "access_logs.s3.enabled": True,
                    "access_logs.s3.bucket": logs,
                    "access_logs.s3.prefix": LOG_PREFIXES.alb,
                    "connection_logs.s3.enabled": True,
                    "connection_logs.s3.bucket": logs,
                    "connection_logs.s3.prefix": LOG_PREFIXES.alb,
                },
            ),
        )

    def _target_group(self, network: NetworkStack, environment: str, service: str) -> elbv2.CfnTargetGroup:
        return elbv2.CfnTargetGroup(
            self,
            f"Targets-{environment}-{service}",
            name=target_group(environment, service),
            vpc_id=network.vpc.vpc_id,
            target_type="ip",
            protocol="HTTP",
            protocol_version="HTTP1",
            port=SERVICES[service].port,
            health_check_path=HEALTH_PATH,
            health_check_interval_seconds=LOAD_BALANCER.health_interval,
            health_check_timeout_seconds=LOAD_BALANCER.health_timeout,
            healthy_threshold_count=LOAD_BALANCER.healthy_threshold,
            unhealthy_threshold_count=LOAD_BALANCER.unhealthy_threshold,
            matcher=elbv2.CfnTargetGroup.MatcherProperty(http_code="200"),
            target_group_attributes=_attributes(
                elbv2.CfnTargetGroup.TargetGroupAttributeProperty,
                {
                    "deregistration_delay.timeout_seconds": LOAD_BALANCER.deregistration_delay,
                    "load_balancing.algorithm.type": LOAD_BALANCER.algorithm,
                    "stickiness.enabled": False,
                },
            ),
        )

    def _listener(self, dns: DnsStack) -> elbv2.CfnListener:
        self.certificate = certificate(self, dns=dns)
        return elbv2.CfnListener(
            self,
            "Https",
            load_balancer_arn=self.alb.ref,
            port=443,
            protocol="HTTPS",
            ssl_policy=LOAD_BALANCER.tls_policy,
            certificates=[elbv2.CfnListener.CertificateProperty(certificate_arn=self.certificate.ref)],
            default_actions=[
                {
                    "type": "fixed-response",
                    "fixedResponseConfig": {
                        "statusCode": "403",
                        "contentType": "application/json",
                        "messageBody": '{"type":"about:blank","title":"Forbidden","status":403}',
                    },
                }
            ],
            listener_attributes=_attributes(
                elbv2.CfnListener.ListenerAttributeProperty, {"routing.http.response.server.enabled": False}
            ),
        )

    def _rules(self) -> None:
        for route in routes():
            elbv2.CfnListenerRule(
                self,
                f"Rule-{route.environment}-{route.path}",
                listener_arn=self.listener.ref,
                priority=route.priority,
                conditions=[
                    {"field": "host-header", "hostHeaderConfig": {"values": [route.host]}},
                    {"field": "path-pattern", "pathPatternConfig": {"values": list(route.patterns)}},
                    *self._header(route.environment),
                ],
                actions=[
                    {
                        "type": "forward",
                        "targetGroupArn": self.target_groups[route.environment, route.service].ref,
                    }
                ],
            )

    def _header(self, environment: str) -> list[dict[str, object]]:
        if not self.settings.cloudfront:
            return []
        values = [ORIGIN_HEADER.reference(environment)]
        config = {"httpHeaderName": ORIGIN_HEADER.name, "values": values}
        return [{"field": "http-header", "httpHeaderConfig": config}]

    def _open(self, dns: DnsStack) -> None:
        """The way in without CloudFront."""
        elbv2.CfnListener(
            self,
            "Http",
            load_balancer_arn=self.alb.ref,
            port=80,
            protocol="HTTP",
            default_actions=[
                {
                    "type": "redirect",
                    "redirectConfig": {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"},
                }
            ],
        )
        for environment in CLUSTER_ENVIRONMENTS:
            route53.CfnRecordSet(
                self,
                f"Alias-{environment.name}",
                hosted_zone_id=dns.zone.hosted_zone_id,
                name=environment.host,
                type="A",
                alias_target=route53.CfnRecordSet.AliasTargetProperty(
                    dns_name=self.alb.attr_dns_name,
                    hosted_zone_id=self.alb.attr_canonical_hosted_zone_id,
                    evaluate_target_health=True,
                ),
            )


def _attributes(kind: Callable[..., _Attribute], values: Mapping[str, object]) -> list[_Attribute]:
    """ELB's key-value pairs; its flags are words."""
    return [
        kind(key=key, value=str(value).lower() if isinstance(value, bool) else str(value))
        for key, value in values.items()
    ]

"""A CloudFront distribution an environment, and the names that lead to it."""

from collections.abc import Mapping

from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_route53 as route53
from constructs import Construct

from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from stacks.components.distribution import Distribution, Shared
from stacks.components.regions import reference
from stacks.components.stack import PlatformStack
from stacks.dns import DnsStack
from stacks.edge_global import EdgeGlobalStack
from stacks.ingress import IngressStack
from stacks.security import SecurityStack
from stacks.settings import Settings
from stacks.storage import bucket_name

_CLOUDFRONT_ZONE = "Z2FDTNDATAQYW2"
"""Route 53's hosted zone of every CloudFront distribution (AWS General Reference)."""


class EdgeStack(PlatformStack):
    """`distributions` by environment; empty without CloudFront."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: Settings,
        dns: DnsStack,
        security: SecurityStack,
        ingress: IngressStack,
        edge_global: EdgeGlobalStack,
    ) -> None:
        super().__init__(
            scope,
            "Edge",
            settings=settings,
            description="CloudFront distributions",
        )
        self.distributions: Mapping[str, cloudfront.CfnDistribution] = {}
        if edge_global.certificate is None or edge_global.web_acl is None:
            return
        self.add_stack_dependency(security, "origins carry the origin headers' secrets")
        shared = Shared(self, "Shared")
        made = {
            environment.name: Distribution(
                self,
                f"Distribution-{environment.name}",
                environment=environment,
                shared=shared,
                public_keys=settings.public_keys(environment.name),
                assets=bucket_name("pingvas-assets", settings),
                images=bucket_name(f"pingvas-{environment.name}-images", settings),
                load_balancer=ingress.alb.attr_dns_name,
                certificate=reference(edge_global.certificate.ref, of=edge_global, to=self),
                web_acl=reference(edge_global.web_acl.attr_arn, of=edge_global, to=self),
            )
            for environment in CLUSTER_ENVIRONMENTS
        }
        self.distributions = {name: one.resource for name, one in made.items()}
        for environment in CLUSTER_ENVIRONMENTS:
            self._names(dns, environment)
            self.publish(f"cdn/{environment.name}/distribution-id", made[environment.name].resource.ref)
            self.publish(f"cdn/{environment.name}/key-group-id", made[environment.name].key_group.ref)

    def _names(self, dns: DnsStack, environment: Environment) -> None:
        """A and AAAA, and HTTPS, by which a browser asks for HTTP/3 at once."""
        for kind in ("A", "AAAA", "HTTPS"):
            route53.CfnRecordSet(
                self,
                f"Alias-{environment.name}-{kind}",
                hosted_zone_id=dns.zone.hosted_zone_id,
                name=environment.host,
                type=kind,
                alias_target=route53.CfnRecordSet.AliasTargetProperty(
                    dns_name=self.distributions[environment.name].attr_domain_name, hosted_zone_id=_CLOUDFRONT_ZONE
                ),
            )

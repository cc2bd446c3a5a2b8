"""A CloudFront distribution an environment, and the names that lead to it."""

from collections.abc import Mapping

from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_route53 as route53
from constructs import Construct

from blueprint.buckets import ASSETS_BUCKET, image_bucket
from blueprint.edge import ORIGIN_HEADER
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from stacks.components.distribution import Distribution, Shared
from stacks.components.names import bucket_name
from stacks.components.origin_rotation import OriginHeaderRotation
from stacks.components.regions import reference
from stacks.components.stack import PlatformStack
from stacks.dns import DnsStack
from stacks.edge_global import EdgeGlobalStack
from stacks.ingress import IngressStack
from stacks.network import NetworkStack
from stacks.security import SecurityStack
from stacks.settings import Settings

_CLOUDFRONT_ZONE = "Z2FDTNDATAQYW2"
"""Route 53's hosted zone of every CloudFront distribution (AWS General Reference)."""


class EdgeStack(PlatformStack):
    """`distributions`, and the `rotations` of their origin headers, by environment."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: Settings,
        network: NetworkStack,
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
        self.rotations: dict[str, OriginHeaderRotation] = {}
        web_acl = reference(edge_global.web_acl.attr_arn, of=edge_global, to=self)
        self.add_stack_dependency(security, "origins carry the origin headers' secrets")
        shared = Shared(self, "Shared")
        made = {
            environment.name: Distribution(
                self,
                f"Distribution-{environment.name}",
                environment=environment,
                shared=shared,
                public_keys=settings.public_keys(environment.name),
                assets=bucket_name(ASSETS_BUCKET, settings),
                images=bucket_name(image_bucket(environment.name), settings),
                load_balancer=ingress.alb.attr_dns_name,
                certificate=reference(edge_global.certificate.ref, of=edge_global, to=self),
                web_acl=web_acl,
            )
            for environment in CLUSTER_ENVIRONMENTS
        }
        self.distributions: Mapping[str, cloudfront.CfnDistribution] = {
            name: one.resource for name, one in made.items()
        }
        for environment in CLUSTER_ENVIRONMENTS:
            self.tag_environment(made[environment.name], environment.name)
            self._names(dns, environment)
            self.rotations[environment.name] = OriginHeaderRotation(
                self,
                f"Rotation-{environment.name}",
                environment=environment,
                secret=security.secrets[ORIGIN_HEADER.secret(environment.name)].secret_arn,
                secrets_key=security.keys.secrets,
                logs_key=network.logs_key,
                listener=ingress.listener.ref,
                distribution=made[environment.name].resource.ref,
                web_acl=web_acl,
            )
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

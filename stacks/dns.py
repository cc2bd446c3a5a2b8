"""The hosted zone: first, since certificates hang until the zone is delegated to it."""

from aws_cdk import aws_route53 as route53
from constructs import Construct

from blueprint.environments import PROD
from stacks.components.stack import PlatformStack
from stacks.settings import Settings


class DnsStack(PlatformStack):
    """The zone studio.pingvas.com, made here or, with `hosted_zone_id`, taken as it is."""

    def __init__(self, scope: Construct, *, settings: Settings) -> None:
        super().__init__(scope, "Dns", settings=settings, description="hosted zone", stateful=True)
        self.zone: route53.IHostedZone
        if settings.hosted_zone_id:
            self.zone = route53.HostedZone.from_hosted_zone_attributes(
                self, "Zone", hosted_zone_id=settings.hosted_zone_id, zone_name=PROD.host
            )
        else:
            zone = route53.PublicHostedZone(self, "Zone", zone_name=PROD.host)
            zone.apply_removal_policy(self.removal)
            self.zone = zone
        self.publish("dns/zone-id", self.zone.hosted_zone_id)

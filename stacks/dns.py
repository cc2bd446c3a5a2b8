"""The hosted zone: first, since certificates hang until the zone is delegated to it."""

from aws_cdk import CfnOutput, Fn
from aws_cdk import aws_route53 as route53
from constructs import Construct

from blueprint.environments import PROD
from blueprint.network import CERTIFICATE_AUTHORITIES
from stacks.components.stack import PlatformStack
from stacks.settings import Settings

CAA_TTL_SECONDS = 3600


class DnsStack(PlatformStack):
    """The zone studio.pingvas.com, made here or, with `hosted_zone_id`, taken as it is. The host of dev lies in it.

    A zone made here says who may issue certificates below it, and its name servers leave as the output NameServers,
    which whoever runs pingvas.com delegates to. A zone that is taken keeps its own records.
    """

    def __init__(self, scope: Construct, *, settings: Settings) -> None:
        super().__init__(scope, "Dns", settings=settings, description="hosted zone", stateful=True)
        self.zone: route53.IHostedZone
        if settings.hosted_zone_id:
            self.zone = route53.HostedZone.from_hosted_zone_attributes(
                self, "Zone", hosted_zone_id=settings.hosted_zone_id, zone_name=PROD.host
            )
        else:
            self.zone = self._make()
        self.publish("dns/zone-id", self.zone.hosted_zone_id)

    def _make(self) -> route53.PublicHostedZone:
        zone = route53.PublicHostedZone(self, "Zone", zone_name=PROD.host)
        zone.apply_removal_policy(self.removal)
        for host, authority in CERTIFICATE_AUTHORITIES.items():
            route53.CfnRecordSet(
                self,
                f"Caa-{host}",
                hosted_zone_id=zone.hosted_zone_id,
                name=f"{host}.",
                type="CAA",
                ttl=str(CAA_TTL_SECONDS),
                resource_records=[f'0 issue "{authority}"', '0 issuewild ";"'],
            )
        servers = zone.hosted_zone_name_servers
        if servers:
            CfnOutput(
                self,
                "NameServers",
                value=Fn.join(",", servers),
                description=f"Delegate {PROD.host} to these, in the zone above it",
            )
        return zone

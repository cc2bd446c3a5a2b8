"""The certificate of every host of the platform; CloudFront and the load balancer each want one in their own region."""

from aws_cdk import aws_certificatemanager as acm

from blueprint.environments import CLUSTER_ENVIRONMENTS
from stacks.components.regions import reference
from stacks.components.stack import PlatformStack
from stacks.dns import DnsStack


def certificate(stack: PlatformStack, *, dns: DnsStack) -> acm.CfnCertificate:
    """One certificate of both hosts, proven by records that ACM writes into the zone.

    Making it waits until the zone is delegated: DNS proves nothing before that.
    """
    zone = reference(dns.zone.hosted_zone_id, of=dns, to=stack)
    hosts = [one.host for one in reversed(CLUSTER_ENVIRONMENTS)]
    return acm.CfnCertificate(
        stack,
        "Certificate",
        domain_name=hosts[0],
        subject_alternative_names=hosts[1:],
        validation_method="DNS",
        domain_validation_options=[
            acm.CfnCertificate.DomainValidationOptionProperty(domain_name=host, hosted_zone_id=zone) for host in hosts
        ],
        certificate_transparency_logging_preference="ENABLED",
    )

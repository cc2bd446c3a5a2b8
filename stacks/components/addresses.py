"""Subnets exactly where the blueprint draws them; CDK's own allocator would count up from 10.0.0.0."""

from collections import Counter

import jsii
from aws_cdk import aws_ec2 as ec2

from blueprint.network import NETWORK


@jsii.implements(ec2.IIpAddresses)
class BlueprintAddresses:
    """Gives the n-th subnet of a tier the n-th range of the tier of that name in `blueprint.network`."""

    def allocate_vpc_cidr(self) -> ec2.VpcIpamOptions:
        return ec2.VpcIpamOptions(cidr_block=str(NETWORK.vpc))

    def allocate_subnets_cidr(self, request: ec2.AllocateCidrRequest) -> ec2.SubnetIpamOptions:
        count: Counter[str] = Counter()
        allocated = []
        for subnet in request.requested_subnets:
            tier = subnet.configuration.name
            allocated.append(ec2.AllocatedSubnet(cidr=str(getattr(NETWORK, tier)[count[tier]])))
            count[tier] += 1
        return ec2.SubnetIpamOptions(allocated_subnets=allocated)

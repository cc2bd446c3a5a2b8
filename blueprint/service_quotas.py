"""What the account must have been given by AWS (Service Quotas) before the cluster reaches its maxima. vCPUs."""

from dataclasses import dataclass

from blueprint.cluster import SYSTEM, SystemNodes
from blueprint.network import ZONES
from blueprint.pools import GENERAL, GPU, Pool


@dataclass(frozen=True, slots=True)
class ServiceQuota:
    """A quota of the account (Service Quotas) in the region, and what the platform reaches at its maxima."""

    service: str
    code: str
    name: str
    needed: int
    why: str


UPDATE_SURGE = 2 * ZONES
"""System nodes that an update may start beside those there are, two a zone (EKS user guide, "Understand each phase of
node updates")."""


def service_quotas(
    *, system: SystemNodes = SYSTEM, gpu: Pool = GPU, general: Pool = GENERAL
) -> tuple[ServiceQuota, ...]:
    """Spot quotas, in vCPUs, that the maxima need; new accounts have 0 of the first and little of the second.

    >>> [(one.code, one.needed) for one in service_quotas()]
    [('L-3819A6DF', 80), ('L-34B43A08', 74)]
    """
    largest = max(one.cpu // one.gpu for one in gpu.types)
    nodes = max(one.cpu for types in system.types.values() for one in types)
    return (
        ServiceQuota(
            "ec2",
            "L-3819A6DF",
            "All G and VT Spot Instance Requests",
            min(gpu.cpu, gpu.gpu * largest),
            f"{gpu.gpu} GPUs on nodes of up to {largest} vCPUs",
        ),
        ServiceQuota(
            "ec2",
            "L-34B43A08",
            "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
            general.cpu + (system.maximum + UPDATE_SURGE) * nodes,
            f"{general.cpu} vCPUs of the general pool, {system.maximum} system nodes, {UPDATE_SURGE} more in an update",
        ),
    )

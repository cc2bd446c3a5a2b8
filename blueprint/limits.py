"""The maxima against what is given: system nodes, quotas, pools, addresses, database connections, the account."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from blueprint.addons import ADDONS
from blueprint.allocatable import daemons
from blueprint.components import PRIORITY, PRIORITY_CLASS, Place
from blueprint.connections import admitted
from blueprint.instances import InstanceType
from blueprint.loads import Load, Plan
from blueprint.maxima import maxima, workers_maximum
from blueprint.network import ZONES
from blueprint.service_quotas import UPDATE_SURGE, service_quotas

RESERVED_ADDRESSES = 5
"""Of a subnet, kept by AWS (VPC user guide, "Subnet CIDR blocks")."""
CONTROL_PLANE_ADDRESSES = 6
"""Of a subnet, for the control plane's interfaces (EKS user guide, "VPC and subnet considerations")."""
READ_AS_WORKER = ("generation", "gallery", "model")
"""Services whose processes keep a second pool, as the role that sees every tenant."""
WORKER_CONNECTIONS = 6
"""What a GPU worker's engine opens at most."""
MIGRATION_CONNECTIONS = 3
RESERVED_CONNECTIONS = 20
"""Of those that Aurora admits, for AWS and for people."""
ON_NODE_ADDRESS = ("aws-node", "kube-proxy", "eks-pod-identity-agent", "efs-csi-node", "node-exporter")
"""DaemonSets whose pods have the node's address instead of one of their own (hostNetwork)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One number against another; `given` is None for a part of a sum. `ok` is None where only the account can tell.

    `setting` and its `value` are what to change, `rule` the sentence that says what it breaks.
    """

    topic: str
    what: str
    asked: float
    given: float | None
    unit: str
    ok: bool | None
    setting: str = ""
    value: object = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Nodes:
    """How many nodes of one type hold all that a pool is asked for at the maxima.

    `pods` is the fullest node's count, DaemonSets included. For GPUs it is as many nodes as the pool may have.
    """

    place: Place
    pool: str
    type: InstanceType
    count: int
    pods: int

    @property
    def cpu(self) -> int:
        return self.count * self.type.cpu

    @property
    def memory_gib(self) -> int:
        return self.count * self.type.memory_gib


def system(plan: Plan, packed: Sequence[Nodes]) -> Iterable[Check]:
    """What must run before Karpenter does fits the minimum, and the desired number without one node or one zone."""
    topic, group = "system nodes", plan.system
    most = max((one for one in packed if one.place == "system"), key=lambda one: one.count)
    needed = most.count
    yield Check(
        topic=topic,
        what=f"what runs before Karpenter, of the minimum ({most.type.name})",
        asked=needed,
        given=group.minimum,
        unit="nodes",
        ok=needed <= group.minimum,
        setting="cluster.system.minimum",
        value=group.minimum,
        rule=f"does not hold what must run before Karpenter does: {needed} nodes of {most.type.name} do",
    )
    yield Check(
        topic=topic,
        what="and one to lose, of the desired number",
        asked=needed + 1,
        given=group.desired,
        unit="nodes",
        ok=needed + 1 == group.desired,
        setting="cluster.system.desired",
        value=group.desired,
        rule=f"must be {needed + 1}: {needed} nodes of {most.type.name} hold what must run, and one may be lost",
    )
    left = group.desired - ceil(group.desired / ZONES)
    yield Check(
        topic=topic,
        what="of those left without a zone",
        asked=needed,
        given=left,
        unit="nodes",
        ok=needed <= left,
        setting="cluster.system.desired",
        value=group.desired,
        rule=f"leaves {left} nodes when a zone is lost, and what must run takes {needed}",
    )
    highest = max(plan.environments, key=lambda one: one.priority)
    yield Check(
        topic=topic,
        what=f"priority of {highest.priority_class}, below {PRIORITY_CLASS}",
        asked=highest.priority,
        given=PRIORITY,
        unit="",
        ok=highest.priority < PRIORITY,
        setting=f"environments.{highest.name}.priority",
        value=highest.priority,
        rule=f"must be below that of {PRIORITY_CLASS}, {PRIORITY}, or services evict what the cluster lives on",
    )


def quotas(plan: Plan) -> Iterable[Check]:
    """Each namespace at its maxima, while a rollout and a migration run, against its ResourceQuota."""
    for one in plan.environments:
        if one.quota is None:
            continue
        most = maxima(one, services=plan.services, worker=plan.worker)
        what = f"{most.replicas} replicas a service, {most.workers} workers, a migration"
        for field, unit in (("cpu", "cores"), ("memory_gib", "GiB"), ("gpu", "GPUs"), ("pods", "pods")):
            wants, has = getattr(most, field), getattr(one.quota, field)
            yield Check(
                topic=f"quota of {one.name}",
                what=what if field == "cpu" else "the same",
                asked=wants,
                given=has,
                unit=unit,
                ok=wants <= has,
                setting=f"environments.{one.name}.quota.{field}",
                value=has,
                rule=f"smaller than the maxima: {what} ask for {wants:g} {unit}",
            )


def pools(plan: Plan, packed: Sequence[Nodes]) -> Iterable[Check]:
    """Nodes at the maxima against the limits of Karpenter's pools, on whichever type takes the most."""
    for pool, place in ((plan.general, "general"), (plan.gpu, "gpu")):
        for field, unit in (("cpu", "vCPUs"), ("memory_gib", "GiB")):
            most = max((one for one in packed if one.place == place), key=lambda one: getattr(one, field))
            wants, has = getattr(most, field), getattr(pool, field)
            yield Check(
                topic=f"pool {pool.name}",
                what=f"{most.count} nodes of {most.type.name}",
                asked=wants,
                given=has,
                unit=unit,
                ok=wants <= has,
                setting=f"cluster.{pool.name}.{field}",
                value=has,
                rule=f"smaller than the maxima: {most.count} nodes of {most.type.name} have {wants} {unit}",
            )
    gpus = plan.gpu.gpu
    for one in plan.environments:
        wants = workers_maximum(one, plan.gpu) * plan.worker.gpu
        yield Check(
            topic=f"pool {plan.gpu.name}",
            what=f"KEDA's maximum of {one.name}",
            asked=wants,
            given=gpus,
            unit="GPUs",
            ok=1 <= wants <= gpus,
            setting=f"environments.{one.name}.workers.maximum",
            value=one.workers.maximum,
            rule=f"asks for {wants} GPUs of a pool that has {gpus}",
        )


def addresses(plan: Plan, every: Sequence[Load]) -> Iterable[Check]:
    """Addresses of the private subnets, with every pool at its limit and an update of the system nodes under way."""
    system_nodes = plan.system.maximum + UPDATE_SURGE
    groups: tuple[tuple[Place, str, int | None], ...] = (
        ("system", f"{system_nodes} system nodes, {UPDATE_SURGE} of them an update's", system_nodes),
        ("general", f"all nodes that the limits of {plan.general.name} allow", None),
        ("gpu", f"all nodes that the limits of {plan.gpu.name} allow", None),
    )
    taken = 0
    for place, what, fixed in groups:
        pods = sum(load.count for load in every if load.place == place)
        worst = 0
        for one in plan.types(place):
            worst = max(worst, most_addresses(plan, one, place, fixed or _limit(plan, one, place), pods))
        taken += worst
        yield Check(topic="addresses", what=what, asked=worst, given=None, unit="addresses", ok=True)
    ranges = plan.network.private
    kept = RESERVED_ADDRESSES + CONTROL_PLANE_ADDRESSES
    given = sum(one.num_addresses - kept for one in ranges)
    yield Check(
        topic="addresses",
        what=f"together, of {len(ranges)} private subnets",
        asked=taken,
        given=given,
        unit="addresses",
        ok=taken <= given,
        setting="network.private",
        value=", ".join(map(str, ranges)),
        rule=f"{given} addresses are too few: nodes and pods at their maxima take up to {taken}",
    )


def most_addresses(plan: Plan, one: InstanceType, place: Place, nodes: int, pods: int) -> int:
    """The most addresses that so many nodes of a type take, however `pods` are spread over them.

    The VPC CNI keeps WARM_IP_TARGET addresses free and no fewer than MINIMUM_IP_TARGET in all; each interface has one
    more of its own (amazon-vpc-cni-k8s, "ENI and IP target").
    """
    running = daemons(place, plan.components)
    own = sum(daemon.name not in ON_NODE_ADDRESS for daemon in running)
    empty = _held(one, own)
    free = one.gpu // plan.worker.gpu if place == "gpu" else one.pods - len(running)
    # The steepest rise over an empty node bounds every node, so it bounds their sum.
    rise = max(((_held(one, own + count) - empty) / count for count in range(1, free + 1)), default=0.0)
    return nodes * empty + ceil(min(pods, nodes * free) * rise)


def _held(one: InstanceType, pods: int) -> int:
    """Addresses of one node whose pods have `pods` addresses of their own."""
    minimum, warm = _targets()
    each = one.addresses - 1
    secondary = min(max(minimum, pods + warm), one.interfaces * each)
    return secondary + ceil(secondary / each)


def _targets() -> tuple[int, int]:
    """MINIMUM_IP_TARGET and WARM_IP_TARGET of the CNI."""
    env = next(one for one in ADDONS if one.name == "vpc-cni").configuration["env"]
    return int(env["MINIMUM_IP_TARGET"]), int(env["WARM_IP_TARGET"])


def _limit(plan: Plan, one: InstanceType, place: Place) -> int:
    """Nodes of a type that a pool's limits let it have."""
    if place == "gpu":
        return plan.gpu.gpu // one.gpu
    return min(plan.general.cpu // one.cpu, plan.general.memory_gib // one.memory_gib)


def connections(plan: Plan) -> Check:
    """Connections to Aurora's writer: a pool a process and role, with both environments rolling out."""
    pools_of_services = len(plan.services) + len(READ_AS_WORKER)
    wants = sum(
        plan.replicas(one) * pools_of_services * plan.aurora.pool
        + one.workers.maximum * WORKER_CONNECTIONS
        + MIGRATION_CONNECTIONS
        for one in plan.environments
    )
    capacity = {"minimum": plan.aurora.minimum_acu, "maximum": plan.aurora.maximum_acu}
    given = admitted(**capacity) - RESERVED_CONNECTIONS
    return Check(
        topic="database",
        what=f"pools of {plan.aurora.pool}, at {plan.aurora.maximum_acu:g} ACU",
        asked=wants,
        given=given,
        unit="connections",
        ok=wants <= given,
        setting="aurora.pool",
        value=plan.aurora.pool,
        rule=f"asks for {wants} connections at the maxima, and Aurora admits {given}",
    )


def account(plan: Plan) -> Iterable[Check]:
    """What the account must have been given by AWS; `./pingvas deploy` asks it."""
    for one in service_quotas(system=plan.system, gpu=plan.gpu, general=plan.general):
        yield Check(
            topic="account",
            what=f"Spot quota {one.code}: {one.why}",
            asked=one.needed,
            given=None,
            unit="vCPUs",
            ok=None,
        )

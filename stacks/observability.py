"""Dashboard, alarms, topics, budgets and the daily cost report."""

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct

from blueprint.alarms import ALARMS
from blueprint.alarms.audit import ROOT_USE
from blueprint.cluster import INTERRUPTION_QUEUE
from blueprint.cluster import NAME as CLUSTER_NAME
from blueprint.connections import connections
from blueprint.data import AURORA, CACHES
from blueprint.environments import CLUSTER_ENVIRONMENTS
from blueprint.finance import BUDGET
from blueprint.notices import NOTICES, RUNBOOK, SEVERITIES
from blueprint.regions import GLOBAL_REGION
from blueprint.security import AUDIT
from blueprint.services import SERVICES
from stacks.cluster import ClusterStack
from stacks.components.alarms import Alarms, SpotNotice
from stacks.components.budgets import Budgets, CostReport
from stacks.components.dashboard import Dashboard, Watched
from stacks.components.notices import Notices
from stacks.components.notifications import RULE_PREFIX, Topics
from stacks.components.stack import PlatformStack
from stacks.data import DataStack
from stacks.edge import EdgeStack
from stacks.ingress import IngressStack
from stacks.network import NetworkStack
from stacks.security import SecurityStack
from stacks.settings import Settings
from stacks.storage import StorageStack


class ObservabilityStack(PlatformStack):
    """`topics` (their ARNs by severity in `topics.arns`), `alarms`, notices, budgets and the daily cost report."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: Settings,
        network: NetworkStack,
        security: SecurityStack,
        storage: StorageStack,
        data: DataStack,
        cluster: ClusterStack,
        ingress: IngressStack,
        edge: EdgeStack | None,
    ) -> None:
        super().__init__(scope, "Observability", settings=settings, description="dashboard, alarms, budgets")
        self.add_stack_dependency(security, "its names stand here: PagerDuty's secret, the audit's log group")
        runbook = f"https://github.com/{settings.github_repository}/blob/main/{RUNBOOK}"
        self.topics = Topics(self, "Topics", settings=settings)
        Notices(self, "Notices", topics=self.topics, runbook=runbook)
        budget = BUDGET.amounts[settings.region]
        Budgets(self, "Budgets", topics=self.topics, amount=budget)
        report = CostReport(self, "CostReport", topics=self.topics, amount=budget, logs_key=network.logs_key)
        spot = SpotNotice(
            self, "SpotNotice", topics=self.topics, runbook=runbook, cluster=CLUSTER_NAME, logs_key=network.logs_key
        )
        self.alarms = Alarms(self, "Alarms", topics=self.topics, runbook=runbook)
        self._database()
        self._caches()
        self._api(ingress)
        self._shared(network, data, edge)
        rotations = {f"origin-header-{name}": one.function.ref for name, one in edge.rotations.items()} if edge else {}
        self._own({"cost-report": report.function.ref, "spot-notice": spot.function.ref, **rotations})
        Dashboard(self, "Overview", watched=self._watched(ingress, data, edge, runbook))
        for one in SEVERITIES:
            self.publish(f"topics/{one}", self.topics.arns[one])

    def _watched(self, ingress: IngressStack, data: DataStack, edge: EdgeStack | None, runbook: str) -> Watched:
        return Watched(
            region=self.settings.region,
            load_balancer=ingress.alb.attr_load_balancer_full_name,
            target_groups={key: one.attr_target_group_full_name for key, one in ingress.target_groups.items()},
            file_system=data.file_system.ref,
            distributions={name: one.ref for name, one in edge.distributions.items()} if edge else {},
            alarms=self.alarms.names,
            maximum_acu=self.settings.aurora_max_acu,
            connections=self._connections,
            runbook=runbook,
        )

    @property
    def _connections(self) -> int:
        return connections(minimum=self.settings.aurora_min_acu, maximum=self.settings.aurora_max_acu)

    def _database(self) -> None:
        for role in ("writer", "reader")[: 1 + AURORA.readers]:
            self.alarms.metric("aurora-cpu", _aurora(role), of=role)
        writer = _aurora("writer")
        self.alarms.metric("aurora-capacity", writer)
        self.alarms.metric("aurora-connections", writer, threshold=self._connections)
        self.alarms.metric("aurora-local-storage", writer)

    def _caches(self) -> None:
        for one in CLUSTER_ENVIRONMENTS:
            cache = CACHES[one.name]
            nodes = [{"CacheClusterId": member} for member in cache.members]
            alarms = ["redis-memory", "redis-cpu", "redis-evictions"]
            if cache.replicas:
                alarms.append("redis-replication-lag")
            for alarm in alarms:
                self.alarms.across(alarm, "MAX", nodes, of=one.name, environment=one.name)

    def _api(self, ingress: IngressStack) -> None:
        balancer = {"LoadBalancer": ingress.alb.attr_load_balancer_full_name}
        for one in CLUSTER_ENVIRONMENTS:
            groups = [
                {"TargetGroup": ingress.target_groups[one.name, service].attr_target_group_full_name, **balancer}
                for service in SERVICES
            ]
            for alarm in ("api-5xx", "api-errors"):
                self.alarms.ratio(alarm, "RequestCount", groups, of=one.name, environment=one.name)
            self.alarms.across("api-no-healthy-target", "MIN", groups, of=one.name, environment=one.name)
        self.alarms.ratio("api-load-balancer-5xx", "RequestCount", [balancer], beside=True)

    def _shared(self, network: NetworkStack, data: DataStack, edge: EdgeStack | None) -> None:
        self.alarms.metric("gpu-spot-interruption", {"Cluster": CLUSTER_NAME})
        self.alarms.metric("karpenter-queue", {"QueueName": INTERRUPTION_QUEUE})
        self.alarms.metric("efs-io", {"FileSystemId": data.file_system.ref})
        for number, gateway in enumerate(_nat_gateways(network), start=1):
            self.alarms.metric("nat-ports", {"NatGatewayId": gateway.ref}, of=str(number))
        if edge and self.settings.region == GLOBAL_REGION:  # an alarm sees metrics of its own region alone
            for environment, distribution in edge.distributions.items():
                self.alarms.metric("cdn-5xx", {"DistributionId": distribution.ref, "Region": "Global"}, of=environment)

    def _own(self, functions: dict[str, str]) -> None:
        """Who watches the watchers."""
        for name, function in functions.items():
            self.alarms.metric("function-errors", {"FunctionName": function}, of=name)
        self.alarms.metric("dead-letters", {"QueueName": self.topics.dead_letters.attr_queue_name})
        for severity in ("critical", "info"):
            name = self.topics.topics[severity].attr_topic_name
            self.alarms.metric("undelivered", {"TopicName": name}, of=severity)
        self.alarms.metric("prometheus-silent", {"TopicName": self.topics.heartbeat.attr_topic_name})
        root = ALARMS["root-use"]
        logs.CfnMetricFilter(
            self,
            "RootUse",
            log_group_name=AUDIT.log_group,
            filter_pattern=ROOT_USE,
            metric_transformations=[
                logs.CfnMetricFilter.MetricTransformationProperty(
                    metric_namespace=root.namespace, metric_name=root.metric, metric_value="1"
                )
            ],
        )
        self.alarms.metric(root.name, {})
        for notice in NOTICES.values():
            if notice.severity == "critical":
                self.alarms.metric(notice.name, {"RuleName": f"{RULE_PREFIX}{notice.name}"})


def _aurora(role: str) -> dict[str, str]:
    return {"DBClusterIdentifier": AURORA.cluster, "Role": role.upper()}


def _nat_gateways(network: NetworkStack) -> list[ec2.CfnNatGateway]:
    children = (subnet.node.try_find_child("NATGateway") for subnet in network.tier("public"))
    return [child for child in children if isinstance(child, ec2.CfnNatGateway)]

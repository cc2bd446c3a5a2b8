"""The CDK app: the blueprint and the operator's settings in, the stacks of the AWS layer out.

`cdk synth`, `cdk diff` and `cdk deploy` run it; `./pingvas synth | diff | deploy` run those with checks before them.
"""

import json
import os
import sys
from pathlib import Path

from blueprint.rules import RuleError
from stacks.cluster import ClusterStack
from stacks.components.stack import PlatformApp
from stacks.data import DataStack
from stacks.delivery import DeliveryStack
from stacks.dns import DnsStack
from stacks.edge import EdgeStack
from stacks.edge_global import EdgeGlobalStack
from stacks.edge_logs import EdgeLogsStack
from stacks.ingress import IngressStack
from stacks.network import NetworkStack
from stacks.observability import ObservabilityStack
from stacks.replication import ReplicationStack
from stacks.security import SecurityStack
from stacks.settings import Settings, read, unknown
from stacks.storage import StorageStack
from stacks.vpn import VpnStack


def wire(app: PlatformApp, settings: Settings) -> None:
    """Every stack, in the order of what stands on what."""
    dns = DnsStack(app, settings=settings)
    network = NetworkStack(app, settings=settings)
    security = SecurityStack(app, settings=settings, network=network)
    storage = StorageStack(app, settings=settings, security=security)
    if settings.replication_region:
        storage.add_stack_dependency(ReplicationStack(app, settings=settings))
    data = DataStack(app, settings=settings, network=network, security=security)
    delivery = DeliveryStack(app, settings=settings, security=security)
    cluster = ClusterStack(
        app,
        settings=settings,
        network=network,
        security=security,
        storage=storage,
        data=data,
        delivery=delivery,
    )
    ingress = IngressStack(app, settings=settings, network=network, dns=dns, security=security, storage=storage)
    edge = None
    if settings.cloudfront:
        edge_global = EdgeGlobalStack(app, settings=settings, dns=dns)
        edge = EdgeStack(
            app,
            settings=settings,
            network=network,
            dns=dns,
            security=security,
            ingress=ingress,
            edge_global=edge_global,
        )
        EdgeLogsStack(app, settings=settings, storage=storage, edge=edge)
    VpnStack(app, settings=settings, dns=dns, network=network, security=security, storage=storage)
    ObservabilityStack(
        app,
        settings=settings,
        network=network,
        security=security,
        storage=storage,
        data=data,
        cluster=cluster,
        ingress=ingress,
        edge=edge,
    )


def main() -> int:
    # The CDK command line hands over cdk.json's context; whoever runs this file alone gets the same switches.
    alone = "CDK_CONTEXT_JSON" not in os.environ
    committed = json.loads(Path(__file__).with_name("cdk.json").read_text(encoding="utf-8"))["context"]
    app = PlatformApp(context=committed if alone else None)
    try:
        for name in unknown(app.node.get_all_context()):
            raise RuleError(name, app.node.try_get_context(name), "is no setting; stacks/settings.py has them all")
        wire(app, read(app.node.try_get_context))
        if app.node.try_get_context("nag"):
            from aws_cdk import Validations
            from cdk_nag import AwsSolutionsChecks

            Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    except RuleError as error:
        sys.stderr.write(f"pingvas: {error}\n")
        return 1
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())

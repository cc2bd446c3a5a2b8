"""AWS Load Balancer Controller's TargetGroupBinding: pods of a Service in a target group that CDK makes."""

from collections.abc import Mapping

from constructs import Construct

from k8s_charts.folder import CustomResource


class TargetGroupBinding(CustomResource):
    """Registers a Service's pods with a target group that exists. Without `networking` the controller changes no
    security group; the platform's say already who may reach the pods."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        target_group: str,
        service: str,
        port: int,
        labels: Mapping[str, str],
        annotations: Mapping[str, str],
        namespace: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            f"{name}-binding",
            api_version="elbv2.k8s.aws/v1beta1",
            kind="TargetGroupBinding",
            name=name,
            namespace=namespace,
            labels=labels,
            annotations=annotations,
            spec={
                "targetGroupName": target_group,
                "targetType": "ip",
                "serviceRef": {"name": service, "port": port},
            },
        )

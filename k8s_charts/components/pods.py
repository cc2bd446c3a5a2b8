"""What every pod of ours has: the `restricted` Pod Security profile, read-only root, requests, probes.

Source: Kubernetes documentation, "Pod Security Standards".
"""

from collections.abc import Mapping

from cdk8s_plus_35 import k8s

SECRETS_MOUNT = "/run/secrets/pingvas"
"""Where a pod finds its secrets, a file a key; files follow a rotation while the process runs, variables do not."""
USER = 2000
"""uid and gid of the images' own user; who mounts the shared file system has another (`blueprint.data.EFS`)."""


def labels(name: str, *, component: str, version: str | None = None) -> dict[str, str]:
    """The recommended labels (Kubernetes documentation, "Recommended Labels"); selectors take the first alone.

    >>> labels("user-service", component="api")["app.kubernetes.io/name"]
    'user-service'
    """
    return {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "pingvas",
        **({"app.kubernetes.io/version": version} if version else {}),
    }


def selector(name: str) -> dict[str, str]:
    """What tells one app's pods from others within a namespace."""
    return {"app.kubernetes.io/name": name}


def pod_security(*, uid: int = USER, gid: int = USER) -> k8s.PodSecurityContext:
    """Non-root, with the runtime's own seccomp profile."""
    return k8s.PodSecurityContext(
        run_as_non_root=True,
        run_as_user=uid,
        run_as_group=gid,
        fs_group=gid,
        fs_group_change_policy="OnRootMismatch",
        seccomp_profile=k8s.SeccompProfile(type="RuntimeDefault"),
    )


def container_security() -> k8s.SecurityContext:
    """No more rights than a process needs that only computes and talks."""
    return k8s.SecurityContext(
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        run_as_non_root=True,
        capabilities=k8s.Capabilities(drop=["ALL"]),
        seccomp_profile=k8s.SeccompProfile(type="RuntimeDefault"),
    )


def resources(requests: Mapping[str, str], limits: Mapping[str, str]) -> k8s.ResourceRequirements:
    """Quantities as Kubernetes writes them: `250m`, `512Mi`."""
    return k8s.ResourceRequirements(
        requests={name: k8s.Quantity.from_string(value) for name, value in requests.items()},
        limits={name: k8s.Quantity.from_string(value) for name, value in limits.items()},
    )


def http_probe(path: str, port: int, *, period: int, timeout: int, failures: int) -> k8s.Probe:
    """A probe over HTTP. Seconds; the container fails after `failures` answers that were no success."""
    return k8s.Probe(
        http_get=k8s.HttpGetAction(path=path, port=k8s.IntOrString.from_number(port)),
        period_seconds=period,
        timeout_seconds=timeout,
        failure_threshold=failures,
    )


def secret_files(secret: str, paths: Mapping[str, str]) -> k8s.Volume:
    """The volume `secrets`: keys of a Secret with the path of each, for the pod's group to read."""
    items = [k8s.KeyToPath(key=key, path=path) for key, path in paths.items()]
    source = k8s.SecretVolumeSource(secret_name=secret, default_mode=0o440, items=items)
    return k8s.Volume(name="secrets", secret=source)


def api_token(seconds: int) -> k8s.Volume:
    """The volume `token`: what automounting gives, with a token that lives so long. EKS extends the life of automounted
    ones to a year."""
    return k8s.Volume(
        name="token",
        projected=k8s.ProjectedVolumeSource(
            default_mode=0o440,
            sources=[
                k8s.VolumeProjection(
                    service_account_token=k8s.ServiceAccountTokenProjection(path="token", expiration_seconds=seconds)
                ),
                k8s.VolumeProjection(
                    config_map=k8s.ConfigMapProjection(
                        name="kube-root-ca.crt", items=[k8s.KeyToPath(key="ca.crt", path="ca.crt")]
                    )
                ),
                k8s.VolumeProjection(
                    downward_api=k8s.DownwardApiProjection(
                        items=[
                            k8s.DownwardApiVolumeFile(
                                path="namespace", field_ref=k8s.ObjectFieldSelector(field_path="metadata.namespace")
                            )
                        ]
                    )
                ),
            ],
        ),
    )


def cores(value: float) -> str:
    """CPU as Kubernetes writes it.

    >>> cores(0.25), cores(2.0)
    ('250m', '2')
    """
    return str(int(value)) if float(value).is_integer() else f"{round(value * 1000)}m"


def mebibytes(value: float) -> str:
    """Memory as Kubernetes writes it.

    >>> mebibytes(512), mebibytes(12288)
    ('512Mi', '12Gi')
    """
    return f"{round(value) // 1024}Gi" if round(value) % 1024 == 0 else f"{round(value)}Mi"

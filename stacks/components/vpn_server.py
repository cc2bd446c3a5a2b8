"""The Auto Scaling group of one OpenVPN Access Server, what its instance may do, and what it runs when it starts."""

import json
from collections.abc import Sequence
from pathlib import Path

from aws_cdk import Fn
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from blueprint.vpn import VPN, VPN_SETTINGS
from stacks.components.excuse import excuse
from stacks.components.policies import Allow, Here, role, service_trust

SCRIPTS = Path(__file__).parents[1] / "instances" / "vpn"
TAG = "pingvas:role"
USER_DATA_LIMIT = 16384
"""Bytes, before base64 (EC2 user guide)."""
_TIMERS = {"configure": VPN.configure_seconds, "save": VPN.save_seconds, "watch": VPN.watch_seconds}


class VpnServer(Construct):
    """One instance in whichever public subnet has room. A server that fails is replaced; the next one takes the address
    and the state of the one before, so that profiles on laptops go on working.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        subnets: Sequence[str],
        security_group: str,
        allocation: str,
        zone: str,
        bucket: str,
        bucket_key: str,
        secret_key: str,
    ) -> None:
        super().__init__(scope, name)
        self._here = Here.of(self)
        tags = [{"key": TAG, "value": VPN.group}, {"key": "Name", "value": VPN.group}]
        self.role = self._role(allocation, zone, bucket, bucket_key, secret_key)
        profile = iam.CfnInstanceProfile(self, "Profile", roles=[self.role.ref])
        facts = {
            "region": self._here.region,
            "allocation": allocation,
            "bucket": bucket,
            "state_key": VPN.state_key,
            "secret": VPN.saml_secret,
            "unhealthy_after": VPN.unhealthy_after,
            "repository": VPN.repository,
            "repository_key": VPN.repository_key,
            "release": VPN.release,
            "package": VPN.package,
            "settings": VPN_SETTINGS,
        }
        template = ec2.CfnLaunchTemplate(
            self,
            "Template",
            launch_template_data={
                # EC2 resolves it at each start, so that a replacement starts with today's patches.
                "imageId": f"resolve:ssm:{VPN.image}",
                "instanceType": VPN.instance_type,
                "iamInstanceProfile": {"arn": profile.attr_arn},
                "monitoring": {"enabled": True},
                "ebsOptimized": True,
                "instanceInitiatedShutdownBehavior": "terminate",
                "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1, "httpEndpoint": "enabled"},
                "blockDeviceMappings": [
                    {
                        "deviceName": "/dev/sda1",
                        "ebs": {
                            "volumeType": "gp3",
                            "volumeSize": VPN.volume_gib,
                            "encrypted": True,
                            "deleteOnTermination": True,
                        },
                    }
                ],
                "networkInterfaces": [
                    {
                        "deviceIndex": 0,
                        # Until it has taken the Elastic IP; there is no NAT in a public subnet.
                        "associatePublicIpAddress": True,
                        "deleteOnTermination": True,
                        "groups": [security_group],
                    }
                ],
                "tagSpecifications": [
                    {"resourceType": kind, "tags": tags} for kind in ("instance", "volume", "network-interface")
                ],
                "userData": Fn.base64(user_data(facts)),
            },
        )
        excuse(template, "CKV_AWS_88", "the VPN's server is what the internet reaches; its group has the allow-list")
        self.group = autoscaling.CfnAutoScalingGroup(
            self,
            "Group",
            auto_scaling_group_name=VPN.group,
            min_size="1",
            max_size="1",
            vpc_zone_identifier=list(subnets),
            launch_template={"launchTemplateId": template.ref, "version": template.attr_latest_version_number},
            health_check_type="EC2",
            health_check_grace_period=VPN.boot_seconds,
        )
        self.group.add_override(
            # There is one address: the new server starts when the old one has gone.
            "UpdatePolicy",
            {"AutoScalingRollingUpdate": {"MinInstancesInService": 0, "MaxBatchSize": 1}},
        )
        excuse(
            self.group,
            "AwsSolutions-AS3",
            "a group of one that heals by itself; what it did stays in its history and in CloudTrail",
        )

    def _role(self, allocation: str, zone: str, bucket: str, bucket_key: str, secret_key: str) -> iam.CfnRole:
        here, state = self._here, self._here.arn("s3", f"{bucket}/{VPN.state_key}", region="", account="")
        secret = here.arn("secretsmanager", f"secret:{VPN.saml_secret}-??????")
        ours = {"StringEquals": {f"aws:ResourceTag/{TAG}": VPN.group}}
        ids = "EC2 makes up the ids; the tag in the condition takes their place"
        return role(
            self,
            "Role",
            name=VPN.role,
            description="The VPN server",
            trust=service_trust("ec2.amazonaws.com"),
            managed={"AmazonSSMManagedInstanceCore": "Session Manager instead of SSH keys, as AWS's agent needs it"},
            allows=[
                Allow(
                    sid="TakeTheAddress",
                    actions=["ec2:AssociateAddress"],
                    resources=[here.arn("ec2", f"elastic-ip/{allocation}")],
                ),
                Allow(
                    sid="GiveItToThisServer",
                    actions=["ec2:AssociateAddress"],
                    resources=[here.arn("ec2", "instance/*"), here.arn("ec2", "network-interface/*")],
                    conditions=ours,
                    because=ids,
                ),
                Allow(sid="State", actions=["s3:GetObject", "s3:PutObject"], resources=[state]),
                Allow(
                    sid="TellMissingFromForbidden",
                    actions=["s3:ListBucket"],
                    resources=[here.arn("s3", bucket, region="", account="")],
                    conditions={"StringEquals": {"s3:prefix": VPN.state_key}},
                ),
                Allow(
                    sid="ReadMetadataOfIdentityCenter",
                    actions=["secretsmanager:GetSecretValue"],
                    resources=[secret],
                ),
                Allow(sid="OpenSecretAndState", actions=["kms:Decrypt"], resources=[bucket_key, secret_key]),
                Allow(sid="CloseState", actions=["kms:GenerateDataKey"], resources=[bucket_key]),
                Allow(
                    sid="ProveTheName",
                    actions=["route53:ChangeResourceRecordSets"],
                    resources=[here.arn("route53", f"hostedzone/{zone}", region="", account="")],
                    conditions={
                        "ForAllValues:StringEquals": {
                            "route53:ChangeResourceRecordSetsNormalizedRecordNames": [f"_acme-challenge.{VPN.host}"],
                            "route53:ChangeResourceRecordSetsRecordTypes": ["TXT"],
                        }
                    },
                ),
                Allow(
                    sid="WaitForTheProof",
                    actions=["route53:GetChange"],
                    resources=[here.arn("route53", "change/*", region="", account="")],
                    because="ids of changes are made up by Route 53",
                ),
                Allow(
                    sid="FindTheZone",
                    actions=["route53:ListHostedZones"],
                    resources=["*"],
                    because="listing zones knows no resource; certbot looks for the zone of a name",
                ),
                Allow(
                    sid="AskToBeReplaced",
                    actions=["autoscaling:SetInstanceHealth"],
                    resources=[
                        here.arn("autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{VPN.group}"),
                    ],
                    because="the group's name is fixed; before it stands an id that Auto Scaling makes up",
                ),
            ],
        )


def user_data(facts: dict[str, object]) -> str:
    """What cloud-init runs: the facts, the program, its timers, then `boot.sh`.

    Raises:
        ValueError: it is longer than EC2 takes.
    """
    parts = ["#!/bin/bash", "umask 022", _file("/etc/pingvas-vpn.json", json.dumps(facts, indent=1))]
    program = (SCRIPTS / "server.py").read_text()
    parts.append(_file("/usr/local/sbin/pingvas-vpn", f"#!/usr/bin/python3\n{program}"))
    parts.append("chmod 0755 /usr/local/sbin/pingvas-vpn")
    for name, seconds in _TIMERS.items():
        unit = f"/etc/systemd/system/pingvas-vpn-{name}"
        parts.append(
            _file(
                f"{unit}.service",
                "[Unit]\nAfter=network-online.target openvpnas.service\n"
                f"[Service]\nType=oneshot\nExecStart=/usr/local/sbin/pingvas-vpn {name}",
            )
        )
        parts.append(
            _file(
                f"{unit}.timer",
                f"[Timer]\nOnActiveSec={seconds}\nOnUnitActiveSec={seconds}\n[Install]\nWantedBy=timers.target",
            )
        )
    parts.append((SCRIPTS / "boot.sh").read_text())
    text = "\n".join(parts)
    if len(text.encode()) > USER_DATA_LIMIT:
        raise ValueError(f"{len(text.encode())} bytes of user data; EC2 takes {USER_DATA_LIMIT}")
    return text


def _file(path: str, text: str) -> str:
    return f"cat > {path} <<'END_OF_FILE'\n{text.rstrip()}\nEND_OF_FILE"

"""The VPN server: what it is, what it may do, and the program that it runs, run here with a stand-in for the server."""

import importlib.util
import io
import json
import sqlite3
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from blueprint.network import NETWORK
from blueprint.vpn import VPN, VPN_SETTINGS
from stacks.components.vpn_server import SCRIPTS, USER_DATA_LIMIT, user_data
from tests.support.iam import Document, Request, allowed
from tests.support.policies import ACCOUNT, Policies
from tests.support.templates import Templates

ENDPOINT = "https://portal.sso.us-east-1.amazonaws.com/saml/assertion/example"
METADATA = f"""<?xml version="1.0"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://portal.sso/saml/example">
 <md:IDPSSODescriptor>
  <md:KeyDescriptor use="encryption"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>
   <ds:X509Certificate>V1JPTkc=</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
  <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>
   <ds:X509Certificate>{"QUJD" * 30}
   </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
  <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://portal.sso/post"/>
  <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="{ENDPOINT}"/>
 </md:IDPSSODescriptor>
</md:EntityDescriptor>"""
BUCKET = "pingvas-backups-test"


def launch(templates: Templates) -> dict[str, Any]:
    data: dict[str, Any] = templates.one("AWS::EC2::LaunchTemplate", stack="Vpn").properties["LaunchTemplateData"]
    return data


def test_one_instance_in_public_subnets_that_is_replaced_by_itself(templates: Templates) -> None:
    group = templates.one("AWS::AutoScaling::AutoScalingGroup", stack="Vpn")
    assert (group.properties["MinSize"], group.properties["MaxSize"]) == ("1", "1")
    assert len(group.properties["VPCZoneIdentifier"]) == 3
    assert all("publicSubnet" in json.dumps(one) for one in group.properties["VPCZoneIdentifier"])
    update = group.body["UpdatePolicy"]["AutoScalingRollingUpdate"]
    assert update["MinInstancesInService"] == 0, "two servers would fight over one address"


def test_the_instance_is_hardened(templates: Templates) -> None:
    data = launch(templates)
    options = data["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 1)
    [disk] = data["BlockDeviceMappings"]
    assert (disk["Ebs"]["Encrypted"], disk["Ebs"]["VolumeType"]) == (True, "gp3")
    assert "KeyName" not in data, "Session Manager instead of SSH keys"
    assert data["Monitoring"]["Enabled"] is True
    assert data["ImageId"].startswith("resolve:ssm:/aws/service/canonical/ubuntu/server/24.04/")
    [interface] = data["NetworkInterfaces"]
    assert "VpnGroup" in json.dumps(interface["Groups"])


def test_its_name_leads_to_its_address(templates: Templates) -> None:
    record = templates.one("AWS::Route53::RecordSet", stack="Vpn").properties
    assert (record["Name"], record["Type"]) == (f"{VPN.host}.", "A")
    assert "VpnAddress" in json.dumps(record["ResourceRecords"])


SESSION_MANAGER: dict[str, Document] = {
    "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore": {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["ssm:*", "ssmmessages:*", "ec2messages:*"], "Resource": "*"},
        ],
    }
}
"""More than AWS's own policy allows, so that what is refused below is refused with it too."""


@pytest.mark.parametrize(
    ("action", "resource", "context", "may"),
    [
        ("s3:PutObject", "arn:aws:s3:::{bucket}/vpn/state.tar.gz", {}, True),
        ("s3:GetObject", "arn:aws:s3:::{bucket}/velero/backups/1", {}, False),
        ("s3:ListBucket", "arn:aws:s3:::{bucket}", {"s3:prefix": ""}, False),
        ("secretsmanager:GetSecretValue",
         "arn:aws:secretsmanager:{at}:secret:pingvas/shared/vpn-saml-a1B2c3", {}, True),
        ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:{at}:secret:pingvas/prod/db-app-a1B2c3", {}, False),
        ("ec2:AssociateAddress",
         "arn:aws:ec2:{at}:instance/i-1", {"aws:ResourceTag/pingvas:role": "pingvas-vpn"}, True),
        ("ec2:AssociateAddress", "arn:aws:ec2:{at}:instance/i-1", {}, False),
        ("ec2:AssociateAddress", "arn:aws:ec2:{at}:elastic-ip/eipalloc-of-nat", {}, False),
        ("autoscaling:SetInstanceHealth",
         "arn:aws:autoscaling:{at}:autoScalingGroup:1:autoScalingGroupName/pingvas-vpn", {}, True),
        ("autoscaling:SetInstanceHealth",
         "arn:aws:autoscaling:{at}:autoScalingGroup:1:autoScalingGroupName/eks-system", {}, False),
        ("ec2:RunInstances", "arn:aws:ec2:{at}:instance/*", {}, False),
        ("iam:PassRole", "arn:aws:iam::{account}:role/pingvas-vpn", {}, False),
    ],
)  # fmt: skip
def test_the_server_may_do_what_it_needs_and_nothing_else(
    templates: Templates, region: str, action: str, resource: str, context: dict[str, str], may: bool
) -> None:
    policies = Policies(templates, region=region)
    names = {"bucket": f"pingvas-backups-{ACCOUNT}-{region}", "at": f"{region}:{ACCOUNT}", "account": ACCOUNT}
    role = policies.role("pingvas-vpn")
    request = Request(
        action=action,
        resource=resource.format(**names),
        principal=f"arn:aws:iam::{ACCOUNT}:role/pingvas-vpn",
        context=context,
    )
    assert allowed(request, identity=policies.identity(role, managed=SESSION_MANAGER)) is may


def test_it_proves_its_own_name_and_writes_no_other_record(templates: Templates, region: str) -> None:
    role = templates.one("AWS::IAM::Role", stack="Vpn")
    [statement] = [
        one
        for policy in role.properties["Policies"]
        for one in policy["PolicyDocument"]["Statement"]
        if "route53:ChangeResourceRecordSets" in one["Action"]
    ]
    assert statement["Condition"]["ForAllValues:StringEquals"] == {
        "route53:ChangeResourceRecordSetsNormalizedRecordNames": ["_acme-challenge.vpn.studio.pingvas.com"],
        "route53:ChangeResourceRecordSetsRecordTypes": ["TXT"],
    }


def test_laptops_go_through_the_server_with_all_they_do() -> None:
    """DevOps-AssumeRole wants the VPN's address, and private names want the VPC's resolver."""
    assert VPN_SETTINGS["vpn.client.routing.reroute_gw"] == "true"
    assert VPN_SETTINGS["vpn.server.dhcp_option.dns.0"] == "10.0.0.2" == NETWORK.resolver
    assert VPN_SETTINGS["vpn.server.port_share.service"] == "client", "the administration page is not on 443"


FACTS: dict[str, Any] = {
    "region": "us-east-1",
    "allocation": "eipalloc-1",
    "bucket": BUCKET,
    "state_key": VPN.state_key,
    "secret": VPN.saml_secret,
    "unhealthy_after": 2,
    "settings": VPN_SETTINGS,
    "repository": VPN.repository,
    "repository_key": VPN.repository_key,
    "release": VPN.release,
    "package": VPN.package,
}


def test_user_data_is_a_script_that_bash_understands_and_ec2_takes(tmp_path: Path) -> None:
    text = user_data(FACTS)
    assert len(text.encode()) < USER_DATA_LIMIT - 500, "account ids and names come on top"
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    head = (
        text.split("# Runs once, as root")[0].replace("/etc/", f"{tmp_path}/etc/").replace("/usr/", f"{tmp_path}/usr/")
    )
    for folder in ("etc/systemd/system", "usr/local/sbin", "usr/bin"):
        (tmp_path / folder).mkdir(parents=True)
    subprocess.run(["bash", "-euc", head], check=True)
    assert json.loads((tmp_path / "etc/pingvas-vpn.json").read_text()) == FACTS
    program = tmp_path / "usr/local/sbin/pingvas-vpn"
    assert program.stat().st_mode & 0o111
    compile(program.read_text(), "pingvas-vpn", "exec")
    assert len(list((tmp_path / "etc/systemd/system").glob("pingvas-vpn-*.timer"))) == 3
    assert "StrictHostKeyChecking" not in text
    assert "password" not in text.lower().replace("setlocalpassword", "").replace("wrote the password", "")
    assert f"signed-by={tmp_path}" in text or "signed-by=/etc/apt/keyrings/openvpn.asc" in text


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The program, with a folder for a root, a stand-in for sacli that writes down its calls, and AWS by moto."""
    spec = importlib.util.spec_from_file_location("vpn_server_program", SCRIPTS / "server.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/pingvas-vpn.json").write_text(json.dumps(FACTS))
    module.calls = []  # type: ignore[attr-defined]

    def sacli(*arguments: str) -> str:
        given = list(arguments)
        if "--value_file" in given:
            at = given.index("--value_file")
            given[at : at + 2] = ["--value", Path(given[at + 1]).read_text()]
        module.calls.append(given)
        return ""

    def refused() -> Path:
        raise FileNotFoundError("no certificate")

    for name, value in (("ROOT", tmp_path), ("sacli", sacli), ("certificate", refused), ("instance_id", lambda: "i-1")):
        monkeypatch.setattr(module, name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=BUCKET)
        yield module


def put(server: ModuleType) -> dict[str, str]:
    return {call[1]: call[3] for call in server.calls if call[-1] == "ConfigPut"}


def test_metadata_says_who_signs_people_in(server: ModuleType) -> None:
    entity, endpoint, certificate = server.identity_provider(METADATA)
    assert (entity, endpoint) == ("https://portal.sso/saml/example", ENDPOINT)
    lines = certificate.splitlines()
    assert (lines[0], lines[-1]) == ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")
    assert "".join(lines[1:-1]) == "QUJD" * 30, "the signing key, not the other"
    for broken in (
        "<a/>",
        METADATA.replace("https://portal.sso.us", "http://portal.sso.us"),
        METADATA.replace("QUJD", ""),
    ):
        with pytest.raises(ValueError, match="metadata"):
            server.identity_provider(broken)


def test_nobody_signs_in_before_the_metadata_is_there(server: ModuleType) -> None:
    server.configure()
    assert put(server)["auth.module.type"] == "local"
    assert "auth.saml.0.enable" not in put(server)
    assert VPN_SETTINGS.items() <= put(server).items()


def test_metadata_that_a_person_enters_is_taken_up_once(server: ModuleType) -> None:
    server.configure()
    server.calls.clear()
    boto3.client("secretsmanager", region_name="us-east-1").create_secret(
        Name=VPN.saml_secret, SecretString=json.dumps({"metadata": METADATA})
    )
    server.configure()
    assert put(server)["auth.module.type"] == "saml"
    assert put(server)["auth.saml.0.idp_signon_endpoint"] == ENDPOINT
    assert put(server)["auth.saml.0.sp_hostname"] == VPN.host
    assert "BEGIN CERTIFICATE" in put(server)["auth.saml.0.idp_cert"]
    assert server.calls[-1] == ["start"], "applied when all of it is written"
    server.calls.clear()
    server.configure()
    assert server.calls == [], "a server that is as it should be is not restarted every five minutes"


def test_the_next_server_has_the_state_of_the_one_before(server: ModuleType, tmp_path: Path) -> None:
    server.restore()  # the first server finds none
    databases = tmp_path / server.DATABASES
    databases.mkdir(parents=True)
    with sqlite3.connect(databases / "certs.db") as certs:
        certs.execute("create table ca (name text)")
        certs.execute("insert into ca values ('first')")
    certs.close()
    (tmp_path / "etc/letsencrypt").mkdir()
    (tmp_path / "etc/letsencrypt/account").write_text("key")
    server.save()
    body = boto3.client("s3", region_name="us-east-1").get_object(Bucket=BUCKET, Key=VPN.state_key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert all(one.mode & 0o077 == 0 for one in archive.getmembers() if one.name.endswith(".db"))
    (databases / "certs.db").unlink()
    (tmp_path / "etc/letsencrypt/account").unlink()
    server.restore()
    with sqlite3.connect(databases / "certs.db") as again:
        assert again.execute("select name from ca").fetchall() == [("first",)]
    again.close()
    assert (tmp_path / "etc/letsencrypt/account").read_text() == "key"


def test_nobody_knows_the_installers_password(server: ModuleType) -> None:
    server.lock()
    server.lock()
    passwords = {call[call.index("--new_pass") + 1] for call in server.calls}
    assert len(passwords) == 2
    assert all(len(one) > 40 for one in passwords)


def test_a_server_that_does_not_answer_asks_to_be_replaced(server: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []

    class Group:
        def set_instance_health(self, **request: Any) -> None:
            told.append(request)

    monkeypatch.setattr(server, "client", lambda service: Group())
    answers = iter([False, True, False, False])
    monkeypatch.setattr(server, "answers", lambda: next(answers))
    for expected in (0, 0, 0, 1):
        server.watch()
        assert len(told) == expected
    assert told == [{"InstanceId": "i-1", "HealthStatus": "Unhealthy", "ShouldRespectGracePeriod": True}]

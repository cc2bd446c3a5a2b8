"""What the VPN server does for itself: takes its address, keeps its state, signs people in, asks to be replaced.

Runs on the instance as /usr/local/sbin/pingvas-vpn, with Ubuntu's python3 and python3-boto3 and nothing else.
"""

import hashlib
import io
import json
import secrets
import socket
import sqlite3
import ssl
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import boto3
from botocore.exceptions import ClientError

ROOT = Path("/")
FACTS = "etc/pingvas-vpn.json"
SACLI = "/usr/local/openvpn_as/scripts/sacli"
DATABASES = "usr/local/openvpn_as/etc/db"
LETSENCRYPT = "etc/letsencrypt"
APPLIED = "var/lib/pingvas-vpn/applied"
REFUSED = "var/lib/pingvas-vpn/certificate-refused"
PATIENCE_SECONDS = 3600
"""Let's Encrypt forgives five failures an hour, such as those before the zone is delegated."""
FAILURES = "var/lib/pingvas-vpn/failures"
METADATA_SERVICE = "http://169.254.169.254/latest"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
SPACES = {"md": "urn:oasis:names:tc:SAML:2.0:metadata", "ds": "http://www.w3.org/2000/09/xmldsig#"}


def facts() -> dict[str, Any]:
    given: dict[str, Any] = json.loads((ROOT / FACTS).read_text())
    return given


def client(service: str) -> Any:
    return boto3.client(service, region_name=facts()["region"])


def sacli(*arguments: str) -> str:
    return subprocess.run([SACLI, *arguments], check=True, capture_output=True, text=True).stdout


def put(key: str, value: str) -> None:
    sacli("--key", key, "--value", value, "ConfigPut")


def instance_id() -> str:
    """IMDSv2: a token first."""
    headers = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    request = urllib.request.Request(f"{METADATA_SERVICE}/api/token", method="PUT", headers=headers)
    token = urllib.request.urlopen(request, timeout=5).read().decode()
    headers = {"X-aws-ec2-metadata-token": token}
    request = urllib.request.Request(f"{METADATA_SERVICE}/meta-data/instance-id", headers=headers)
    return str(urllib.request.urlopen(request, timeout=5).read().decode())


def address() -> None:
    """Takes the Elastic IP from whoever has it: the server before this one."""
    client("ec2").associate_address(
        AllocationId=facts()["allocation"], InstanceId=instance_id(), AllowReassociation=True
    )


def restore() -> None:
    """The state of the server before this one; the first server finds none."""
    given = facts()
    try:
        body = client("s3").get_object(Bucket=given["bucket"], Key=given["state_key"])["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        archive.extraction_filter = tarfile.tar_filter if hasattr(tarfile, "tar_filter") else None  # from 3.11.4 on
        archive.extractall(ROOT)  # noqa: S202 (this server's own archive, from a bucket that only it writes)


def save() -> None:
    """A copy that is whole though the server writes meanwhile: SQLite's own backup of each database."""
    given = facts()
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as archive, tempfile.TemporaryDirectory() as folder:
        for path in sorted((ROOT / DATABASES).glob("*.db")):
            copy = Path(folder) / path.name
            source, target = sqlite3.connect(path), sqlite3.connect(copy)
            source.backup(target)
            source.close()
            target.close()
            info = archive.gettarinfo(copy, f"{DATABASES}/{path.name}")
            owner = path.stat()
            info.uid, info.gid, info.mode, info.uname, info.gname = owner.st_uid, owner.st_gid, 0o600, "", ""
            archive.addfile(info, io.BytesIO(copy.read_bytes()))
        if (ROOT / LETSENCRYPT).exists():
            archive.add(ROOT / LETSENCRYPT, LETSENCRYPT)
    client("s3").put_object(Bucket=given["bucket"], Key=given["state_key"], Body=body.getvalue())


def identity_provider(metadata: str) -> tuple[str, str, str]:
    """Entity id, sign-on endpoint and certificate (PEM) out of SAML metadata.

    Raises ValueError where one is missing, or the endpoint is not HTTPS.
    """
    root = ElementTree.fromstring(metadata)
    provider, entity = root.find("md:IDPSSODescriptor", SPACES), root.get("entityID")
    if provider is None or not entity:
        raise ValueError("the metadata is not an identity provider's")
    services = provider.findall("md:SingleSignOnService", SPACES)
    endpoint = next((one.get("Location", "") for one in services if one.get("Binding") == REDIRECT), "")
    keys = [one for one in provider.findall("md:KeyDescriptor", SPACES) if one.get("use") in (None, "signing")]
    certificate = keys[0].findtext(".//ds:X509Certificate", "", SPACES) if keys else ""
    text = "".join(certificate.split())
    if not endpoint.startswith("https://") or not text:
        raise ValueError("the metadata has no HTTPS endpoint, or no certificate")
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return entity, endpoint, f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


def metadata() -> str:
    """What a person entered, or nothing while nobody has."""
    try:
        secret = client("secretsmanager").get_secret_value(SecretId=facts()["secret"])["SecretString"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return ""
    return str(json.loads(secret).get("metadata", ""))


def certificate() -> Path:
    """Let's Encrypt's, proven by DNS, since the page is not open to its servers. Renewed when it is due."""
    host, refused = facts()["settings"]["host.name"], ROOT / REFUSED
    if refused.exists() and time.time() - refused.stat().st_mtime < PATIENCE_SECONDS:
        raise FileNotFoundError(f"{host} was refused within the hour")
    command = ["certbot", "certonly", "--dns-route53", "--non-interactive", "--agree-tos", "--keep-until-expiring"]
    try:
        subprocess.run([*command, "--register-unsafely-without-email", "-d", host], check=True)
    except subprocess.CalledProcessError:
        refused.parent.mkdir(parents=True, exist_ok=True)
        refused.touch()
        raise
    live: Path = ROOT / LETSENCRYPT / "live" / host
    return live


def configure() -> None:
    """Brings the server to what facts, secret and certificate say; does nothing where it is there already.

    Without metadata nobody signs in: local users are the mode, and there are none.
    """
    given, text = facts(), metadata()
    wanted = dict(given["settings"])
    files = {}
    if text:
        entity, endpoint, pem = identity_provider(text)
        wanted |= {
            "auth.saml.0.idp_entityid": entity,
            "auth.saml.0.idp_signon_endpoint": endpoint,
            "auth.saml.0.sp_hostname": given["settings"]["host.name"],
            "auth.saml.0.enable": "true",
        }
        files["auth.saml.0.idp_cert"] = pem
    wanted["auth.module.type"] = "saml" if text else "local"
    try:
        folder = certificate()
        names = {"cs.priv_key": "privkey.pem", "cs.cert": "cert.pem", "cs.ca_bundle": "chain.pem"}
        files |= {key: (folder / name).read_text() for key, name in names.items()}
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"no certificate yet, the server's own stays: {error}", file=sys.stderr)
    digest = hashlib.sha256(json.dumps([wanted, files], sort_keys=True).encode()).hexdigest()
    applied = ROOT / APPLIED
    if applied.exists() and applied.read_text() == digest:
        return
    for key, value in wanted.items():
        put(key, value)
    with tempfile.TemporaryDirectory() as scratch:
        for key, value in files.items():
            path = Path(scratch) / key
            path.write_text(value)
            sacli("--key", key, "--value_file", str(path), "ConfigPut")
    sacli("start")
    applied.parent.mkdir(parents=True, exist_ok=True)
    applied.write_text(digest)


def lock() -> None:
    """The installer made an administrator and wrote the password down: a new one, which nobody knows."""
    sacli("--user", "openvpn", "--new_pass", f"Aa1!{secrets.token_urlsafe(32)}", "SetLocalPassword")
    (ROOT / "usr/local/openvpn_as/init.log").unlink(missing_ok=True)


def answers() -> bool:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection(("127.0.0.1", 443), timeout=10) as plain, context.wrap_socket(plain):
            return True
    except OSError:
        return False


def watch() -> None:
    """Counts minutes without an answer; after some the Auto Scaling group is asked for another instance."""
    given, path = facts(), ROOT / FAILURES
    count = 0 if answers() else int(path.read_text() or 0) + 1 if path.exists() else 1
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(count))
    if count >= given["unhealthy_after"]:
        client("autoscaling").set_instance_health(
            InstanceId=instance_id(), HealthStatus="Unhealthy", ShouldRespectGracePeriod=True
        )


COMMANDS = {one.__name__: one for one in (address, restore, save, configure, lock, watch)}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]]()

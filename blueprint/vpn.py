"""The OpenVPN Access Server: its machine, its package, and what it is told."""

from dataclasses import dataclass

from blueprint.network import NETWORK, VPN_HOST
from blueprint.secrets import SECRETS


@dataclass(frozen=True, slots=True)
class Vpn:
    """One server that replaces itself; sizes in GiB, times in seconds.

    Access Server serves two connections without a subscription; the package is for amd64 alone.
    """

    instance_type: str = "t3.small"
    volume_gib: int = 16
    image: str = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
    """Canonical's public parameter: Ubuntu 24.04, as patched as it is when an instance starts."""
    release: str = "noble"
    repository: str = "https://packages.openvpn.net/as/debian"
    repository_key: str = "https://packages.openvpn.net/as-repo-public.asc"
    package: str = "openvpn-as=3.1.0-e22fe316-Ubuntu24"
    group: str = "pingvas-vpn"
    """The Auto Scaling group, and the tag `role` of what it starts."""
    role: str = "pingvas-vpn"
    host: str = VPN_HOST
    saml_secret: str = SECRETS["pingvas/shared/vpn-saml"].path
    state_bucket: str = "pingvas-backups"
    state_key: str = "vpn/state.tar.gz"
    """Its certificate authority, users and web certificate: profiles on laptops outlive the machine."""
    boot_seconds: int = 900
    """From start to answering: packages and one certificate."""
    configure_seconds: int = 300
    save_seconds: int = 3600
    watch_seconds: int = 60
    unhealthy_after: int = 5
    """Watches without an answer before the server asks to be replaced."""


VPN = Vpn()
VPN_SETTINGS = {
    "host.name": VPN.host,
    "vpn.daemon.0.client.network": str(NETWORK.vpn_clients.network_address),
    "vpn.daemon.0.client.netmask_bits": str(NETWORK.vpn_clients.prefixlen),
    "vpn.server.routing.private_access": "nat",
    "vpn.server.routing.private_network.0": str(NETWORK.vpc),
    "vpn.client.routing.inter_client": "false",
    "vpn.client.routing.reroute_gw": "true",
    "vpn.client.routing.reroute_dns": "custom",
    "vpn.server.dhcp_option.dns.0": NETWORK.resolver,
    "vpn.server.port_share.service": "client",
    "cs.tls_version_min": "1.2",
}
"""Access Server's own keys. Laptops are translated to the server's address, so security groups see the server. All
their traffic goes through it: AWS must see the VPN's address, or DevOps-AssumeRole refuses. Names are asked of the
VPC's resolver, which answers with the private addresses of the cluster's endpoint and of Aurora. Port 443 shows the
sign-in page and not the administration page.
"""

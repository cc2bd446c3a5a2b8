# Runs once, as root, on a new instance; `fact` is the file of what differs between deployments, `server` the program.
# An instance that fails here ends itself a while later, and the Auto Scaling group tries another.
set -euo pipefail
trap 'echo "boot failed at line $LINENO; ending in 10 minutes"; sleep 600; shutdown -h now' ERR
export DEBIAN_FRONTEND=noninteractive
fact() { python3 -c 'import json, sys; print(json.load(open("/etc/pingvas-vpn.json"))[sys.argv[1]])' "$1"; }
again() {
  local try
  for try in 1 2 3 4 5; do
    "$@" && return 0
    sleep $((try * 10))
  done
  return 1
}

again apt-get update -q
again apt-get install -qy --no-install-recommends ca-certificates curl python3-boto3 certbot python3-certbot-dns-route53
/usr/local/sbin/pingvas-vpn address

install -d -m 0755 /etc/apt/keyrings
again curl -fsS --proto '=https' --tlsv1.2 -o /etc/apt/keyrings/openvpn.asc "$(fact repository_key)"
echo "deb [arch=amd64 signed-by=/etc/apt/keyrings/openvpn.asc] $(fact repository) $(fact release) main" \
  > /etc/apt/sources.list.d/openvpn.list
again apt-get update -q
again apt-get install -qy --no-install-recommends "$(fact package)"
apt-mark hold openvpn-as

systemctl stop openvpnas
/usr/local/sbin/pingvas-vpn restore
systemctl start openvpnas
again /usr/local/sbin/pingvas-vpn configure
/usr/local/sbin/pingvas-vpn lock
systemctl daemon-reload
systemctl enable --now pingvas-vpn-configure.timer pingvas-vpn-save.timer pingvas-vpn-watch.timer

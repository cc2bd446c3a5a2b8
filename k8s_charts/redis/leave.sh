#!/bin/sh
# Before a primary ends, another node takes over. Coordinated: the primary holds its writers back until a replica has all
# that they wrote, and becomes a replica itself; otherwise it would take writes for some seconds more, and lose them.
# The other pods' sentinels do it, since this pod's is ending too, and are waited for until they name the new primary.
set -eu
VALKEYCLI_AUTH=$(cat "$TOKEN_FILE")
REDISCLI_AUTH=$VALKEYCLI_AUTH
export VALKEYCLI_AUTH REDISCLI_AUTH

number=${NODE##*-}
mine() { # this pod's entry of a list
  shift "$number"
  echo "$1"
}
own=$(mine $NODES)
own_sentinel=$(mine $SENTINELS)
primary() {
  [ "$(timeout 3 valkey-cli -p "${own##*:}" role | sed -n 1p)" = master ]
}
ask() { # a sentinel, which has no password
  sentinel=$1
  shift
  env -u VALKEYCLI_AUTH -u REDISCLI_AUTH timeout 3 valkey-cli -h "${sentinel%:*}" -p "${sentinel##*:}" \
    sentinel "$@" 2>&1
}
others=""
for each in $SENTINELS; do
  [ "$each" = "$own_sentinel" ] || others="$others $each"
done
handed() {
  ! primary || return 1
  for each in $others; do
    [ "$(ask "$each" get-master-addr-by-name "$SERVICE" | tr '\n' :)" != "$own:" ] || return 1
  done
}

primary || exit 0
waited=0
until handed || [ "$waited" -ge "$PATIENCE" ]; do
  # Refused while a failover is under way, or while no replica is good.
  for each in $others; do
    ! primary || [ "$(ask "$each" failover "$SERVICE" coordinated)" != OK ] || break
  done
  sleep 1
  waited=$((waited + 1))
done

#!/bin/sh
# Before a primary ends, another node takes over: writers wait a second instead of a timeout.
set -eu
VALKEYCLI_AUTH=$(cat "$TOKEN_FILE")
REDISCLI_AUTH=$VALKEYCLI_AUTH
export VALKEYCLI_AUTH REDISCLI_AUTH

number=${NODE##*-}
mine() {
  shift "$number"
  echo "$1"
}
own=$(mine $NODES)
primary() {
  [ "$(timeout 3 valkey-cli -p "${own##*:}" role | sed -n 1p)" = master ]
}
ask() { # sentinels have no password
  env -u VALKEYCLI_AUTH -u REDISCLI_AUTH timeout 3 valkey-cli -h "${1%:*}" -p "${1##*:}" sentinel failover "$SERVICE"
}

primary || exit 0
for sentinel in $SENTINELS; do
  [ "$(ask "$sentinel" 2>&1)" != OK ] || break
done
waited=0
while primary && [ "$waited" -lt "$PATIENCE" ]; do
  sleep 1
  waited=$((waited + 1))
done

#!/bin/sh
# Writes this pod's settings: who it is, and whose replica. The primary is the one that the other pods' sentinels name;
# where none answers, the one that this pod's sentinel knew last; where it knew none, node 0.
#
# NODES, SENTINELS: host:port of every pod, by its number; NODE: this pod's name, which ends in its number.
set -eu
umask 077

token=$(cat "$TOKEN_FILE")
number=${NODE##*-}
mine() { # this pod's entry of a list
  shift "$number"
  echo "$1"
}
own=$(mine $NODES)
own_sentinel=$(mine $SENTINELS)
state="$DATA/sentinel.conf"

found=""
for sentinel in $SENTINELS; do
  [ "$sentinel" != "$own_sentinel" ] || continue
  # Two lines: host, port.
  answer=$(timeout 3 valkey-cli -h "${sentinel%:*}" -p "${sentinel##*:}" \
    sentinel get-master-addr-by-name "$SERVICE" 2>/dev/null) || continue
  host=$(echo "$answer" | sed -n 1p)
  port=$(echo "$answer" | sed -n 2p)
  case "$port" in "" | *[!0-9]*) continue ;; esac
  found="$host:$port"
  break
done
primary=$found
if [ -z "$primary" ] && [ -s "$state" ]; then
  primary=$(sed -n "s/^sentinel monitor $SERVICE \([^ ]*\) \([0-9]*\) .*/\1:\2/p" "$state")
fi
[ -n "$primary" ] || primary=${NODES%% *}

{
  echo "include $SETTINGS/valkey.conf"
  echo "port ${own##*:}"
  echo "dir $DATA"
  echo "replica-announce-ip ${own%:*}"
  echo "replica-announce-port ${own##*:}"
  printf 'requirepass %s\nmasterauth %s\n' "$token" "$token"
  [ "$primary" = "$own" ] || echo "replicaof ${primary%:*} ${primary##*:}"
} >"$RUN/valkey.conf"

{
  cat "$SETTINGS/sentinel.conf"
  echo "port ${own_sentinel##*:}"
  echo "dir $RUN"
  echo "sentinel announce-ip ${own_sentinel%:*}"
  echo "sentinel announce-port ${own_sentinel##*:}"
  echo "sentinel monitor $SERVICE ${primary%:*} ${primary##*:} $QUORUM"
  printf 'sentinel auth-pass %s %s\n' "$SERVICE" "$token"
  if [ -s "$state" ]; then
    # Who this sentinel is and how it voted; whom it knew, only where nobody else can say.
    grep -E '^sentinel (myid|current-epoch|leader-epoch) ' "$state" || :
    [ -n "$found" ] || grep -E '^sentinel (config-epoch|known-replica|known-sentinel) ' "$state" || :
  fi
} >"$state.new"
mv "$state.new" "$state"
echo "node $number: the primary is $primary"

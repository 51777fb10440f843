#!/bin/sh
# Starts one broker: what all have in common, and what differs by host. The image's own start knows nothing of ZooKeeper,
# and takes settings as variables, where a slip of the pen is a setting that nobody reads.
# MODE is zookeeper or kraft, BROKER_ID its number, ADVERTISED the address at which others reach it.
set -eu
: "${MODE:?}" "${BROKER_ID:?}" "${ADVERTISED:?}"
properties=${TMPDIR:-/tmp}/server.properties

cp "$(dirname "$0")/$MODE.properties" "$properties"
printf 'advertised.listeners=PLAINTEXT://%s\n' "$ADVERTISED" >>"$properties"
if [ "$MODE" = kraft ]; then
    printf 'node.id=%s\n' "$BROKER_ID" >>"$properties"
    kafka-storage.sh format --ignore-formatted --cluster-id "${CLUSTER_ID:?}" --config "$properties"
else
    printf 'broker.id=%s\n' "$BROKER_ID" >>"$properties"
fi
exec kafka-server-start.sh "$properties"

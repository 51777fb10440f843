#!/bin/sh
# Start one broker with the common properties and those of this host. The image's own start script does not support
# ZooKeeper, and it takes settings as variables, where a misspelt name is silently ignored.
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

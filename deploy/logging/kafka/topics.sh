#!/bin/sh
# Create missing topics of topics.conf and update the settings of existing ones. Safe to repeat.
# The number of partitions stays: more would move keys to other partitions, and Kafka cannot reduce it.
# BOOTSTRAP names a broker; REPLICATION and MIN_INSYNC_REPLICAS depend on the number of brokers.
set -eu
: "${BOOTSTRAP:?names a broker}" "${REPLICATION:?}" "${MIN_INSYNC_REPLICAS:?}"

grep -v '^#' "$(dirname "$0")/topics.conf" | while read -r topic partitions age size largest; do
    [ -n "$topic" ] || continue
    settings="cleanup.policy=delete,retention.ms=$age,retention.bytes=$size,max.message.bytes=$largest"
    settings="$settings,min.insync.replicas=$MIN_INSYNC_REPLICAS,unclean.leader.election.enable=false"
    # Retention uses the broker's clock, so that an old line that arrives late is not deleted at once.
    settings="$settings,message.timestamp.type=LogAppendTime,segment.ms=86400000"
    kafka-topics.sh --bootstrap-server "$BOOTSTRAP" --create --if-not-exists --topic "$topic" \
        --partitions "$partitions" --replication-factor "$REPLICATION" </dev/null
    kafka-configs.sh --bootstrap-server "$BOOTSTRAP" --alter --entity-type topics --entity-name "$topic" \
        --add-config "$settings" </dev/null
done

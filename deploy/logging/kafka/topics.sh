#!/bin/sh
# Makes the topics of topics.conf that are missing and brings the others' settings to what it says. Again and again.
# Partitions are left as they are: more of them move keys to other partitions, fewer cannot be.
# BOOTSTRAP names a broker; REPLICATION and MIN_INSYNC_REPLICAS depend on how many there are.
set -eu
: "${BOOTSTRAP:?names a broker}" "${REPLICATION:?}" "${MIN_INSYNC_REPLICAS:?}"

grep -v '^#' "$(dirname "$0")/topics.conf" | while read -r topic partitions age size largest; do
    [ -n "$topic" ] || continue
    settings="cleanup.policy=delete,retention.ms=$age,retention.bytes=$size,max.message.bytes=$largest"
    settings="$settings,min.insync.replicas=$MIN_INSYNC_REPLICAS,unclean.leader.election.enable=false"
    # By the broker's clock: an old line that is shipped late is not past its time at once.
    settings="$settings,message.timestamp.type=LogAppendTime,segment.ms=86400000"
    kafka-topics.sh --bootstrap-server "$BOOTSTRAP" --create --if-not-exists --topic "$topic" \
        --partitions "$partitions" --replication-factor "$REPLICATION" </dev/null
    kafka-configs.sh --bootstrap-server "$BOOTSTRAP" --alter --entity-type topics --entity-name "$topic" \
        --add-config "$settings" </dev/null
done

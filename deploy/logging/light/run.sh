#!/bin/sh
# run.sh shipper | indexer | gate: run one role of the light pipeline in the foreground. README.md lists its settings.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# The maximum number of lines in flight with shipper.conf: its queue and librdkafka's.
IN_FLIGHT=13000

# The session timeout of a consumer in ms, and the longest pauses between retries, of librdkafka in ms and of rsyslog in s.
: "${KAFKA_SESSION_MS:=6000}" "${KAFKA_BACKOFF_MS:=2000}" "${RESUME_S:=5}"
export KAFKA_SESSION_MS KAFKA_BACKOFF_MS RESUME_S

need() {
    for name; do
        eval "[ -n \"\${$name:-}\" ]" || { echo "run.sh: $name is not set" >&2; exit 64; }
    done
}

# Rewind the shipper's offsets: after any end, lines that it had read may be missing in Kafka. They are read again; those
# that Kafka already has get the same ids.
rewind() {
    for state in "$SPOOL"/imfile-state:*; do
        [ -f "$state" ] || continue
        file=$(sed -n 's/.*"filename": "\(\([^"\\]\|\\.\)*\)".*/\1/p' "$state" | sed 's/\\\(.\)/\1/g')
        at=$(sed -n 's/.*"strt_offs": \([0-9]*\).*/\1/p' "$state")
        inode=${state#*imfile-state:}
        if [ -f "$file" ] && [ "$(stat -c %i "$file")" = "${inode%%:*}" ] && [ "$(stat -c %s "$file")" -ge "$at" ]; then
            back=$(head -c "$at" "$file" | tail -n "$IN_FLIGHT" | wc -c)
            printf '{ "filename": "%s", "prev_was_nl": 0, "curr_offs": %d, "strt_offs": %d }' \
                "$(printf %s "$file" | sed 's/[\\"]/\\&/g')" "$((at - back))" "$((at - back))" >"$state.new"
            mv "$state.new" "$state"
        fi
    done
}

# Truncate the indexer's queues to their checkpoints: a kill may leave a line after the checkpoint, which would be read
# mixed with the lines that overwrite it. Kafka still has the line.
cut() {
    for checkpoint in "$SPOOL"/*.qi; do
        [ -f "$checkpoint" ] || continue
        queue=${checkpoint%.qi}
        # The first stream in the checkpoint is the writing one.
        awk -F: '/^<Obj:1:strm/ { streams++ } streams == 1 && /^\+iCurrFNum:/ { file = $4 }
            streams == 1 && /^\+iCurrOffs:/ { print file, $4; exit }' "$checkpoint" | while read -r number offset; do
            for file in "$queue".[0-9]*; do
                last=$(printf '%s.%08d' "$queue" "$number")
                if [ "$file" = "$last" ]; then
                    truncate --size="$offset" "$file"
                elif [ -f "$file" ] && [ "$(printf '%s\n' "$file" "$last" | sort | tail -n 1)" = "$file" ]; then
                    rm "$file"
                fi
            done
        done
    done
}

case "${1:-}" in
shipper)
    need SPOOL SHIPPER_HOST WEBCHAT_LOGS CONTAINER_LOGS KAFKA_BROKERS KAFKA_TOPIC
    mkdir -p "$SPOOL"
    rewind
    ;;
indexer)
    need SPOOL KAFKA_BROKERS KAFKA_TOPIC KAFKA_GROUP GATE_HOST GATE_PORT
    mkdir -p "$SPOOL"
    cut
    ;;
gate)
    need GATE_STATE GATE_LISTEN ELASTICSEARCH_URL ELASTICSEARCH_CA_FILE
    mkdir -p "$GATE_STATE"
    # shellcheck disable=SC2016 # envsubst expands the names
    envsubst '$GATE_STATE $GATE_LISTEN $ELASTICSEARCH_URL $ELASTICSEARCH_CA_FILE' \
        <"$here/gate.conf.template" >"$GATE_STATE/gate.conf"
    exec "${NGINX_COMMAND:-nginx}" -p "$GATE_STATE" -c "$GATE_STATE/gate.conf" -e stderr -g "daemon off;"
    ;;
*)
    echo "run.sh: name a role: shipper, indexer or gate" >&2
    exit 64
    ;;
esac

if [ -n "${LOGS_WRITER_PASSWORD_FILE:-}" ]; then
    LOGS_WRITER_PASSWORD=$(cat "$LOGS_WRITER_PASSWORD_FILE")
    case "$LOGS_WRITER_PASSWORD" in
    *[\\\"]*) echo "run.sh: rsyslog cannot read a password with \\ or \"" >&2; exit 64 ;;
    esac
    export LOGS_WRITER_PASSWORD
fi
exec rsyslogd -n -iNONE -f "$here/$1.conf"

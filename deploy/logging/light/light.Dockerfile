# The three roles of the light log pipeline in one image; the command selects one.
ARG DEBIAN_IMAGE=debian:13-slim
FROM ${DEBIAN_IMAGE}
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
        gettext-base nginx rsyslog rsyslog-elasticsearch rsyslog-kafka >/dev/null \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin logs \
    && install --directory --owner logs --group logs /var/spool/webchat-indexer \
    && install --directory /var/spool/webchat-shipper
COPY run.sh shipper.conf indexer.conf gate.conf.template /logging/
USER 10001:10001
ENTRYPOINT ["/logging/run.sh"]

#!/bin/bash
# User data of a new Debian 13 instance: installs the engine and joins the instance to the swarm. On Amazon Linux 2023 the
# packages are `dnf install -y docker` (and the engine's compose plugin is not needed); the rest is the same.
#
# Set these in the instance's template. The token comes from the parameter store, so that no template contains it: the
# instance's role needs ssm:GetParameter for it, and the first manager needs ssm:PutParameter.
set -euo pipefail

role=${WEBCHAT_ROLE:-worker} # first (creates the swarm), manager, worker
manager=${WEBCHAT_MANAGER:-} # a manager's private address, except on the first
parameter=${WEBCHAT_PARAMETER:-/webchat/swarm}
edge=${WEBCHAT_EDGE:-here} # none: no nginx on this instance

# Reads from the metadata service with a session token; without a token it is not queried.
ask() {
    local session
    session=$(curl --fail --silent --show-error --retry 5 --request PUT \
        --header "X-aws-ec2-metadata-token-ttl-seconds: 300" http://169.254.169.254/latest/api/token)
    curl --fail --silent --show-error --retry 5 --header "X-aws-ec2-metadata-token: $session" \
        "http://169.254.169.254/latest/meta-data/$1"
}

install_engine() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet=2
    apt-get install --quiet=2 --yes --no-install-recommends docker.io docker-cli awscli curl ca-certificates iptables
}

# Limits for many sockets, more local ports, no swapping; bounded logs for containers without their own limit; the labels
# by which the stack spreads over zones; no new privileges, which stack files cannot ask for.
tune() {
    local zone
    zone=$(ask placement/availability-zone)
    cat >/etc/sysctl.d/90-webchat.conf <<'SYSCTL'
fs.file-max = 2097152
net.core.somaxconn = 16384
net.ipv4.ip_local_port_range = 10240 65535
net.ipv4.tcp_max_syn_backlog = 16384
vm.swappiness = 1
SYSCTL
    sysctl --quiet --system
    mkdir -p /etc/docker
    cat >/etc/docker/daemon.json <<DAEMON
{"log-driver": "json-file", "log-opts": {"max-size": "20m", "max-file": "5"}, "labels": ["zone=$zone", "edge=$edge"], "no-new-privileges": true}
DAEMON
    systemctl enable --quiet docker
    systemctl restart docker
}

token_of() { aws ssm get-parameter --name "$parameter/$1" --with-decryption --query Parameter.Value --output text; }

keep_token() {
    aws ssm put-parameter --name "$parameter/$1" --type SecureString --overwrite \
        --value "$(docker swarm join-token --quiet "$1")" >/dev/null
}

join_swarm() {
    local address
    address=$(ask local-ipv4)
    case $role in
        first)
            docker swarm init --advertise-addr "$address"
            keep_token worker
            keep_token manager
            ;;
        manager | worker)
            [ -n "$manager" ] || { echo "WEBCHAT_MANAGER is not set" >&2; exit 1; }
            docker swarm join --advertise-addr "$address" --token "$(token_of "$role")" "$manager:2377"
            ;;
        *)
            echo "WEBCHAT_ROLE is $role: use first, manager or worker" >&2
            exit 1
            ;;
    esac
}

install_engine
tune
AWS_DEFAULT_REGION=$(ask placement/region)
export AWS_DEFAULT_REGION
[ "$(docker info --format '{{.Swarm.LocalNodeState}}')" = active ] || join_swarm

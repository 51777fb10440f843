#!/bin/sh
# Render the configuration from the environment, then execute nginx.
set -eu

: "${TRUSTED_PROXIES:=}" "${TLS_CERTIFICATE:=}" "${TLS_KEY:=}" "${S3_PUBLIC_URL:=}" "${AWS_CDN_URL:=}"
TLS_PORT=:${HTTPS_PORT:-443}
[ "$TLS_PORT" != :443 ] || TLS_PORT=
export TLS_CERTIFICATE TLS_KEY TLS_PORT

say() { printf 'webchat: %s\n' "$*" >&2; }

in_state() { printf '%s/%s' "$NGINX_STATE" "$1"; }

# Unset and empty settings get their defaults.
set_defaults() {
    while IFS='=' read -r name value; do
        case $name in '' | '#'*) continue ;; esac
        eval "export $name=\"\${$name:-$value}\""
    done <"$NGINX_TEMPLATES/../defaults.env"
}

configure() {
    find "$NGINX_STATE" -mindepth 1 -delete
    names=$(env | sed -n 's/^\([A-Z][A-Z0-9_]*\)=.*/${\1}/p')
    for template in "$NGINX_TEMPLATES"/*.template; do
        envsubst "$names" <"$template" >"$(in_state "$(basename "$template" .template)")"
    done
    : >"$(in_state trusted_addresses.conf)"
    : >"$(in_state trusted_ranges.conf)"
    for range in $(printf '%s' "$TRUSTED_PROXIES" | tr ',' ' '); do
        printf 'set_real_ip_from %s;\n' "$range" >>"$(in_state trusted_addresses.conf)"
        printf '%s 1;\n' "$range" >>"$(in_state trusted_ranges.conf)"
    done
    if [ -n "$TLS_CERTIFICATE" ]; then
        for file in "$TLS_CERTIFICATE" "$TLS_KEY"; do
            [ -r "$file" ] || { say "cannot read $file: TLS_CERTIFICATE and TLS_KEY name files in the container"; exit 1; }
        done
        mv "$(in_state entrance_tls.conf)" "$(in_state entrance.conf)"
    fi
}

# Other origins from which browsers load files: scheme and host of each address.
media_origins() {
    for address in "$@"; do
        printf '%s\n' "$address" | sed -n 's|^\(https\{0,1\}://[^/]*\).*|\1|p'
    done | tr '\n' ' '
}

WEBCHAT_MEDIA_ORIGINS=$(media_origins "$S3_PUBLIC_URL" "$AWS_CDN_URL")
export WEBCHAT_MEDIA_ORIGINS

set_defaults
configure
exec nginx -p "$NGINX_STATE" -c "$(in_state nginx.conf)" -e stderr -g 'daemon off;' "$@"

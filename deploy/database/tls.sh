# Sourced by the other scripts: set "$@" to the client's options for TLS. If DB_TLS_CA names a file, connections are
# encrypted and the server is verified.
set --
if [ -n "${DB_TLS_CA:-}" ]; then
    case $(command -v mariadb || command -v mysql) in
    *mariadb) set -- --ssl-ca="$DB_TLS_CA" --ssl-verify-server-cert ;;
    *) set -- --ssl-ca="$DB_TLS_CA" --ssl-mode=VERIFY_IDENTITY ;;
    esac
fi

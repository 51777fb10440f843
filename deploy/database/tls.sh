# For the scripts beside this: "$@" becomes what their client needs for TLS. With DB_TLS_CA (a file), connections are
# encrypted and the server is verified.
set --
if [ -n "${DB_TLS_CA:-}" ]; then
    case $(command -v mariadb || command -v mysql) in
    *mariadb) set -- --ssl-ca="$DB_TLS_CA" --ssl-verify-server-cert ;;
    *) set -- --ssl-ca="$DB_TLS_CA" --ssl-mode=VERIFY_IDENTITY ;;
    esac
fi

#!/usr/bin/env bash
# Installs what building, testing and the demo need on Debian and its relatives: the Postgres server and
# Chromium, and Node with "setup.sh assets", for those who change scripts or styles. Silent when nothing
# is missing. Go itself comes from https://go.dev/dl/.
set -euo pipefail

go_wanted=1.26

fail() {
    echo "setup: $*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

have_postgres() {
    have initdb && return
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

have_chromium() { [ -x "${CHROMIUM:-/usr/bin/chromium-headless-shell}" ]; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        have sudo || fail "installing needs root: run this as root, or install: ${missing[*]}"
        sudo "$@"
    fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# The demo and the tests run servers of their own: a system-wide one would only take memory and a port.
without_system_cluster() {
    apt_install postgresql-common
    as_root sed -i 's/^#\? *create_main_cluster *=.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
}

have go || fail "Go $go_wanted or newer is missing: install it from https://go.dev/dl/"

missing=()
have_postgres || missing+=(postgresql)
have_chromium || missing+=(chromium-headless-shell fonts-liberation)
case "${1:-}" in
"") ;;
assets)
    have node || missing+=(nodejs)
    have npm || missing+=(npm)
    ;;
*) fail "usage: setup.sh [assets]" ;;
esac
[ ${#missing[@]} -gt 0 ] || exit 0

have apt-get || fail "this is no Debian; install the equivalent of these packages: ${missing[*]}"
echo "setup: installing ${missing[*]}"
as_root apt-get update
if [[ " ${missing[*]} " == *" postgresql "* ]]; then
    without_system_cluster
fi
apt_install "${missing[@]}"
echo "setup: installed ${missing[*]}"

#!/usr/bin/env bash
# Builds the web assets (static/src -> static/dist), or checks that the
# committed ones are what the sources give.
set -euo pipefail

static="$(cd "$(dirname "$0")/../static" && pwd)"

die() {
	echo "$1" >&2
	exit 1
}

usage() {
	echo "usage: scripts/assets.sh build|check" >&2
	exit 2
}

# install brings node_modules to what the lock file says, and does nothing
# when it is there already. No package's install script runs.
install() {
	command -v node >/dev/null && command -v npm >/dev/null ||
		die "Building the web assets needs Node.js 20 or newer, with npm: install it and run this again."
	local stamp="node_modules/.installed-lock"
	if ! cmp -s package-lock.json "$stamp"; then
		npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
			die "npm could not install the packages that static/package-lock.json names: see the lines above."
		cp package-lock.json "$stamp"
	fi
}

[ $# -eq 1 ] || usage
cd "$static"
case "$1" in
build | check) install ;;
*) usage ;;
esac

fresh="$(mktemp -d)"
trap 'rm -rf "$fresh"' EXIT
node build.mjs "$fresh" || die "static/src does not build: see the lines above."

if [ "$1" = build ]; then
	# Files are replaced one by one, so that a Go build beside this one never finds the folder empty.
	mkdir -p dist
	cp -R "$fresh/." dist/
	(cd dist && find . -type f) | while IFS= read -r file; do
		[ -f "$fresh/$file" ] || rm "dist/$file"
	done
fi

node_modules/.bin/tsc --project tsconfig.json || die "static/src has type errors: see the lines above."

if ! diff -rq dist "$fresh" >&2; then
	die "static/dist is stale: run scripts/assets.sh build and commit it"
fi

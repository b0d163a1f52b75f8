#!/bin/sh
# Installs the Mendwright agent on this machine and enrols it. Nothing else is changed: the program goes to
# /usr/local/bin, its state to /var/lib/mendwright, the host's own limits to /etc/mendwright/agent.toml, and where systemd
# runs a unit is started.
#
#   echo TOKEN | sh install.sh --server URL --agent-sha256 HEX --profile PROFILE [--authority HEX] [--root DIR]
#
#   --server        how this machine reaches the server
#   --agent-sha256  the program that is installed is exactly this one
#   --profile       read-only, low-risk or all-signed: what may ever be done here; the server cannot change it
#   --authority     SHA-256 of the server's own certificate authority, where its certificate is not a public one
#   --root          install below this folder and start nothing: for images
#
# The enrolment token is read from standard input, or from MENDWRIGHT_TOKEN: it is never an argument.
set -eu

fail() {
  echo "mendwright: $*" >&2
  exit 1
}

server='' sha256='' profile='' authority='' root=''
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || fail "$1 needs a value"
  case $1 in
    --server) server=${2%/} ;;
    --agent-sha256) sha256=$2 ;;
    --profile) profile=$2 ;;
    --authority) authority=$2 ;;
    --root) root=${2%/} ;;
    *) fail "there is no option $1" ;;
  esac
  shift 2
done
[ -n "$server" ] || fail "say --server"
[ "${#sha256}" -eq 64 ] || fail "say --agent-sha256, 64 hexadecimal digits"
case $profile in
  read-only | low-risk | all-signed) ;;
  *) fail "say --profile: read-only, low-risk or all-signed" ;;
esac
[ "$(uname -s)" = Linux ] || fail "the agent is for Linux"
[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "run this as root, with sudo say"

token=${MENDWRIGHT_TOKEN:-}
if [ -z "$token" ] && [ ! -t 0 ]; then IFS= read -r token || true; fi
[ -n "$token" ] || fail "no enrolment token on standard input"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
url="$server/install/mendwright-agent-$(uname -m)"
# With an authority of its own the server's certificate is not one that curl knows: the digest below decides.
if command -v curl >/dev/null; then
  curl -fsS ${authority:+--insecure} -o "$work/agent" "$url" || fail "$url cannot be had; is there an agent for $(uname -m)?"
elif command -v wget >/dev/null; then
  wget -q ${authority:+--no-check-certificate} -O "$work/agent" "$url" || fail "$url cannot be had; is there an agent for $(uname -m)?"
else
  fail "curl or wget is needed"
fi
echo "$sha256  $work/agent" | sha256sum -c - >/dev/null 2>&1 || fail "what $url gave is not the program that was meant; nothing was installed"

program="$root/usr/local/bin/mendwright-agent"
mkdir -p "$root/usr/local/bin" "$root/etc/systemd/system"
chmod 0755 "$work/agent"
# Moved over the old one: a running agent keeps the file it began with.
cp "$work/agent" "$program.new"
mv -f "$program.new" "$program"

set -- enroll --server "$server" --profile "$profile"
if [ -n "$authority" ]; then set -- "$@" --authority "$authority"; fi
if [ -n "$root" ]; then set -- "$@" --state-dir "$root/var/lib/mendwright"; fi
MENDWRIGHT_TOKEN=$token "$program" "$@" || fail "the host is not enrolled; the program is in $program"

cat >"$root/etc/systemd/system/mendwright-agent.service" <<'UNIT'
@UNIT@
UNIT
if [ -n "$root" ]; then
  echo "installed below $root; start it there with: $program run --state-dir $root/var/lib/mendwright"
elif [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl enable --quiet mendwright-agent
  systemctl restart mendwright-agent
  echo "installed and started: systemctl status mendwright-agent"
else
  echo "installed; systemd does not run here, so start it by what does: $program run"
fi

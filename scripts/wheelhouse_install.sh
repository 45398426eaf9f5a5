#!/bin/sh
# Installs shutan from the folder of this script, with no network: ./install [TARGET], default /opt/shutan.
set -eu
tag=@TAG@
here=$(dirname "$(readlink -f "$0")")
target=${1:-/opt/shutan}

fail() { echo "install: $*" >&2; exit 1; }

(cd "$here" && sha256sum --quiet -c SHA256SUMS) || fail "this copy is damaged: fetch it again"
python=
for name in python3 python3.11 python3.12 python3.13 python3.14; do
    path=$(command -v "$name") || continue
    found=$("$path" -c 'import sys, sysconfig, venv, ensurepip
print(f"cp{sys.version_info.major}{sys.version_info.minor}-{sysconfig.get_platform()}")' 2>/dev/null) || continue
    [ "$found" = "$tag" ] && python=$path && break
done
[ -n "$python" ] || fail "needs Python for $tag with venv (Debian: python3-venv); made for another kind of machine?"

mkdir -p "$target"
[ -x "$target/.venv/bin/python" ] || "$python" -m venv "$target/.venv"
"$target/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --find-links "$here/wheels" \
    --require-hashes --no-deps -r "$here/requirements.txt" || fail "pip refused; nothing was started"
echo "installed: $("$target/.venv/bin/shutan" --version) in $target/.venv"
echo "next: $target/.venv/bin/shutan service install"

#!/bin/sh
# Make .venv with everything pinned. As root on Debian or Ubuntu also install the system packages; elsewhere name them.
set -eu
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}
PACKAGES="libegl1 libgl1 libegl-mesa0 libgl1-mesa-dri libglib2.0-0 supertuxkart-data${EXTRA_PACKAGES:+ $EXTRA_PACKAGES}"

"$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' || {
    echo "setup: $PYTHON is $("$PYTHON" -V 2>&1); Python 3.11 or 3.12 is needed. Name one: make setup PYTHON=python3.11" >&2
    exit 1
}

missing=""
if command -v dpkg-query >/dev/null 2>&1; then
    for package in $PACKAGES; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    if [ -n "$missing" ] && [ "$(id -u)" -eq 0 ]; then
        echo "setup: installing$missing"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    elif [ -n "$missing" ]; then
        echo "setup: please install the system packages: sudo apt-get install$missing" >&2
    fi
else
    echo "setup: not a Debian or Ubuntu system; please install EGL, Mesa's software renderer and SuperTuxKart's assets" >&2
    echo "       (Debian names them: $PACKAGES); 'sim2real-bench doctor' tells what is still missing" >&2
fi

[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
"$VENV/bin/python" -m pip install --quiet --upgrade pip
# torch first and pinned: with it in place nothing else asks for a build with CUDA.
"$VENV/bin/python" -m pip install --quiet -c constraints.txt torch==2.13.0
"$VENV/bin/python" -m pip install --quiet -c constraints.txt -e ".[stk,carla,train,cluster,plot,video,dev]"
echo "setup: done; try $VENV/bin/sim2real-bench doctor"

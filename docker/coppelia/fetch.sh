#!/bin/sh
# Unpack CoppeliaSim: the archive beside this script, or a download; its hash must be the one that was given.
# Usage: fetch.sh VERSION SHA256 FOLDER
set -eu
version=$1
sha256=$2
folder=$3
archive=CoppeliaSim_Edu_${version}_Ubuntu22_04.tar.xz
source=${COPPELIASIM_SOURCE:-https://downloads.coppeliarobotics.com/$version}

if [ -z "$sha256" ]; then
    echo "error: no hash: build with --build-arg COPPELIASIM_SHA256=... (compose: COPPELIASIM_SHA256=... in .env)." >&2
    echo "       Take it from a copy you trust: sha256sum $archive" >&2
    exit 1
fi
if [ ! -f "$archive" ]; then
    echo "downloading $source/$archive"
    curl --fail --silent --show-error --location --output "$archive" "$source/$archive"
fi
echo "$sha256  $archive" | sha256sum --check --strict -
mkdir -p "$folder"
tar --extract --xz --file "$archive" --directory "$folder" --strip-components 1

#!/usr/bin/env bash
# Installs what a bare Debian 12 lacks for building and testing. Needs root or sudo only if something is missing.
set -euo pipefail
packages=(build-essential cmake ninja-build pkg-config libcmocka-dev libjansson-dev libvulkan-dev
    libvulkan-volk-dev libvulkan1 glslc glslang-tools spirv-tools spirv-cross vulkan-validationlayers mesa-vulkan-drivers
    libcairo2-dev python3-minimal clang-format)
if ! command -v dpkg-query > /dev/null; then
    echo "This is no Debian: what it calls ${packages[*]} must be there already." >&2
    exit 0
fi
missing=()
for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo > /dev/null; then
        echo "Missing: ${missing[*]}" >&2
        echo "Only root can install packages, and there is no sudo here: have them installed, then start again." >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "Installing: ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"

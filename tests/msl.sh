#!/usr/bin/env bash
# msl.sh LIST: every shader module in Apple's language, as MoltenVK makes it. spirv-cross ($SPIRV_CROSS, or the one on
# the path) turns each file that LIST names, one a line, into MSL, which must hold the entry point, a compute kernel.
# No Metal compiler is needed. Exit status 77 where there is no spirv-cross: scripts/install.sh installs it.
set -euo pipefail
spirv_cross=${SPIRV_CROSS:-spirv-cross}
if ! command -v "$spirv_cross" >/dev/null; then
    echo "msl.sh: there is no $spirv_cross; no module was tried" >&2
    exit 77
fi
count=0
failed=0
while read -r module; do
    # 3.0: what MoltenVK uses on the systems that have Vulkan 1.3.
    if ! msl=$("$spirv_cross" --msl --msl-version 30000 "$module" 2>&1) || ! grep -q '^kernel void main0(' <<<"$msl"; then
        echo "$(basename "$module"): $(head -n 1 <<<"$msl")" >&2
        failed=$((failed + 1))
    fi
    count=$((count + 1))
done <"$1"
echo "$count modules, $failed that do not become MSL"
[ "$count" -gt 0 ] && [ "$failed" -eq 0 ]

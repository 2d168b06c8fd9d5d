#!/usr/bin/env bash
# Without a Vulkan driver every Vulkan test must fail: a skip would look like a pass. Usage: no_device.sh TEST...
export VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent
passed=()
for program in "$@"; do
    "$program" > /dev/null 2>&1 && passed+=("$program")
done
[ ${#passed[@]} -eq 0 ] || { echo "passed without a device: ${passed[*]}" >&2; exit 1; }

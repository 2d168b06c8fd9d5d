#!/usr/bin/env bash
# Tests pass on anyone's machine (docs/conventions.md): finds, as far as words tell, what waits for a time, needs rights,
# another user, a terminal, or a folder of a fixed name. Usage: check_conditions.sh <tests folder>
set -euo pipefail
found=0
# look PATTERN WHY
look() {
    if grep -rnE --include='*.c' --include='*.h' --include='*.sh' --exclude=check_conditions.sh --exclude=folder.h -- "$1" "$2"; then
        echo "^ $3" >&2
        found=1
    fi
}
look '\b(usleep|nanosleep|sleep|alarm|setitimer|pthread_cond_timedwait) ?\(|\bsleep [0-9.]+|\btimeout -|\btimeout [0-9]' "$1" \
    "a time decides: wait for what is to happen instead (faults.c raises signals at chosen operations)"
look '\b(unshare|sudo|setpriv|chroot) |\bmount -|\bsu -|\bscript -[a-z]' "$1" \
    "needs rights, another user or a terminal: inject the fault (faults.c)"
look '\b(seteuid|setuid|geteuid|getuid|openpty|forkpty|posix_openpt) ?\(' "$1" \
    "depends on the user or on terminals: ask for the effect (access) or inject it (faults.c)"
look '"/tmp|/tmp/[a-zA-Z]|/home/[^a]' "$1" "a folder that may not be there: test_folder_make of folder.h follows TMPDIR"
exit $found

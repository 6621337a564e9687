# machine.sh, to be read by run.sh: a machine that can be spoilt. Its disk is this machine's, with what it writes kept in
# memory and thrown away; its PID 1 is systemd, its network its own loopback, and none of this machine's services runs in it.

machine_dir=

machine_possible() { # says why not
    if ! command -v systemd-nspawn >/dev/null; then
        echo "there is no systemd-nspawn"
    elif ! command -v nsenter >/dev/null; then
        echo "there is no nsenter"
    elif [ ! -x /sbin/init ] || [ "$(basename "$(readlink -f /sbin/init)")" != systemd ]; then
        echo "/sbin/init is not systemd"
    else
        return 0
    fi
    return 1
}

machine_make() { # FOLDER: it is seen in the machine under its own name, to be read
    machine_shared=$1
    machine_dir=$(mktemp -d /tmp/driftd-machine-XXXXXX)
    mount -t tmpfs -o mode=755,size=1G driftd-machine "$machine_dir" || return 1
    mkdir "$machine_dir/upper" "$machine_dir/work" "$machine_dir/root"
    mount -t overlay -o "lowerdir=/,upperdir=$machine_dir/upper,workdir=$machine_dir/work" driftd-machine-root "$machine_dir/root" || return 1
    rm -rf "$machine_dir"/root/etc/systemd/system/*.wants "$machine_dir/root/usr/sbin/policy-rc.d" "$machine_dir/root/var/log/journal"
    tr -d - </proc/sys/kernel/random/uuid >"$machine_dir/root/etc/machine-id"
}

# Boots it, for the first time or again: the disk is as it was left.
machine_up() {
    setsid systemd-nspawn -q -D "$machine_dir/root" -M "driftd-$$" --boot --register=no --keep-unit --console=pipe \
        --private-network --link-journal=no --kill-signal=SIGRTMIN+3 --bind-ro="$machine_shared" </dev/null >"$machine_dir/console" 2>&1 &
    nspawn=$!
    echo "$nspawn" >"$machine_dir/nspawn" # in a file, as whoever takes it down may be another shell
    tries=300
    while [ $tries -gt 0 ] && kill -0 "$nspawn" 2>/dev/null; do
        init=$(cat "/proc/$nspawn/task/$nspawn/children" 2>/dev/null)
        echo "${init%% *}" >"$machine_dir/init"
        if [ -n "$init" ] && machine_in systemctl is-system-running --wait 2>/dev/null | grep -qE 'running|degraded'; then
            return 0
        fi
        tries=$((tries - 1))
        sleep 0.1
    done
    tail -n 5 "$machine_dir/console" >&2
    return 1
}

machine_in() { # COMMAND...: as root, in all namespaces of the machine
    nsenter -t "$(cat "$machine_dir/init")" -a -- env -i HOME=/root LC_ALL=C.UTF-8 TERM=dumb DEBIAN_FRONTEND=noninteractive \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# In order, as when somebody types poweroff.
machine_down() {
    nspawn=$(cat "$machine_dir/nspawn" 2>/dev/null)
    [ -n "$nspawn" ] && kill -0 "$nspawn" 2>/dev/null || return 0
    machine_in systemctl poweroff >/dev/null 2>&1
    tries=600
    while kill -0 "$nspawn" 2>/dev/null; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || kill -KILL "$nspawn"
        sleep 0.1
    done
    rm "$machine_dir/nspawn"
}

machine_destroy() {
    [ -n "$machine_dir" ] || return 0
    machine_down
    umount "$machine_dir/root" 2>/dev/null
    umount "$machine_dir" 2>/dev/null
    rmdir "$machine_dir"
    machine_dir=
}

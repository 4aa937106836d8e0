# shellcheck shell=bash
# Pythons newer than the machine's, from Debian's unstable release, in a folder of their own.
#
# The folder stays in the user's cache, is made anew when it is a week old, and goes with
# `.ci/run --remove-cache`. What is mounted in it is mounted in a namespace that ends with its last
# process, however that ended; outside of it, nothing is ever mounted.

debian_cache=${XDG_CACHE_HOME:-$HOME/.cache}/dmemfs-ci
debian_root=$debian_cache/debian
# What a run has in it, and takes away again.
debian_scratch=/dmemfs-ci
debian_checkout=$debian_scratch/checkout
debian_pythons=(python3.14 python3.15 pypy3)

# in_debian COMMAND...: run it there, as root and in the copy of the checkout. It ends with this.
in_debian() {
    # shellcheck disable=SC2016
    unshare --mount --propagation private --pid --fork --kill-child -- bash -c '
        mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" || exit 125
        HOME=/root chroot "$1" env -C "$2" "${@:3}"
        exit $?' - "$debian_root" "$debian_checkout" "$@"
}

# Print why this machine cannot have such a folder, if it cannot.
debian_obstacle() {
    if [[ $(uname) != Linux ]]; then
        echo "needs Linux"
    elif ((EUID != 0)); then
        echo "needs root"
    elif ! unshare --mount --propagation private --pid --fork --kill-child true 2>/dev/null; then
        echo "needs leave to mount"
    elif [[ -z $(debian_mirror) ]]; then
        echo "no mirror in apt's sources"
    fi
}

# Print the first mirror in the machine's own sources of apt.
debian_mirror() {
    local sources=()
    mapfile -t sources < <(find /etc/apt/sources.list /etc/apt/sources.list.d/*.sources \
        /etc/apt/sources.list.d/*.list -type f 2>/dev/null)
    ((${#sources[@]} == 0)) || awk '
        $1 == "URIs:" { print $2; exit }
        $1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ "://") { print $i; exit } }' "${sources[@]}"
}

# Keep the folder for this run: two at once would take it from each other.
lock_debian() {
    mkdir -p "$debian_cache" && exec {debian_lock}>"$debian_cache/lock" && flock -w 60 "$debian_lock"
}

# Make the locked folder ready for this run. If it cannot be, the last line that it prints says why.
prepare_debian() {
    if [[ -z $(find "$debian_root/made" -mtime -7 2>/dev/null) ]]; then
        rm -rf --one-file-system "$debian_root"
        build_debian || return
    fi
    release_debian
    mkdir -p "$debian_root$debian_checkout"
    copy_settings
    tar --exclude-vcs --exclude-vcs-ignores -cf - . | tar -xf - -C "$debian_root$debian_checkout" ||
        { echo "the checkout could not be copied"; return 1; }
}

# About two minutes, and 700 MB.
build_debian() {
    local command name
    command=$(find_debootstrap)
    if [[ -z $command ]]; then
        echo "no debootstrap"
        return 1
    fi
    if ! timeout --foreground 900 "$command" --variant=minbase sid "$debian_root" "$(debian_mirror)"
    then
        echo "the mirror does not give Debian's unstable release"
        return 1
    fi
    # The index may be that of a copy, which is weeks old.
    echo 'Acquire::Check-Valid-Until "false";' >"$debian_root/etc/apt/apt.conf.d/99valid"
    mkdir -p "$debian_root$debian_checkout"
    copy_settings
    if ! install_in_debian ca-certificates gcc libc6-dev libsqlite3-dev; then
        echo "apt fails in Debian's unstable release"
        return 1
    fi
    # A Python that the release does not have yet, or no longer, is just not found.
    for name in "${debian_pythons[@]}"; do
        install_in_debian "$name" "$name-venv" || true
        [[ $name == pypy3 ]] || install_in_debian "$name-dev" || true
    done
    rm -rf "$debian_root"/var/cache/apt/archives/*.deb
    touch "$debian_root/made"
}

# Print the command of debootstrap: the machine's, or one that is unpacked here and not installed.
find_debootstrap() {
    local place=$scratch/debootstrap
    command -v debootstrap && return
    mkdir -p "$place/lists/partial" "$place/archives/partial"
    local options=(-o "Dir::State::Lists=$place/lists" -o "Dir::Cache=$place" -o APT::Sandbox::User=root)
    (
        cd "$place" || exit
        apt-get "${options[@]}" update && apt-get "${options[@]}" download debootstrap &&
            dpkg-deb --extract debootstrap_*.deb .
    ) >&2 || return
    sed -i "s|/usr/share/debootstrap|$place/usr/share/debootstrap|" "$place/usr/sbin/debootstrap"
    echo "$place/usr/sbin/debootstrap"
}

install_in_debian() {
    # shellcheck disable=SC2016
    in_debian timeout --foreground 900 sh -c '
        export DEBIAN_FRONTEND=noninteractive
        apt-get update && exec apt-get install -y --no-install-recommends "$@"' - "$@"
}

# How this machine reaches the network, for apt and pip.
copy_settings() {
    local file
    for file in /etc/resolv.conf /etc/hosts /etc/pip.conf ~/.config/pip/pip.conf \
        /etc/ssl/certs/ca-certificates.crt; do
        if [[ -f $file ]]; then
            mkdir -p "$debian_root/${file%/*}"
            cp -L "$file" "$debian_root/$file"
        fi
    done
}

# Take away what this run has put there; the Pythons stay.
release_debian() {
    rm -rf --one-file-system "${debian_root:?}$debian_scratch"
}

#!/bin/sh
# in_debian.sh SUITE COMMAND...: run a command in this folder on another Debian (trixie, forky), as root.
#
# Debian's own packages make its root, once, in .build/SUITE, from the mirror of this machine's apt or
# from MIRROR, with the packages of requirements-dev.txt in /venv. What is mounted there is seen by this
# process and its children alone, and is gone with them.
set -eu
[ "$(id -u)" = 0 ] || { echo 'Only root can run this.' >&2; exit 1; }
suite=$1 root=$PWD/.build/$1
shift

if [ ! -e "$root/ready" ]; then
    rm -rf "$root"
    mkdir -p "$root"
    script=/usr/share/debootstrap/scripts/$suite
    [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
    mirror=${MIRROR:-$(apt-get indextargets --format '$(SITE)' | grep -m 1 '/debian/*$')}
    debootstrap --variant=minbase --include=ca-certificates,python3-venv "$suite" "$root" "$mirror" "$script"
    # What this machine trusts, its own authorities included.
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    # A mirror may lag behind by more than the week that a Release file of testing is valid.
    echo 'Acquire::Check-Valid-Until "false";' > "$root/etc/apt/apt.conf.d/99lagging"
    # Packages start no service there, and none of them fails because nothing can (invoke-rc.d(8)).
    printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    chroot "$root" python3 -m venv /venv
    mkdir "$root/project"
    touch "$root/ready"
fi
export ROOT="$root"
exec unshare --mount sh -euc '
    mount --rbind /dev "$ROOT/dev"
    mount -t proc proc "$ROOT/proc"
    mount --bind "$PWD" "$ROOT/project"
    chroot "$ROOT" /venv/bin/pip --quiet install --no-compile --no-deps --require-hashes \
        --requirement /project/requirements-dev.txt
    exec chroot "$ROOT" sh -c "cd /project && exec \"\$@\"" sh "$@"
' sh "$@"

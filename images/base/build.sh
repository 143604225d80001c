#!/bin/sh
# The Debian base of the images that need more than one static binary: a tar of unpacked packages, no maintainer scripts.
# usage: build.sh OUT WORK SUITE APT_OPTIONS PYTHON < sources.list
#   OUT          tar to write
#   WORK         empty folder to work in
#   SUITE        code name of the release, such as bookworm
#   APT_OPTIONS  file with the machine's apt settings for reaching its package servers
#   PYTHON       version of Python that this release has, such as 3.11
set -eu
out=$1 work=$2 suite=$3 options=$4 python=$5
root=$work/root

mmdebstrap --quiet --variant=extract --aptopt="$options" \
  --include="base-files,bash,dash,coreutils,util-linux,ca-certificates,numactl,libstdc++6,libgcc-s1,libc6,zlib1g,libpython$python" \
  "$suite" "$root" -

cd "$root"
cat usr/share/ca-certificates/mozilla/*.crt > etc/ssl/certs/ca-certificates.crt
[ -e bin/sh ] || ln -s dash bin/sh

# Nothing here is ever configured, administered or localised.
rm -rf dev/* proc/* sys/* run/* boot home media mnt opt srv root var/cache/* var/lib/apt var/lib/dpkg var/log/* etc/apt
rm -rf usr/sbin/* usr/bin/perl* usr/share/perl* usr/lib/*-linux-gnu/perl* usr/lib/*-linux-gnu/libperl* usr/lib/*-linux-gnu/gconv
for unused in bash-completion bug debconf doc i18n info lintian locale man menu mime pixmaps zoneinfo; do rm -rf "usr/share/$unused"; done
for unused in ensurepip lib2to3 idlelib tkinter turtle.py pydoc_data test distutils; do rm -rf "usr/lib/python$python/$unused"; done
rm -rf usr/lib/python"$python"/config-* 
find . -name __pycache__ -type d -prune -exec rm -rf {} +

mkdir -p tmp dev/shm models usr/lib/python3/dist-packages
chmod 1777 tmp
printf 'root:x:0:0::/:/bin/sh\nnonroot:x:65532:65532::/tmp:/bin/sh\n' > etc/passwd
printf 'root:x:0:\nnonroot:x:65532:\n' > etc/group
printf 'hosts: files dns\n' > etc/nsswitch.conf

# The images run with a read-only root, so Python must find its byte code there; checked by hash because layers lose times.
"/usr/bin/python$python" -m compileall -q -j1 --invalidation-mode unchecked-hash -s "$root" "$root/usr/lib/python$python" > "$work/compileall.log" 2>&1 || true
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$out" .

#!/bin/sh
# install.sh install|uninstall DESTDIR PREFIX BUILD VERSION: puts the files of driftd where a Debian system looks for
# them, or takes them away. An edited configuration is never overwritten nor removed.
# LIBDIR and UNITDIR in the environment put the library and the unit elsewhere than the prefix says.
set -eu
what=$1 root=$2 prefix=$3 build=$4 version=$5
unitdir=$prefix/lib/systemd/system sysusersdir=$prefix/lib/sysusers.d
[ "$prefix" = /usr/local ] && unitdir=/etc/systemd/system sysusersdir=/etc/sysusers.d
libdir=${LIBDIR:-$prefix/lib} unitdir=${UNITDIR:-$unitdir}
prefix_root=$root$prefix bin=$root$prefix/bin sbin=$root$prefix/sbin lib=$root$libdir include=$root$prefix/include share=$root$prefix/share
man=$share/man completion=$share/bash-completion/completions
units=$root$unitdir sysusers=$root$sysusersdir conf=$root/etc/driftd

install_all() {
    install -d "$prefix_root/lib/systemd/catalog" "$share/driftd" "$bin" "$sbin" "$lib/pkgconfig" "$include" "$units" "$sysusers" "$conf/conf.d" "$share/doc/driftd" \
        "$man/man1" "$man/man5" "$man/man8" "$completion"
    install -m 755 "$build/driftd" "$sbin/driftd"
    install -m 755 "$build/driftc" "$bin/driftc"
    install -m 644 "$build/libdrift.a" "$lib/libdrift.a"
    install -m 644 "$build/libdrift.so" "$lib/libdrift.so.0"
    ln -sf libdrift.so.0 "$lib/libdrift.so"
    install -m 644 lib/drift.h "$include/drift.h"
    sed -e "s|@prefix@|$prefix|" -e "s|@libdir@|$libdir|" -e "s|@version@|$version|" conf/libdrift.pc.in >"$lib/pkgconfig/libdrift.pc"
    sed "s|@sbindir@|$prefix/sbin|g; s|@bindir@|$prefix/bin|g; s|@sysconfdir@|/etc|g; s|@docdir@|$prefix/share/doc/driftd|g" systemd/driftd.service.in >"$units/driftd.service"
    install -m 644 systemd/driftd.catalog "$prefix_root/lib/systemd/catalog/driftd.catalog"
    install -m 644 conf/prometheus/driftd.rules.yml "$share/driftd/driftd.rules.yml"
    install -m 644 conf/grafana/driftd.json "$share/driftd/grafana.json"
    install -m 644 systemd/driftd.sysusers "$sysusers/driftd.conf"
    install -m 644 README.md CHANGELOG.md LICENSE docs/*.md "$share/doc/driftd/"
    install -m 644 conf/driftd.yaml "$share/doc/driftd/driftd.yaml.example"
    install -m 644 conf/examples/*.yaml conf/driftd.schema.json "$share/doc/driftd/"
    install -m 644 conf/driftc.bash "$completion/driftc"
    for page in docs/man/*.[158]; do
        tests/house/man.sh "$page" "$version" "$prefix/share/doc/driftd" >"$man/man${page##*.}/${page##*/}"
    done
    if [ -e "$conf/driftd.yaml" ]; then
        echo "kept $conf/driftd.yaml as it is; the sample of this version: $share/doc/driftd/driftd.yaml.example"
    else
        install -m 644 conf/driftd.yaml "$conf/driftd.yaml"
    fi
    [ -n "$root" ] || echo "next: systemd-sysusers && journalctl --update-catalog && systemctl daemon-reload && systemctl enable --now driftd"
}

uninstall_all() {
    rm -f "$sbin/driftd" "$bin/driftc" "$lib/libdrift.a" "$lib/libdrift.so" "$lib/libdrift.so.0" "$include/drift.h" \
        "$lib/pkgconfig/libdrift.pc" "$units/driftd.service" "$sysusers/driftd.conf" "$completion/driftc" \
        "$man/man1/driftc.1" "$man/man5/driftd.yaml.5" "$man/man8/driftd.8" \
        "$prefix_root/lib/systemd/catalog/driftd.catalog"
    rm -rf "$share/driftd"
    if [ -e "$conf/driftd.yaml" ] && cmp -s "$conf/driftd.yaml" "$share/doc/driftd/driftd.yaml.example"; then
        rm -f "$conf/driftd.yaml"
        rmdir "$conf/conf.d" "$conf" 2>/dev/null || true # whoever put files there keeps them
    elif [ -e "$conf/driftd.yaml" ]; then
        echo "kept $conf/driftd.yaml: it was edited"
    fi
    rm -rf "$share/doc/driftd"
}

case $what in
install) install_all ;;
uninstall) uninstall_all ;;
*) echo "usage: install.sh install|uninstall DESTDIR PREFIX BUILD VERSION" >&2; exit 64 ;;
esac

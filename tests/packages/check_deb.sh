#!/usr/bin/env bash
# Installs a .deb on a bare Debian, traces a fact, starts the window, looks for the file type, and takes
# the package away again.
#
# tests/packages/check_deb.sh DEB [SUITE]    SUITE: of Debian; bookworm
#
# Needs root, debootstrap, and a network for Debian's packages.
set -euo pipefail
deb=$(realpath "${1:?the package}")
source "$(dirname "$0")/debian.sh"
bare_debian "${2:-bookworm}" ca-certificates
cp "$deb" "$debian/root/"
inside apt-get update --quiet --quiet
inside env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes --no-install-recommends \
  "/root/$(basename "$deb")" desktop-file-utils shared-mime-info >/dev/null
traces_a_fact factscope
inside desktop-file-validate /usr/share/applications/factscope.desktop
inside grep --quiet "application/vnd.factscope.session:\*.factscope" /usr/share/mime/globs
grep --quiet "application/vnd.factscope.session=factscope.desktop" "$debian/usr/share/applications/mimeinfo.cache"
opens_its_window factscope
echo "the window: window.png"
inside env DEBIAN_FRONTEND=noninteractive apt-get remove --quiet --quiet --yes factscope >/dev/null
left=$(find "$debian/usr" -ipath "*factscope*" -not -path "*/apt/*")
[[ -z $left ]] || { echo "left behind: $left" >&2; exit 1; }
echo "installed, used, removed"

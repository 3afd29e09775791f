# A bare Debian in a folder of its own, for the scripts beside; it is sourced, needs root and debootstrap.

# bare_debian SUITE PACKAGE,… : makes it, sets `debian` to its folder, and takes it away at the end.
bare_debian() {
  debian=$(mktemp --directory)
  trap 'umount --lazy "$debian/proc" 2>/dev/null; rm --recursive --force --one-file-system "$debian" "$debian.log"' EXIT
  # Apt fetches as a user of its own.
  chmod 755 "$debian"
  debootstrap --variant=minbase --include="$2" "$1" "$debian" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$debian.log" ||
    { tail "$debian.log" >&2; exit 1; }
  mount --types proc proc "$debian/proc"
  cp /etc/resolv.conf "$debian/etc/resolv.conf"
  # Behind a proxy that signs for others, what this machine trusts is trusted there too.
  mkdir --parents "$debian/etc/ssl/certs"
  cp --dereference /etc/ssl/certs/ca-certificates.crt "$debian/etc/ssl/certs/"
}

# inside COMMAND… : runs it there, with no more of this machine than its network.
inside() {
  chroot "$debian" /usr/bin/env --ignore-environment HOME=/root LANG=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" "$@"
}

# traces_a_fact PROGRAM : whether it recalls the fact that its MLPs bring back.
traces_a_fact() {
  inside "$1" trace --facts builtin --case 2 --kind mlp --window 2 | grep --quiet "0.089836 at token ·is, layer 1"
}

# opens_its_window PROGRAM : whether the window draws itself, on a virtual display.
opens_its_window() {
  inside apt-get update --quiet --quiet
  inside env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes --no-install-recommends \
    xvfb xauth libegl1 libgl1-mesa-dri libx11-6 libx11-xcb1 libxcb1 libxcursor1 libxi6 libxrandr2 \
    libxkbcommon0 libxkbcommon-x11-0 >/dev/null
  inside xvfb-run --auto-servernum --server-args="-screen 0 1280x720x24" \
    "$1" explore --screenshot /root/window.png
  cp "$debian/root/window.png" .
  # A window of one colour takes a few kilobytes.
  (($(stat --format=%s window.png) > 20000))
}

#!/bin/sh
# Writes tests/fixtures/tls: an authority of our own, and certificates of a server on loopback that it
# signs. Their keys protect nothing: no program trusts this authority unless a test tells it to.
set -eu
out=$(dirname "$0")/../fixtures/tls
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# authority NAME
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj "/CN=$1" \
        -keyout "$dir/$1.key" -out "$dir/$1.pem" -addext "basicConstraints=critical,CA:TRUE" \
        -addext "keyUsage=critical,keyCertSign"
}

# certificate NAME HOSTS FIRST-DAY LAST-DAY, signed by `authority`
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -keyout "$out/$1.key" -out "$dir/$1.csr"
    chmod 644 "$out/$1.key"
    : >"$dir/index"
    echo 01 >"$dir/serial"
    cat >"$dir/ca.conf" <<END
[ca]
default_ca = here
[here]
database = $dir/index
new_certs_dir = $dir
serial = $dir/serial
default_md = sha256
policy = any
x509_extensions = server
[any]
commonName = supplied
[server]
subjectAltName = $2
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
END
    openssl ca -config "$dir/ca.conf" -batch -notext -in "$dir/$1.csr" -cert "$dir/authority.pem" \
        -keyfile "$dir/authority.key" -startdate "$3" -enddate "$4" -out "$out/$1.pem"
}

mkdir -p "$out"
authority authority
authority stranger
cp "$dir/authority.pem" "$dir/stranger.pem" "$out"
certificate server DNS:localhost,IP:127.0.0.1 20250101000000Z 21250101000000Z
certificate elsewhere DNS:elsewhere.invalid 20250101000000Z 21250101000000Z
certificate expired DNS:localhost,IP:127.0.0.1 20200101000000Z 20210101000000Z

//! Downloads over TLS: whose certificates are good, and what is said of others.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::hub::server::{COMMIT, Server};
use crate::hub::tiny;
use crate::support::program;

/// The variables that name certificates.
const VARIABLES: [&str; 4] =
    ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// A file that `tests/golden/make_certificates.sh` wrote.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

/// The tiny model on a server that speaks TLS with a certificate. Gives the port.
fn serve(certificate: &str) -> (Server, u16) {
    let server = tiny();
    let chain = CertificateDer::pem_file_iter(file(&format!("{certificate}.pem"))).unwrap();
    let chain: Vec<_> = chain.collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(file(&format!("{certificate}.key"))).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let plain = server.url.trim_start_matches("http://").to_owned();
    // It ends with the test's process.
    let accept = move || {
        for stream in listener.incoming() {
            let (config, plain) = (Arc::clone(&config), plain.clone());
            // Who does not like the certificate hangs up.
            let pass_on = move || _ = pass_on(stream.unwrap(), config, &plain);
            thread::Builder::new().name("request".to_owned()).spawn(pass_on).unwrap();
        }
    };
    thread::Builder::new().name("tls".to_owned()).spawn(accept).unwrap();
    (server, port)
}

/// Passes one request on to the plain server, and its answer back.
fn pass_on(stream: TcpStream, config: Arc<ServerConfig>, plain: &str) -> io::Result<()> {
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut client = StreamOwned::new(connection, stream);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let mut server = TcpStream::connect(plain)?;
    server.write_all(&request)?;
    io::copy(&mut server, &mut client)?;
    client.conn.send_close_notify();
    client.flush()?;
    client.sock.shutdown(Shutdown::Write)
}

/// `factscope get me/tiny` from a hub at an address, with variables that name certificates.
fn get(address: &str, variables: &[(&str, &Path)]) -> (TempDir, Output) {
    let cache = tempfile::tempdir().unwrap();
    let mut command = program(&["get", "me/tiny"]);
    for name in VARIABLES.iter().chain(&["HF_HUB_OFFLINE", "HF_TOKEN"]) {
        command.env_remove(name);
    }
    command.env("HF_ENDPOINT", address).env("HF_HUB_CACHE", cache.path());
    command.env("HF_HOME", cache.path()).envs(variables.iter().copied());
    let output = command.output().unwrap();
    (cache, output)
}

#[test]
fn a_certificate_of_an_authority_that_is_named_is_good() {
    let (server, port) = serve("server");
    let folder = tempfile::tempdir().unwrap();
    for name in ["stranger.pem", "authority.pem"] {
        std::fs::copy(file(name), folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("README"), "no certificate").unwrap();
    let authority = file("authority.pem");
    for (variable, path) in [
        ("SSL_CERT_FILE", authority.as_path()),
        ("REQUESTS_CA_BUNDLE", &authority),
        ("CURL_CA_BUNDLE", &authority),
        ("SSL_CERT_DIR", folder.path()),
        ("REQUESTS_CA_BUNDLE", folder.path()),
    ] {
        for host in ["localhost", "127.0.0.1"] {
            let (cache, output) = get(&format!("https://{host}:{port}"), &[(variable, path)]);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{variable}, {host}: {stderr}");
            let model = cache.path().join("models--me--tiny/snapshots").join(COMMIT);
            let found = std::fs::read(model.join("model.safetensors")).unwrap();
            assert!(found == std::fs::read("tests/fixtures/tiny/model.safetensors").unwrap());
        }
    }
    assert!(!server.seen().is_empty());
}

/// No request is sent to a server that it is not meant for, not even its name.
#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let refused = |certificate: &str, variables: &[(&str, &Path)], says: &[&str]| {
        let (server, port) = serve(certificate);
        let (cache, output) = get(&format!("https://localhost:{port}"), variables);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{certificate}");
        for part in says {
            assert!(stderr.contains(part), "{certificate}: “{part}” is not in: {stderr}");
        }
        assert!(!stderr.contains("panicked"), "{stderr}");
        assert!(server.seen().is_empty(), "{certificate}");
        assert!(!cache.path().join("models--me--tiny/snapshots").exists(), "{certificate}");
    };
    let (authority, stranger) = (file("authority.pem"), file("stranger.pem"));
    let ours: &[(&str, &Path)] = &[("SSL_CERT_FILE", &authority)];
    // By default Mozilla's authorities are trusted, and those alone.
    refused("server", &[], &["localhost", "authority", "SSL_CERT_FILE"]);
    refused("server", &[("SSL_CERT_FILE", &stranger)], &["authority", "SSL_CERT_FILE"]);
    // The first variable decides.
    let both: &[(&str, &Path)] =
        &[("SSL_CERT_FILE", &stranger), ("REQUESTS_CA_BUNDLE", &authority)];
    refused("server", both, &["authority"]);
    refused("elsewhere", ours, &["another host", "elsewhere.invalid"]);
    refused("expired", ours, &["expired", "clock"]);
    let nowhere = file("nowhere.pem");
    let none = file("server.key");
    refused("server", &[("SSL_CERT_FILE", &nowhere)], &["SSL_CERT_FILE", "nowhere.pem"]);
    refused("server", &[("SSL_CERT_FILE", &none)], &["SSL_CERT_FILE", "server.key", "none"]);
}

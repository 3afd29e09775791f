//! What the environment says about connections: a proxy, and whose certificates are good.

use std::fs::{self, DirEntry};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ureq::Proxy;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use super::{HubError, given};

/// The variables that name a proxy, as ureq looks at them.
const PROXIES: [&str; 6] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// The variables that name a file of certificates or a folder of such files, as Python's `httpx` and
/// `requests` look at them. The first that is set decides.
const CERTIFICATES: [&str; 4] =
    ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// The proxy that the environment names. None is asked for this machine itself.
pub(super) fn proxy(endpoint: &str) -> Result<Option<Proxy>, HubError> {
    for variable in PROXIES {
        if let Some(value) = given(variable)
            && Proxy::new(&value.to_string_lossy()).is_err()
        {
            // Without what may be a password.
            let value = value.to_string_lossy();
            let value = value.rsplit('@').next().unwrap_or_default().to_owned();
            return Err(HubError::Proxy { variable, value });
        }
    }
    let uri: Option<Uri> = endpoint.parse().ok();
    let host = uri.as_ref().and_then(|it| it.host()).unwrap_or_default();
    let is_here = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
    Ok(Proxy::try_from_env().filter(|_| !is_here))
}

/// The certificates that a server's must be signed by: those that the environment names, else
/// Mozilla's.
pub(super) fn certificates() -> Result<RootCerts, HubError> {
    let Some((variable, path)) =
        CERTIFICATES.into_iter().find_map(|it| Some((it, PathBuf::from(given(it)?))))
    else {
        return Ok(RootCerts::WebPki);
    };
    let fail = |reason: String| HubError::Certificates { variable, path: path.clone(), reason };
    let unreadable = |error: io::Error| fail(error.to_string());
    let files = if path.is_dir() {
        let entries = fs::read_dir(&path).and_then(Iterator::collect).map_err(unreadable)?;
        let entries: Vec<DirEntry> = entries;
        entries.into_iter().map(|it| it.path()).filter(|it| it.is_file()).collect()
    } else {
        vec![path.clone()]
    };
    let mut found: Vec<Certificate<'static>> = Vec::new();
    for file in files {
        for item in parse_pem(&fs::read(&file).map_err(unreadable)?) {
            match item {
                Ok(PemItem::Certificate(certificate)) => found.push(certificate),
                Ok(_) => {}
                Err(error) => return Err(fail(error.to_string())),
            }
        }
    }
    if found.is_empty() {
        return Err(fail("it holds none".to_owned()));
    }
    Ok(RootCerts::Specific(Arc::new(found)))
}

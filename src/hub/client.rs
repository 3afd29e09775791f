//! Requests to the hub: redirects, who is told the token, what a refusal means, and how long a server
//! is waited for.
//!
//! A request runs on a thread of its own, so that a cancel is heard while a server is silent.

use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use ureq::http::{HeaderMap, Response, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy};

use super::get::{Stage, Wait};
use super::settings::Settings;
use super::{HubError, HubName, given};
use crate::task::{Cancelled, Progress, TaskCtx};

/// How often a waiting task looks whether it is cancelled.
const LOOK: Duration = Duration::from_millis(50);

/// The bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// More redirects than this are a circle.
const MOST_REDIRECTS: usize = 10;

/// The longest answer that is no file.
const LONGEST_TEXT: usize = 64 << 20;

/// The variables that name a proxy, as ureq looks at them.
const PROXIES: [&str; 6] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// The variables that name a file of certificates.
const CERTIFICATES: [&str; 3] = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

pub(super) struct Client<'a> {
    agent: Agent,
    pub settings: &'a Settings,
}

/// Who waits for an answer: the task, how far it has come, and whom to tell that it waits.
pub(super) struct Watch<'a> {
    pub ctx: &'a TaskCtx<'a>,
    pub say: &'a dyn Fn(Stage),
    pub progress: Progress,
}

/// What is asked for, to be named where it is refused.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub name: &'a HubName,

    /// `None` is the list of files.
    pub file: Option<&'a str>,
}

/// An answer whose bytes are on their way.
pub(super) struct Stream {
    pub status: u16,
    pub host: String,
    headers: HeaderMap,

    /// The hash of the content by the hub itself, whoever sends the content.
    pub etag: Option<String>,
    messages: Receiver<Message>,
}

enum Message {
    Head(Box<Stream>),
    Bytes(Vec<u8>),
    End,
    Failed(Trouble),
}

/// Why an answer does not come.
pub(super) enum Trouble {
    /// It may come later: 429 or 503, after the time that the server asks for.
    Busy {
        host: String,
        status: u16,
        wait: Option<Duration>,
    },

    /// It may come if asked again.
    Lost {
        host: String,
        reason: String,
    },
    Final(HubError),
}

impl From<HubError> for Trouble {
    fn from(error: HubError) -> Self {
        Self::Final(error)
    }
}

impl From<Cancelled> for Trouble {
    fn from(cancelled: Cancelled) -> Self {
        Self::Final(cancelled.into())
    }
}

impl Watch<'_> {
    pub fn look(&self) -> Result<(), Cancelled> {
        self.ctx.checkpoint(self.progress)
    }

    /// Says what is done when nothing is waited for.
    pub fn go_on(&self) {
        (self.say)(match self.progress.total {
            0 => Stage::Asking,
            n_bytes => Stage::Downloading { n_bytes },
        });
    }

    /// Waits, and hears a cancel meanwhile.
    pub fn wait(&self, time: Duration) -> Result<(), Cancelled> {
        let mut left = time;
        loop {
            self.look()?;
            if left.is_zero() {
                return Ok(());
            }
            let step = left.min(LOOK);
            thread::sleep(step);
            left -= step;
        }
    }
}

impl<'a> Client<'a> {
    pub fn new(settings: &'a Settings) -> Result<Self, HubError> {
        let config = Agent::config_builder()
            .user_agent(concat!("factscope/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(proxy(&settings.endpoint)?)
            .tls_config(TlsConfig::builder().root_certs(certificates()?).build())
            .timeout_connect(Some(settings.patience.silence))
            .timeout_recv_response(Some(settings.patience.silence))
            .timeout_per_read(Some(settings.patience.silence));
        Ok(Self { agent: config.build().into(), settings })
    }

    /// A short answer, whole.
    ///
    /// `asked`: `None` if no model is asked for.
    pub fn text(
        &self,
        url: &str,
        asked: Option<Asked<'_>>,
        watch: &Watch<'_>,
    ) -> Result<String, HubError> {
        let mut tries = Tries::new(self.settings, 2);
        loop {
            match self.text_at_once(url, asked, watch) {
                Ok(text) => return Ok(text),
                Err(trouble) => tries.after(trouble, watch, |reason, host, _| {
                    HubError::Unreachable { host, reason, remedy: REMEDY }
                })?,
            }
        }
    }

    fn text_at_once(
        &self,
        url: &str,
        asked: Option<Asked<'_>>,
        watch: &Watch<'_>,
    ) -> Result<String, Trouble> {
        let stream = self.open(url, 0, asked, watch)?;
        let what = "an answer of the hub";
        stream.refuse_web_page(what)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.next(watch)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > LONGEST_TEXT {
                let reason = format!("{what} of more than {} MB", LONGEST_TEXT >> 20);
                return Err(HubError::NoHub { host: stream.host, reason }.into());
            }
        }
        // ureq ends without an error where a connection ends early but named no length.
        String::from_utf8(bytes).map_err(|_utf8| {
            HubError::NoHub { host: stream.host, reason: format!("{what} is no text") }.into()
        })
    }

    /// Asks for what lies at an address, from a byte on.
    pub fn open(
        &self,
        url: &str,
        from: u64,
        asked: Option<Asked<'_>>,
        watch: &Watch<'_>,
    ) -> Result<Stream, Trouble> {
        // A few chunks may be read ahead.
        let (sender, receiver) = sync_channel(4);
        let request = Request {
            agent: self.agent.clone(),
            url: url.to_owned(),
            home: origin(&self.settings.endpoint),
            authorization: self.settings.token.as_ref().map(|it| format!("Bearer {}", it.secret)),
            from,
        };
        let thread = thread::Builder::new().name("hub".to_owned());
        thread.spawn(move || request.run(&sender)).map_err(HubError::Thread)?;
        let Message::Head(mut stream) = receive(&receiver, &host(url), watch)? else {
            let reason = "it answers without a beginning".to_owned();
            return Err(Trouble::Lost { host: host(url), reason });
        };
        stream.messages = receiver;
        self.refuse(&stream, asked)?;
        Ok(*stream)
    }

    /// The trouble that the status of a refusal stands for. A status that is no refusal passes.
    fn refuse(&self, stream: &Stream, asked: Option<Asked<'_>>) -> Result<(), Trouble> {
        let (status, host) = (stream.status, stream.host.clone());
        // 416: there is nothing from that byte on.
        if matches!(status, 200 | 206 | 416) {
            return Ok(());
        }
        let code = stream.header("x-error-code").unwrap_or_default();
        let said = stream.header("x-error-message").unwrap_or_default();
        let is_home = self::host(&self.settings.endpoint) == host;
        let token = self.settings.token.as_ref();
        match (status, code) {
            (429 | 503, _) => {
                let wait = stream.retry_after();
                return Err(Trouble::Busy { host, status, wait });
            }
            (408 | 500 | 502 | 504, _) => {
                return Err(Trouble::Lost { host, reason: format!("HTTP {status}") });
            }
            // The address of a content is good for some time, and the hub gives a new one.
            (401 | 403, "") if !is_home => {
                return Err(Trouble::Lost { host, reason: format!("HTTP {status}") });
            }
            (401, _) if said.starts_with("Invalid credentials") => {
                if let Some(token) = token {
                    return Err(HubError::BadToken { place: token.place.clone() }.into());
                }
            }
            _ => {}
        }
        let or = |said: &str, otherwise: &str| {
            if said.is_empty() { otherwise.to_owned() } else { said.to_owned() }
        };
        let Some(Asked { name: asked, file }) = asked else {
            stream.refuse_web_page("an answer of the hub")?;
            let reason = or(said, "without a reason");
            return Err(HubError::Status { status, host, reason }.into());
        };
        let (name, page) = (asked.to_string(), self.settings.page(&asked.repo));
        let error = match (status, code) {
            (_, "GatedRepo") => HubError::Gated {
                name,
                page,
                remedy: token.map_or_else(
                    || LOG_IN.to_owned(),
                    |it| {
                        format!(
                            "wait for their consent, and see that the token from {} is of the \
                             account that asked and may read gated models",
                            it.place
                        )
                    },
                ),
            },
            (_, "RevisionNotFound") => {
                HubError::NoRevision { name, revision: asked.revision().to_owned(), page }
            }
            (_, "EntryNotFound") => HubError::NoFile {
                name,
                file: file.unwrap_or("list of files").to_owned(),
                there: format!("see {page}/tree/{}", asked.revision()),
            },
            (401 | 404, "") if file.is_none() && stream.is_web_page() => {
                stream.web_page("an answer of the hub")
            }
            (401, _) | (_, "RepoNotFound") | (404, "") => HubError::NotFound {
                name,
                endpoint: self.settings.endpoint.clone(),
                remedy: token.map_or_else(
                    || format!("if it is private, {LOG_IN}"),
                    |it| format!("the token from {} does not let you see it", it.place),
                ),
            },
            (403, _) => {
                HubError::Forbidden { name, page, reason: or(said, "HTTP 403, without a reason") }
            }
            _ => HubError::Status { status, host, reason: or(said, "without a reason") },
        };
        Err(error.into())
    }
}

const LOG_IN: &str = "log in with `hf auth login`, or set HF_TOKEN";

const REMEDY: &str =
    "is there a network? Behind a proxy set HTTPS_PROXY; HF_ENDPOINT names another hub";

impl Stream {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The length of what comes, if the server says it.
    pub fn length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// Of a part: its first byte, and the length of the whole.
    pub fn range(&self) -> Option<(u64, Option<u64>)> {
        let (range, total) =
            self.header("content-range")?.trim().strip_prefix("bytes ")?.split_once('/')?;
        Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
    }

    fn is_web_page(&self) -> bool {
        self.header("content-type").is_some_and(|it| it.starts_with("text/html"))
    }

    fn web_page(&self, what: &str) -> HubError {
        HubError::WebPage { host: self.host.clone(), what: what.to_owned() }
    }

    /// A login page or a proxy may stand between.
    pub fn refuse_web_page(&self, what: &str) -> Result<(), HubError> {
        if self.is_web_page() { Err(self.web_page(what)) } else { Ok(()) }
    }

    /// The wait that a server asks for, in one of two headers.
    fn retry_after(&self) -> Option<Duration> {
        let seconds = self.header("retry-after").and_then(|it| it.trim().parse().ok());
        // `"api";r=0;t=120`: none is left, and there are new ones in 120 seconds.
        let limit =
            || self.header("ratelimit")?.split(';').find_map(|it| it.trim().strip_prefix("t="));
        seconds.or_else(|| limit()?.parse().ok()).map(Duration::from_secs)
    }

    /// The next bytes; `None` at the end.
    pub fn next(&self, watch: &Watch<'_>) -> Result<Option<Vec<u8>>, Trouble> {
        match receive(&self.messages, &self.host, watch)? {
            Message::Bytes(bytes) => Ok(Some(bytes)),
            _ => Ok(None),
        }
    }
}

/// What a request says next. A cancel is heard meanwhile.
fn receive(
    messages: &Receiver<Message>,
    host: &str,
    watch: &Watch<'_>,
) -> Result<Message, Trouble> {
    loop {
        watch.look()?;
        match messages.recv_timeout(LOOK) {
            Ok(Message::Failed(trouble)) => return Err(trouble),
            Ok(message) => return Ok(message),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let reason = "the connection ended".to_owned();
                return Err(Trouble::Lost { host: host.to_owned(), reason });
            }
        }
    }
}

/// What a thread asks.
struct Request {
    agent: Agent,
    url: String,

    /// The scheme, host and port that may hear the token.
    home: String,
    authorization: Option<String>,
    from: u64,
}

impl Request {
    /// Sends what comes until nobody listens any more.
    fn run(self, sender: &SyncSender<Message>) {
        let failed = match self.answer() {
            Ok((url, etag, response)) => pass_on(&url, etag, response, sender),
            Err(trouble) => Some(trouble),
        };
        if let Some(trouble) = failed {
            // Cancelled: nobody waits for it.
            _ = sender.send(Message::Failed(trouble));
        }
    }

    /// The answer at the end of all redirects, where it comes from, and the hash that the hub names.
    fn answer(self) -> Result<(String, Option<String>, Response<Body>), Trouble> {
        let (mut url, mut etag) = (self.url, None);
        for _ in 0..MOST_REDIRECTS {
            let mut request = self.agent.get(&url).header("accept-encoding", "identity");
            if self.from > 0 {
                request = request.header("range", format!("bytes={}-", self.from));
            }
            let is_home = origin(&url) == self.home;
            if let Some(authorization) = self.authorization.as_ref().filter(|_| is_home) {
                request = request.header("authorization", authorization);
            }
            let response = request.call().map_err(|error| trouble(error, host(&url)))?;
            let header = |name| response.headers().get(name)?.to_str().ok();
            let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            // Of a redirect, `etag` is that of the redirect.
            let plain = || header("etag").filter(|_| is_home && !is_redirect);
            etag = etag.or_else(|| header("x-linked-etag").or_else(plain).map(hash_in));
            let next = is_redirect.then(|| header("location")).flatten();
            let Some(next) = next.map(|it| join(&url, it)) else {
                return Ok((url, etag, response));
            };
            if url.starts_with("https:") && !next.starts_with("https:") {
                return Err(HubError::Downgrade { host: host(&url), url }.into());
            }
            url = next;
        }
        let reason = format!("more than {MOST_REDIRECTS} redirects");
        Err(HubError::NoHub { host: host(&url), reason }.into())
    }
}

/// Passes an answer on as it comes.
fn pass_on(
    url: &str,
    etag: Option<String>,
    response: Response<Body>,
    sender: &SyncSender<Message>,
) -> Option<Trouble> {
    let (parts, body) = response.into_parts();
    let (status, headers) = (parts.status.as_u16(), parts.headers);
    // Replaced by the one that this is sent through.
    let messages = sync_channel(0).1;
    let stream = Stream { status, host: host(url), headers, etag, messages };
    sender.send(Message::Head(Box::new(stream))).ok()?;
    let mut reader = body.into_reader();
    loop {
        let mut bytes = vec![0; CHUNK];
        let n = match reader.read(&mut bytes) {
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Some(trouble(ureq::Error::Io(error), host(url))),
        };
        bytes.truncate(n);
        let message = if n == 0 { Message::End } else { Message::Bytes(bytes) };
        let is_heard = sender.send(message).is_ok();
        if n == 0 || !is_heard {
            return None;
        }
    }
}

fn trouble(error: ureq::Error, host: String) -> Trouble {
    use ureq::Error;
    let certificate = |reason: String, host: String| {
        let remedy = "where a proxy signs for others, name its certificates with SSL_CERT_FILE";
        HubError::Unreachable { host, reason, remedy }.into()
    };
    match error {
        Error::Io(error) => match error.get_ref().and_then(|it| it.downcast_ref::<ureq::Error>()) {
            Some(Error::Timeout(_)) => {
                Trouble::Lost { host, reason: "it sends nothing".to_owned() }
            }
            _ if error.to_string().contains("certificate") => certificate(error.to_string(), host),
            _ => Trouble::Lost { host, reason: error.to_string() },
        },
        Error::Tls(reason) => certificate(reason.to_owned(), host),
        Error::Rustls(error) => certificate(error.to_string(), host),
        Error::Timeout(_) => Trouble::Lost { host, reason: "it sends nothing".to_owned() },
        Error::HostNotFound => {
            Trouble::Lost { host, reason: "no host of that name is found".to_owned() }
        }
        Error::BadUri(_) | Error::Http(_) => {
            HubError::NoHub { host, reason: format!("a wrong address: {error}") }.into()
        }
        error => Trouble::Lost { host, reason: error.to_string() },
    }
}

/// The tries in a row that brought nothing.
pub(super) struct Tries {
    n: u32,
    most: u32,
    patience: super::Patience,
}

impl Tries {
    pub fn new(settings: &Settings, most: u32) -> Self {
        Self { n: 0, most, patience: settings.patience }
    }

    /// Something came.
    pub fn forget(&mut self) {
        self.n = 0;
    }

    /// Waits before the next try, or gives up.
    pub fn after(
        &mut self,
        trouble: Trouble,
        watch: &Watch<'_>,
        give_up: impl FnOnce(String, String, u32) -> HubError,
    ) -> Result<(), HubError> {
        self.n += 1;
        let backoff = self.patience.first_wait * 2_u32.saturating_pow(self.n.min(8) - 1);
        let is_last = self.n >= self.most;
        let (wait, why) = match trouble {
            Trouble::Final(error) => return Err(error),
            Trouble::Busy { host, status, wait } => {
                let time = wait.unwrap_or(backoff);
                // A server that names a time is asked after it, as long as it is not too long.
                if time > self.patience.longest_wait || self.n > self.patience.n_tries {
                    let wait = wait.map_or_else(|| "a while".to_owned(), seconds);
                    return Err(HubError::Busy { host, status, wait });
                }
                (time, Wait::Busy { host, seconds: time.as_secs() })
            }
            Trouble::Lost { host, reason } if is_last => return Err(give_up(reason, host, self.n)),
            Trouble::Lost { host, reason } => (backoff, Wait::Lost { host, reason }),
        };
        (watch.say)(Stage::Waiting(why));
        watch.wait(wait)?;
        watch.go_on();
        Ok(())
    }
}

fn seconds(time: Duration) -> String {
    match time.as_secs() {
        1 => "1 second".to_owned(),
        seconds @ 0..120 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds.div_ceil(60)),
    }
}

/// `W/"abc"` is `abc`.
fn hash_in(etag: &str) -> String {
    etag.trim_start_matches("W/").trim_matches('"').to_owned()
}

/// Scheme, host and port.
fn origin(url: &str) -> String {
    let end = url.find("://").map_or(0, |it| it + 3);
    let length = url[end..].find(['/', '?', '#']).map_or(url.len(), |it| end + it);
    url[..length].to_ascii_lowercase()
}

fn host(url: &str) -> String {
    origin(url).split("://").last().unwrap_or_default().to_owned()
}

/// Where a redirect leads.
fn join(url: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let origin = origin(url);
    if location.starts_with("//") {
        let scheme = origin.split("//").next().unwrap_or_default();
        return format!("{scheme}{location}");
    }
    if location.starts_with('/') {
        return format!("{origin}{location}");
    }
    let path = url.split(['?', '#']).next().unwrap_or(url);
    match path.rfind('/') {
        Some(end) if end >= origin.len() => format!("{}{location}", &path[..=end]),
        _ => format!("{origin}/{location}"),
    }
}

/// The proxy that the environment names. None is asked for this machine itself.
fn proxy(endpoint: &str) -> Result<Option<Proxy>, HubError> {
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
fn certificates() -> Result<RootCerts, HubError> {
    let Some((variable, path)) =
        CERTIFICATES.into_iter().find_map(|it| Some((it, PathBuf::from(given(it)?))))
    else {
        return Ok(RootCerts::WebPki);
    };
    let fail = |reason: String| HubError::Certificates { variable, path: path.clone(), reason };
    let text = std::fs::read(&path).map_err(|error| fail(error.to_string()))?;
    let mut found: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&text) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(fail(error.to_string())),
        }
    }
    if found.is_empty() {
        return Err(fail("it holds none".to_owned()));
    }
    Ok(RootCerts::Specific(Arc::new(found)))
}

//! Requests to the hub: redirects, and who is told the token.
//!
//! A request runs on a thread of its own, so that a cancel is heard while a server is silent.

use std::io::{self, Read as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use ureq::http::{HeaderMap, Response};
use ureq::tls::TlsConfig;
use ureq::{Agent, Body};

use super::HubError;
use super::address::{host, join, origin};
use super::connection::{certificates, proxy};
use super::refusal::Asked;
use super::settings::Settings;
use super::tries::{LOOK, Tries, Trouble, Watch};

/// The bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// More redirects than this are a circle.
const MOST_REDIRECTS: usize = 10;

/// The longest answer that is no file.
const LONGEST_TEXT: usize = 64 << 20;

pub(super) struct Client<'a> {
    agent: Agent,
    pub settings: &'a Settings,
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
}

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

    pub fn is_web_page(&self) -> bool {
        self.header("content-type").is_some_and(|it| it.starts_with("text/html"))
    }

    pub fn web_page(&self, what: &str) -> HubError {
        HubError::WebPage { host: self.host.clone(), what: what.to_owned() }
    }

    /// A login page or a proxy may stand between.
    pub fn refuse_web_page(&self, what: &str) -> Result<(), HubError> {
        if self.is_web_page() { Err(self.web_page(what)) } else { Ok(()) }
    }

    /// The wait that a server asks for, in one of two headers.
    pub fn retry_after(&self) -> Option<Duration> {
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
            let response = request.call().map_err(|error| Trouble::of(error, host(&url)))?;
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
            Err(error) => return Some(Trouble::of(ureq::Error::Io(error), host(url))),
        };
        bytes.truncate(n);
        let message = if n == 0 { Message::End } else { Message::Bytes(bytes) };
        let is_heard = sender.send(message).is_ok();
        if n == 0 || !is_heard {
            return None;
        }
    }
}

/// `W/"abc"` is `abc`.
fn hash_in(etag: &str) -> String {
    etag.trim_start_matches("W/").trim_matches('"').to_owned()
}

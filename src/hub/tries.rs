//! Why an answer does not come, and when it is asked for again.

use std::thread;
use std::time::Duration;

use super::HubError;
use super::get::{Stage, Wait};
use super::settings::Settings;
use crate::task::{Cancelled, Progress, TaskCtx};

/// How often a waiting task looks whether it is cancelled.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// Who waits for an answer: the task, how far it has come, and whom to tell that it waits.
pub(super) struct Watch<'a> {
    pub ctx: &'a TaskCtx<'a>,
    pub say: &'a dyn Fn(Stage),
    pub progress: Progress,
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

impl Trouble {
    /// What stands for an error of the connection.
    pub fn of(error: ureq::Error, host: String) -> Self {
        use ureq::Error;
        let certificate = |reason: String, host: String| {
            let (reason, remedy) = of_certificate(&reason);
            HubError::Unreachable { host, reason, remedy }.into()
        };
        match error {
            Error::Io(error) => {
                match error.get_ref().and_then(|it| it.downcast_ref::<ureq::Error>()) {
                    Some(Error::Timeout(_)) => {
                        Self::Lost { host, reason: "it sends nothing".to_owned() }
                    }
                    _ if error.to_string().contains("certificate") => {
                        certificate(error.to_string(), host)
                    }
                    _ => Self::Lost { host, reason: error.to_string() },
                }
            }
            Error::Tls(reason) => certificate(reason.to_owned(), host),
            Error::Rustls(error) => certificate(error.to_string(), host),
            Error::Timeout(_) => Self::Lost { host, reason: "it sends nothing".to_owned() },
            Error::HostNotFound => {
                Self::Lost { host, reason: "no host of that name is found".to_owned() }
            }
            Error::BadUri(_) | Error::Http(_) => {
                HubError::NoHub { host, reason: format!("a wrong address: {error}") }.into()
            }
            error => Self::Lost { host, reason: error.to_string() },
        }
    }
}

/// Why a certificate is refused, from rustls' words, and what to do.
fn of_certificate(reason: &str) -> (String, &'static str) {
    if reason.contains("UnknownIssuer") {
        (
            "its certificate is signed by an authority that is not trusted here".to_owned(),
            "where a proxy signs for others, or a hub has an authority of its own, name the authority's \
             certificate with SSL_CERT_FILE",
        )
    } else if reason.contains("expired") || reason.contains("not valid yet") {
        (
            format!("its certificate has expired or is not valid yet ({reason})"),
            "is the clock of this machine right? Otherwise the host needs a new certificate",
        )
    } else if reason.contains("not valid for name") {
        (
            format!("its certificate is that of another host ({reason})"),
            "is HF_ENDPOINT right? Otherwise something may stand between and answer in its place",
        )
    } else {
        let remedy = "where a proxy signs for others, name its certificates with SSL_CERT_FILE";
        (reason.to_owned(), remedy)
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

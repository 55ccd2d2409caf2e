//! What transmitters said of users, kept across restarts in one file of the state directory.
//!
//! The file is replaced as a whole and is on the disk before a SET is acknowledged. A file that cannot be read keeps the
//! gate from starting: forgetting that a user is at risk would let them do what policies forbid.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portreeve_core::signals::{About, Remark, Risk, Standing, StandingFull};
use portreeve_core::time::UnixTime;
use serde::{Deserialize, Serialize};

use crate::config::Diagnostic;
use crate::replace;

/// The file's name in the state directory.
pub const FILE: &str = "standing.json";

/// What was said of users, and where it is kept.
#[derive(Clone, Debug)]
pub struct Remarks {
    path: PathBuf,
    standing: Arc<Standing>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    remarks: Vec<Written>,
}

#[derive(Deserialize, Serialize)]
struct Written {
    issuer: String,
    user: String,
    /// Seconds since 1970.
    issued: u64,
    #[serde(flatten)]
    about: WrittenAbout,
}

#[derive(Deserialize, Serialize)]
#[serde(tag = "about", rename_all = "snake_case")]
enum WrittenAbout {
    Risk { level: String },
    Device { device: String, compliant: bool },
}

impl Remarks {
    /// Reads what `state_dir` keeps; nothing was ever said where there is no file.
    ///
    /// # Errors
    /// The file cannot be read or is not what this module writes.
    pub fn load(state_dir: &Path) -> Result<Self, Diagnostic> {
        let path = state_dir.join(FILE);
        let fault = |message: String| {
            Diagnostic::of_file(&path, message).hint(
                "restore it from a backup; without it policies know nothing of users at risk until they are told again",
            )
        };
        let kept = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| fault(format!("this is not what was said of users: {error}")))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(fault(format!("cannot be read: {error}"))),
        };
        let mut standing = Standing::default();
        for written in kept.remarks {
            let remark = written
                .read()
                .ok_or_else(|| fault("a level of risk here is none".to_owned()))?;
            standing.note(&remark).map_err(|error| fault(error.to_string()))?;
        }
        let standing = Arc::new(standing);
        Ok(Self { path, standing })
    }

    /// What policies can know.
    #[must_use]
    pub fn standing(&self) -> Arc<Standing> {
        Arc::clone(&self.standing)
    }

    /// With these remarks noted, not kept yet.
    ///
    /// # Errors
    /// [`StandingFull`].
    pub fn with(&self, remarks: &[&Remark]) -> Result<Self, StandingFull> {
        let mut standing = Standing::clone(&self.standing);
        for remark in remarks {
            standing.note(remark)?;
        }
        Ok(Self {
            path: self.path.clone(),
            standing: Arc::new(standing),
        })
    }

    /// Puts everything on the disk.
    ///
    /// # Errors
    /// What the file system says; either is on the disk then, but whole.
    pub fn keep(&self) -> io::Result<()> {
        let remarks = self.standing.remarks().iter().map(Written::of).collect();
        replace::file(&self.path, &serde_json::to_vec(&Kept { remarks })?)
    }
}

impl Written {
    fn of(remark: &Remark) -> Self {
        Self {
            issuer: remark.issuer.clone(),
            user: remark.user.clone(),
            issued: remark.issued.secs(),
            about: match &remark.about {
                About::Risk(risk) => WrittenAbout::Risk {
                    level: risk.name().to_owned(),
                },
                About::Device { device, compliant } => WrittenAbout::Device {
                    device: device.clone(),
                    compliant: *compliant,
                },
            },
        }
    }

    fn read(self) -> Option<Remark> {
        Some(Remark {
            issuer: self.issuer,
            user: self.user,
            issued: UnixTime::from_secs(self.issued),
            about: match self.about {
                WrittenAbout::Risk { level } => About::Risk(Risk::from_caep(&level)?),
                WrittenAbout::Device { device, compliant } => About::Device { device, compliant },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remark(about: About) -> Remark {
        Remark {
            issuer: "https://idp.test".to_owned(),
            user: "ada".to_owned(),
            issued: UnixTime::from_secs(1_800_000_000),
            about,
        }
    }

    #[test]
    fn what_was_said_is_there_after_a_restart_and_a_torn_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let empty = Remarks::load(folder.path()).unwrap();
        let risk = remark(About::Risk(Risk::High));
        let device = remark(About::Device {
            device: "phone".to_owned(),
            compliant: false,
        });
        empty.with(&[&risk, &device]).unwrap().keep().unwrap();
        let again = Remarks::load(folder.path()).unwrap();
        assert_eq!(again.standing().remarks(), [risk, device]);
        for torn in ["", "{", r#"{"remarks": [{}]}"#, r#"{"remarks": [], "more": 1}"#] {
            fs::write(folder.path().join(FILE), torn).unwrap();
            assert!(Remarks::load(folder.path()).is_err(), "{torn}");
        }
        let text = r#"{"remarks": [{"issuer": "i", "user": "u", "issued": 1, "about": "risk", "level": "none"}]}"#;
        fs::write(folder.path().join(FILE), text).unwrap();
        assert!(Remarks::load(folder.path()).is_err());
    }
}

//! Which files a configuration is made of, and the folders to watch for them.
//!
//! Must never let another file of those folders be a reason to read: a log that is written there says each time that
//! something was read.

use std::path::{Path, PathBuf};

use crate::config::{Config, IssuerKeys, Server};

/// The files of one configuration.
#[derive(Debug)]
pub(super) struct Files {
    /// The configuration, key sets, and the files of the listener and of connections to servers and to those that are
    /// asked for their tokens or about opaque ones.
    named: Vec<PathBuf>,
    /// Every `*.cedar` here counts.
    policies: PathBuf,
    /// Everything here counts.
    secrets: PathBuf,
}

impl Files {
    pub(super) fn of(config: &Config) -> Self {
        let keys = config.signers().filter_map(|signer| match signer.keys {
            IssuerKeys::File(file) => Some(file),
            IssuerKeys::At(_) | IssuerKeys::Discovered(..) => None,
        });
        let askers = config.issuers.iter().filter_map(|issuer| issuer.introspection.as_ref());
        Self {
            named: std::iter::once(config.file.clone())
                .chain(keys)
                .chain(config.gate.listening_files().map(Path::to_owned))
                .chain(config.servers.iter().flat_map(Server::files).map(Path::to_owned))
                .chain(askers.flat_map(|asker| asker.party.files()).map(Path::to_owned))
                .collect(),
            policies: config.gate.policies.clone(),
            secrets: config.secret_store().folder(),
        }
    }

    /// The folders of all of them: files are replaced, so their folders are what changes.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = self.named.iter().map(|file| folder(file).to_owned()).collect();
        folders.extend([self.policies.clone(), self.secrets.clone()]);
        folders.sort();
        folders.dedup();
        folders
    }

    /// Whether a change of `path` is one of the configuration.
    pub(super) fn concern(&self, path: &Path) -> bool {
        let same = |file: &PathBuf| file.file_name() == path.file_name() && folder(file) == folder(path);
        let is_policy = || path.extension().is_some_and(|extension| extension == "cedar");
        self.named.iter().any(same)
            || folder(path) == self.policies && is_policy()
            || folder(path) == self.secrets
            // The folder itself was replaced.
            || path == self.policies
    }
}

/// The folder that a file is in; of a bare name that is the working directory.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_configuration_is_made_of_is_a_reason_to_read_it() {
        let files = Files {
            named: vec![PathBuf::from("portreeve.toml"), PathBuf::from("keys/corp.json")],
            policies: PathBuf::from("policies"),
            secrets: PathBuf::from("state/secrets"),
        };
        for reason in [
            "./portreeve.toml",
            "portreeve.toml",
            "keys/corp.json",
            "policies/a.cedar",
            "policies",
            "state/secrets/key",
        ] {
            assert!(files.concern(Path::new(reason)), "{reason}");
        }
        for none in [
            "./gate.log",
            "./portreeve.toml~",
            "./.portreeve.toml.swp",
            "keys/portreeve.toml",
            "policies/README",
            "state/audit/x.jsonl",
        ] {
            assert!(!files.concern(Path::new(none)), "{none}");
        }
        let folders = [".", "keys", "policies", "state/secrets"].map(PathBuf::from);
        assert_eq!(files.folders(), folders);
    }
}

//! What a configuration is made of on the disk, at a glance: whether anything of it changed since it was last read.
//!
//! A folder has other files too, the gate's own log perhaps; those must never have the gate read its files again and say so.
//! Must never read a file's contents.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::config::credential::{Credential, Party};
use crate::config::{Config, IssuerKeys, Tls, publish};

/// The files of one configuration, each as it was looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inputs(Vec<(PathBuf, Look)>);

/// Which file it is and when it was last written; `None` for one that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look(Option<[i128; 5]>);

impl Look {
    /// Looks at `file`, wherever links lead.
    pub(super) fn at(file: &Path) -> Self {
        Self(fs::metadata(file).ok().map(|found| {
            [
                found.dev().into(),
                found.ino().into(),
                found.size().into(),
                found.mtime().into(),
                found.mtime_nsec().into(),
            ]
        }))
    }
}

impl Inputs {
    /// What `config` is made of. To be called before the other files are read, with a look at its own file from before that
    /// was read: what changes meanwhile is then seen as a change.
    pub(super) fn of(config: &Config, own: Look) -> Self {
        let mut files = publish::policy_files(&config.gate.policies).unwrap_or_default();
        let secrets = fs::read_dir(config.secret_store().folder());
        files.extend(secrets.into_iter().flatten().flatten().map(|entry| entry.path()));
        files.extend(config.gate.tls.iter().flat_map(pair));
        for issuer in &config.issuers {
            files.extend(issuer.ca_file.clone());
            if let IssuerKeys::File(file) = &issuer.keys {
                files.push(file.clone());
            }
        }
        for server in &config.servers {
            files.extend(server.ca_file.clone());
            if let Credential::Fetched(fetched) = &server.credential {
                files.extend(std::iter::once(&fetched.at).chain(&fetched.idp).flat_map(of_party));
            }
        }
        files.sort();
        let looks = files.into_iter().map(|file| {
            let look = Look::at(&file);
            (file, look)
        });
        Self(std::iter::once((config.file.clone(), own)).chain(looks).collect())
    }
}

fn pair(tls: &Tls) -> [PathBuf; 2] {
    [tls.certificate.clone(), tls.key.clone()]
}

fn of_party(party: &Party) -> impl Iterator<Item = PathBuf> {
    let own = party.identity.as_ref().map(pair);
    own.into_iter().flatten().chain(party.ca_file.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_replaced_removed_or_new_looks_different_and_its_neighbours_do_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("policies")).unwrap();
        fs::write(at("policies/a.cedar"), "").unwrap();
        let text = "[gate]\nlisten = \"127.0.0.1:8477\"\n";
        fs::write(at("portreeve.toml"), text).unwrap();
        let config = crate::config::load(&at("portreeve.toml")).unwrap();
        let look = || Inputs::of(&config, Look::at(&config.file));
        let first = look();
        for noise in ["gate.log", "policies/README.md", "policies/.a.cedar.swp"] {
            fs::write(at(noise), "noise").unwrap();
            assert_eq!(look(), first, "{noise}");
        }
        fs::write(at("new"), text).unwrap();
        fs::rename(at("new"), at("portreeve.toml")).unwrap();
        let replaced = look();
        assert_ne!(replaced, first);
        fs::write(at("policies/b.cedar"), "").unwrap();
        let added = look();
        assert_ne!(added, replaced);
        fs::write(at("policies/b.cedar"), "// more").unwrap();
        let written = look();
        assert_ne!(written, added);
        fs::remove_file(at("policies/b.cedar")).unwrap();
        assert_eq!(look(), replaced);
    }
}

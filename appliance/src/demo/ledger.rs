//! The town ledger of Saltmarsh: a handful of records in memory and the five things that can be done to them.
//!
//! Knows nothing of HTTP, MCP or tokens. Starts the same every time, so that the story it serves is repeatable, and
//! never grows beyond [`OUTBOX_MAX`] notices however often it is called.

use std::collections::BTreeMap;
use std::fmt;

/// Notices kept before `send_notice` is refused.
pub const OUTBOX_MAX: usize = 64;
/// Longest free text that a record or a notice accepts, in bytes.
pub const TEXT_BYTES_MAX: usize = 400;

/// What sort of record an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A plot of land and who holds it.
    Parcel,
    /// Leave to do something in town.
    Permit,
    /// Money owed to the town.
    Fee,
}

impl Kind {
    /// The kind that `name` spells on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "parcel" => Some(Self::Parcel),
            "permit" => Some(Self::Permit),
            "fee" => Some(Self::Fee),
            _ => None,
        }
    }

    /// How this kind is spelled on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parcel => "parcel",
            Self::Permit => "permit",
            Self::Fee => "fee",
        }
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What sort of record this is.
    pub kind: Kind,
    /// What it is about, in a few words.
    pub subject: String,
    /// Who holds or owes it.
    pub holder: String,
    /// Where it stands: recorded, pending, granted, due, overdue, paid.
    pub status: String,
    /// Whole crowns; zero where no money is involved.
    pub amount: i64,
}

/// One call of a tool, its arguments already checked for type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Names every entry, or those of one kind.
    ListEntries {
        /// Only this kind.
        kind: Option<Kind>,
    },
    /// Shows one entry.
    ReadEntry {
        /// Which entry.
        id: String,
    },
    /// Changes the status or the amount of one entry.
    UpdateEntry {
        /// Which entry.
        id: String,
        /// The new status.
        status: Option<String>,
        /// The new amount in whole crowns.
        amount: Option<i64>,
    },
    /// Strikes one entry from the ledger.
    DeleteEntry {
        /// Which entry.
        id: String,
    },
    /// Posts a notice to an address.
    SendNotice {
        /// The address.
        to: String,
        /// The text.
        text: String,
    },
}

/// Why the ledger would not do it. The words are for the caller of the tool.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No entry has that id.
    NoSuchEntry,
    /// A text is longer than [`TEXT_BYTES_MAX`].
    TextTooLong,
    /// The outbox holds [`OUTBOX_MAX`] notices.
    OutboxFull,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchEntry => write!(f, "no entry has that id; list_entries shows those there are"),
            Self::TextTooLong => write!(f, "a text may have at most {TEXT_BYTES_MAX} bytes"),
            Self::OutboxFull => write!(f, "the outbox is full: it holds {OUTBOX_MAX} notices"),
        }
    }
}

impl std::error::Error for Refusal {}

/// The ledger and the notices it has posted.
#[derive(Debug)]
pub struct Ledger {
    entries: BTreeMap<String, Entry>,
    outbox: Vec<(String, String)>,
}

impl Ledger {
    /// The ledger as the story finds it.
    #[must_use]
    pub fn of_saltmarsh() -> Self {
        use Kind::{Fee, Parcel, Permit};
        let rows = [
            (
                "parcel-17",
                Parcel,
                "Mill Lane 4, orchard",
                "Edith Marsh",
                "recorded",
                0,
            ),
            (
                "parcel-22",
                Parcel,
                "Quay Street 11, warehouse",
                "Harbour Trading",
                "recorded",
                0,
            ),
            (
                "permit-204",
                Permit,
                "market stall on Saturdays",
                "Jonas Pell",
                "pending",
                80,
            ),
            (
                "permit-207",
                Permit,
                "scaffolding over the footway",
                "Harbour Trading",
                "granted",
                340,
            ),
            (
                "permit-211",
                Permit,
                "fireworks at midsummer",
                "Town Band",
                "pending",
                60,
            ),
            ("fee-88", Fee, "water rate, third quarter", "Edith Marsh", "due", 95),
            ("fee-91", Fee, "berth dues", "Harbour Trading", "overdue", 2150),
        ];
        let entries = rows.into_iter().map(|(id, kind, subject, holder, status, amount)| {
            let entry = Entry {
                kind,
                subject: subject.to_owned(),
                holder: holder.to_owned(),
                status: status.to_owned(),
                amount,
            };
            (id.to_owned(), entry)
        });
        Self {
            entries: entries.collect(),
            outbox: Vec::new(),
        }
    }

    /// Does what `call` asks and answers in words; on refusal nothing has changed.
    pub fn perform(&mut self, call: Call) -> Result<String, Refusal> {
        match call {
            Call::ListEntries { kind } => Ok(self.list(kind)),
            Call::ReadEntry { id } => self
                .entries
                .get(&id)
                .map(|entry| line(&id, entry))
                .ok_or(Refusal::NoSuchEntry),
            Call::UpdateEntry { id, status, amount } => self.update(&id, status, amount),
            Call::DeleteEntry { id } => {
                let entry = self.entries.remove(&id).ok_or(Refusal::NoSuchEntry)?;
                Ok(format!("struck from the ledger: {}", line(&id, &entry)))
            }
            Call::SendNotice { to, text } => self.post(to, text),
        }
    }

    fn list(&self, kind: Option<Kind>) -> String {
        let rows = self
            .entries
            .iter()
            .filter(|(_, entry)| kind.is_none_or(|kind| entry.kind == kind));
        rows.map(|(id, entry)| line(id, entry)).collect::<Vec<_>>().join("\n")
    }

    fn update(&mut self, id: &str, status: Option<String>, amount: Option<i64>) -> Result<String, Refusal> {
        if status.as_ref().is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(Refusal::TextTooLong);
        }
        let entry = self.entries.get_mut(id).ok_or(Refusal::NoSuchEntry)?;
        if let Some(status) = status {
            entry.status = status;
        }
        if let Some(amount) = amount {
            entry.amount = amount;
        }
        Ok(line(id, entry))
    }

    fn post(&mut self, to: String, text: String) -> Result<String, Refusal> {
        if to.len() > TEXT_BYTES_MAX || text.len() > TEXT_BYTES_MAX {
            return Err(Refusal::TextTooLong);
        }
        if self.outbox.len() == OUTBOX_MAX {
            return Err(Refusal::OutboxFull);
        }
        let answer = format!("notice posted to {to}");
        self.outbox.push((to, text));
        Ok(answer)
    }
}

fn line(id: &str, entry: &Entry) -> String {
    let Entry {
        kind,
        subject,
        holder,
        status,
        amount,
    } = entry;
    format!(
        "{id}: {} \"{subject}\", {holder}, {status}, {amount} crowns",
        kind.name()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_changes_only_what_it_names() {
        let mut ledger = Ledger::of_saltmarsh();
        let call = Call::UpdateEntry {
            id: "permit-204".to_owned(),
            status: None,
            amount: Some(120),
        };
        let answer = ledger.perform(call).unwrap();
        assert_eq!(
            answer,
            "permit-204: permit \"market stall on Saturdays\", Jonas Pell, pending, 120 crowns"
        );
    }

    #[test]
    fn a_deleted_entry_is_gone() {
        let mut ledger = Ledger::of_saltmarsh();
        let id = "fee-88".to_owned();
        assert!(ledger.perform(Call::DeleteEntry { id: id.clone() }).is_ok());
        assert_eq!(ledger.perform(Call::ReadEntry { id }), Err(Refusal::NoSuchEntry));
    }

    #[test]
    fn lists_one_kind_when_asked() {
        let mut ledger = Ledger::of_saltmarsh();
        let fees = ledger.perform(Call::ListEntries { kind: Some(Kind::Fee) }).unwrap();
        assert_eq!(fees.lines().count(), 2);
        assert!(fees.lines().all(|row| row.starts_with("fee-")));
    }

    #[test]
    fn refuses_to_post_beyond_the_outbox_and_overlong_text() {
        let mut ledger = Ledger::of_saltmarsh();
        let notice = |bytes| Call::SendNotice {
            to: "x@saltmarsh.example".to_owned(),
            text: "a".repeat(bytes),
        };
        assert_eq!(ledger.perform(notice(TEXT_BYTES_MAX + 1)), Err(Refusal::TextTooLong));
        for _ in 0..OUTBOX_MAX {
            assert!(ledger.perform(notice(1)).is_ok());
        }
        assert_eq!(ledger.perform(notice(1)), Err(Refusal::OutboxFull));
    }
}

//! The audit of one shard: what a full buffer does to the records, and what the file says about it afterwards.

use std::fs;

use portreeve::audit::Audit;
use portreeve_core::audit::{Facts, Record, Refusal, Split, Turned, verify};
use portreeve_core::time::UnixTime;

use crate::support::on_executor;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

/// A record of some tens of kilobytes, so that a few hundred fill the buffer.
fn large() -> Record {
    let policies = vec!["\u{202e}".repeat(160); 16];
    let facts = Facts {
        time: NOW,
        request: "r",
        trace: None,
        generation: 1,
        peer: None,
        caller: None,
        server: None,
        method: None,
        target: None,
        arguments: None,
        split: Split::default(),
    };
    let turned = Turned {
        side: None,
        reason: "policy",
        status: 200,
        policies: &policies,
    };
    Refusal::new(&facts, &turned).record().clone()
}

/// Runs `work` on a new audit and returns the records of its file, which must chain.
fn records(work: impl AsyncFnOnce(&Audit)) -> Vec<serde_json::Value> {
    let dir = tempfile::tempdir().expect("a folder");
    on_executor(async {
        let audit = Audit::create(dir.path(), 0, NOW).expect("an audit");
        work(&audit).await;
        audit.settle().await.expect("a disk");
        assert_eq!(audit.lost(), 0, "told by the file now");
    });
    let file = fs::read_dir(dir.path()).expect("the folder").next().expect("a file");
    let bytes = fs::read(file.expect("the file").path()).expect("its bytes");
    verify(&bytes).expect("a chain");
    let text = String::from_utf8(bytes).expect("text");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a record"))
        .collect()
}

/// Notes records until the buffer is full and `more` are lost; how many there were in all.
fn overfill(audit: &Audit, more: u64) -> usize {
    let record = large();
    let mut noted = 0;
    while audit.lost() < more {
        audit.note(&record);
        noted += 1;
    }
    noted
}

fn gaps(records: &[serde_json::Value]) -> Vec<u64> {
    let gap = |record: &&serde_json::Value| record["kind"] == "gap";
    let lost = |record: &serde_json::Value| record["lost"].as_u64().expect("a count");
    records.iter().filter(gap).map(lost).collect()
}

#[test]
fn records_lost_to_a_full_buffer_leave_a_gap_that_counts_them() {
    let mut noted = 0;
    let records = records(async |audit| noted = overfill(audit, 3));
    assert_eq!(gaps(&records), [3]);
    assert_eq!(records.last().expect("records")["kind"], "gap");
    assert_eq!(records.len() - 1 + 3, noted, "every record is there or counted");
}

#[test]
fn the_gap_stands_before_the_next_record_that_is_kept() {
    let records = records(async |audit| {
        let record = large();
        let refused = overfill(audit, 1);
        assert!(refused > 1, "some were kept");
        audit
            .record_durably(&record)
            .await
            .expect_err("no call passes a full audit");
        assert_eq!(audit.lost(), 2, "nor is its own record forgotten");
        audit.settle().await.expect("a disk");
        audit.record_durably(&record).await.expect("there is room again");
        overfill(audit, 5);
    });
    assert_eq!(gaps(&records), [2, 5]);
    let first = records
        .iter()
        .position(|record| record["kind"] == "gap")
        .expect("a gap");
    assert_eq!(records[first + 1]["kind"], "refusal");
}

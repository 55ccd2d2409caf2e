//! The append-only file: order, durability by position, one writer, and what happens when the disk fails.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::rc::Rc;

use portreeve::io::IoError;
use portreeve::io::file::AppendFile;
use portreeve::io::file::PENDING_BYTES_MAX;

use crate::support::on_executor;

#[test]
fn records_of_many_tasks_are_whole_in_order_and_on_disk_when_synced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    fs::write(&path, "before\n").unwrap();
    on_executor(async {
        let file = AppendFile::open(&path).unwrap();
        assert_eq!(file.end().bytes(), 7);
        let path = Rc::new(path.clone());
        let tasks: Vec<_> = (0..200)
            .map(|number| {
                let (file, path) = (file.clone(), Rc::clone(&path));
                glommio::spawn_local(async move {
                    let record = format!("record {number}\n");
                    let position = file.append(record.as_bytes()).unwrap();
                    file.sync(position).await.unwrap();
                    let written = fs::read(path.as_path()).unwrap();
                    let end = usize::try_from(position.bytes()).unwrap();
                    assert!(
                        written[..end].ends_with(record.as_bytes()),
                        "synced, but not where it was promised"
                    );
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
    });
    let lines = fs::read_to_string(&path).unwrap();
    assert_eq!(lines.lines().count(), 201);
    assert!(lines.starts_with("before\n"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_second_writer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    on_executor(async {
        let _first = AppendFile::open(&path).unwrap();
        let second = AppendFile::open(&path).map(drop).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::ResourceBusy);
    });
}

#[test]
fn a_disk_that_is_full_fails_the_record_and_every_later_one() {
    on_executor(async {
        let file = AppendFile::open(Path::new("/dev/full")).unwrap();
        let position = file.append(b"lost\n").unwrap();
        assert_eq!(file.sync(position).await, Err(IoError::Os(libc::ENOSPC)));
        assert_eq!(file.append(b"more\n").map(drop), Err(IoError::Os(libc::ENOSPC)));
    });
}

#[test]
fn a_disk_that_is_too_slow_refuses_instead_of_buffering_without_end() {
    let dir = tempfile::tempdir().unwrap();
    on_executor(async {
        let file = AppendFile::open(&dir.path().join("audit.jsonl")).unwrap();
        let half = vec![b'x'; usize::try_from(PENDING_BYTES_MAX / 2 + 1).unwrap()];
        let position = file.append(&half).unwrap();
        assert_eq!(file.append(&half).map(drop), Err(IoError::BufferFull));
        file.sync(position).await.unwrap();
        assert!(file.append(b"again").is_ok());
    });
}

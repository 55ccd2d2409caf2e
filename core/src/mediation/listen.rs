//! `subscriptions/listen`: every URI and every task id is authorised like a read before anything is forwarded.
//!
//! What is not allowed is cut out of the request, so that the server's acknowledgement says what the caller really gets.
//! The cut copies the kept entries' exact bytes.
//!
//! SPEC: MCP 2026-07-28 basic/patterns/subscriptions.

use std::sync::Arc;

use super::admit::Admitted;
use super::decide::Judge;
use super::forward::Body;
use super::{Refusal, Request};
use crate::json::Array;
use crate::json::write::Edit;
use crate::limits;
use crate::mcp::{Listen, OwnedId};
use crate::policy::Action;
use crate::task::{TaskFacts, TaskKey};

/// What is left of a listen request.
pub(super) enum Narrowed {
    /// The owner of this task must be asked first.
    FindTask(TaskKey),
    /// What to forward.
    Body(Body),
}

/// Cuts every entry the caller may not watch.
pub(super) fn narrow(
    judge: &Judge<'_>,
    filter: &Listen<'_>,
    id: &OwnedId,
    admitted: &Admitted,
    request: &Request<'_>,
) -> Result<Narrowed, Refusal> {
    let mut cuts = Vec::new();
    for list in [filter.uris, filter.task_ids].into_iter().flatten() {
        if list.len() > limits::LISTEN_ENTRIES {
            return Err(Refusal::Busy { id: Some(id.clone()) });
        }
    }
    if let Some(tasks) = filter.task_ids {
        for task in tasks.iter().filter_map(|task| task.as_str()) {
            let key = TaskKey {
                server: Arc::clone(&judge.server.name),
                task: task.into(),
            };
            if !admitted.tasks.iter().any(|(known, _)| *known == key) {
                return Ok(Narrowed::FindTask(key));
            }
        }
    }
    if let Some(uris) = filter.uris {
        cut(uris, &mut cuts, |uri| judge.allows(Action::Subscribe { uri }));
    }
    if let Some(tasks) = filter.task_ids {
        // A task's notifications carry its result: whoever may not follow it any more may not listen either.
        cut(tasks, &mut cuts, |task| {
            admitted.tasks.iter().any(|(known, owner)| {
                let follows = |facts: &TaskFacts| judge.allows(Action::FollowTask { tool: &facts.tool });
                &*known.task == task && owner.as_ref().is_some_and(follows)
            })
        });
    }
    Ok(Narrowed::Body(Body::edited(request.body, cuts)))
}

fn cut(list: Array<'_>, cuts: &mut Vec<Edit>, keep: impl Fn(&str) -> bool) {
    let kept: Vec<&[u8]> = list
        .iter()
        .filter(|item| item.as_str().is_some_and(&keep))
        .map(|item| item.raw())
        .collect();
    if kept.len() < list.len() {
        let mut text = vec![b'['];
        text.extend_from_slice(&kept.join(&b','));
        text.push(b']');
        cuts.push((list.value().span(), text));
    }
}

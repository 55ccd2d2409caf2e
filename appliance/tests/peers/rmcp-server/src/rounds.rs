//! Multi-round input (2026-07-28): which inputs a call still lacks, and the state that says which round it is in.
//! Must never accept a state that it did not give.

use rmcp::{
    ErrorData,
    model::{ClientCapabilities, InputRequest, InputRequests, InputRequiredResult, InputResponses},
};

/// What a round leads to.
pub(crate) enum Turn {
    /// The client has to answer these first.
    Ask(InputRequiredResult),
    /// All inputs of the last round.
    Done(InputResponses),
}

/// Plays one turn of `rounds` for the call `name`.
pub(crate) fn play(
    name: &str,
    rounds: &[InputRequests],
    given: Option<InputResponses>,
    state: Option<&str>,
) -> Result<Turn, ErrorData> {
    let round = match state {
        None => 0,
        Some(state) => (0..rounds.len())
            .find(|&round| state == mark(name, round))
            .ok_or_else(|| ErrorData::invalid_params("the request state is not ours", None))?,
    };
    let answers = given.unwrap_or_default();
    let answered = rounds[round]
        .keys()
        .all(|key| answers.get(key).is_some_and(serde_json::Value::is_object));
    let next = if answered { round + 1 } else { round };
    Ok(match rounds.get(next) {
        None => Turn::Done(answers),
        Some(asked) => Turn::Ask(InputRequiredResult::new(Some(asked.clone()), Some(mark(name, next)))),
    })
}

/// Keeps of `asked` what the client declared that it can answer.
pub(crate) fn declared_only(asked: &mut InputRequests, declared: Option<&ClientCapabilities>) {
    asked.retain(|_, request| {
        declared.is_some_and(|declared| match request {
            InputRequest::CreateMessage(_) => declared.sampling.is_some(),
            InputRequest::Elicitation(_) => declared.elicitation.is_some(),
            InputRequest::ListRoots(_) => declared.roots.is_some(),
            _ => false,
        })
    });
}

fn mark(name: &str, round: usize) -> String {
    format!("{name}/{round}")
}

//! Promises of the reply filter.

use proptest::prelude::*;
use serde_json::Value as Naive;

use super::*;
use crate::framing::sse;
use crate::json::Scratch;
use crate::mcp::MessageId;

fn filter(asked: Asked, modern: bool) -> ReplyFilter<'static> {
    ReplyFilter {
        asked,
        modern,
        id: Some(MessageId::Integer(1)),
    }
}

/// What passes of `message` if `hidden` names are not shown.
fn run(filter: ReplyFilter<'_>, message: &str, hidden: &[&str]) -> Result<(Verdict, String), ReplyError> {
    let mut out = b"before ".to_vec();
    let shown = filter.filter(
        message.as_bytes(),
        &mut Scratch::new(),
        &mut |name| !hidden.contains(&name),
        &mut out,
    );
    let text = String::from_utf8(out).unwrap();
    let text = text.strip_prefix("before ").unwrap().to_owned();
    if shown.is_err() {
        assert_eq!(text, "", "something was written of a refused message");
    }
    shown.map(|verdict| (verdict, text))
}

fn complete(removed: usize) -> Verdict {
    Verdict::Response(Outcome::Complete {
        removed,
        asks: Vec::new(),
    })
}

fn result(body: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{body}}}"#)
}

#[test]
fn removes_hidden_entries_and_keeps_the_bytes_of_the_others() {
    let message = result(
        "{ \"tools\" : [ {\"name\":\"a\",\"n\":1.0} ,{\"name\":\"b\"},\n { \"x\":\"]\\u0041,\",\"name\":\"\\u0063\" } ], \"nextCursor\":\"\" }",
    );
    let (verdict, text) = run(filter(Asked::List(List::Tools), false), &message, &["b"]).unwrap();
    assert_eq!(verdict, complete(1));
    let kept = "{ \"tools\" : [{\"name\":\"a\",\"n\":1.0},{ \"x\":\"]\\u0041,\",\"name\":\"\\u0063\" }], \"nextCursor\":\"\" }";
    assert_eq!(text, result(kept));
    let (_, text) = run(filter(Asked::List(List::Tools), false), &message, &["c"]).unwrap();
    assert!(!text.contains("\\u0063"));
}

#[test]
fn a_list_without_hidden_entries_passes_byte_for_byte() {
    let message =
        result("{\"tools\":[ {\"name\":\"a\"} , {\"name\":\"b\"} ],\"nextCursor\":\"x\",\"cacheScope\":\"public\"}");
    assert_eq!(
        run(filter(Asked::List(List::Tools), false), &message, &[]).unwrap(),
        (complete(0), message)
    );
}

#[test]
fn an_emptied_page_keeps_its_cursor() {
    for cursor in ["\"\"", "\"abc\"", "null"] {
        let page = |tools| result(&format!("{{\"tools\":{tools},\"nextCursor\":{cursor}}}"));
        let (verdict, text) = run(
            filter(Asked::List(List::Tools), true),
            &page("[{\"name\":\"a\"}]"),
            &["a"],
        )
        .unwrap();
        assert_eq!((verdict, text), (complete(1), page("[]")));
    }
}

#[test]
fn every_list_is_cut_by_the_member_that_names_its_entries() {
    for (list, member, key) in [
        (List::Tools, "tools", "name"),
        (List::Prompts, "prompts", "name"),
        (List::Resources, "resources", "uri"),
        (List::ResourceTemplates, "resourceTemplates", "uriTemplate"),
        (List::Tasks, "tasks", "taskId"),
        (List::Skills, "skills", "uri"),
        (List::Contents, "contents", "uri"),
    ] {
        let message = result(&format!(r#"{{"{member}":[{{"{key}":"a"}},{{"{key}":"b"}}]}}"#));
        let (verdict, text) = run(filter(Asked::List(list), true), &message, &["b"]).unwrap();
        assert_eq!(verdict, complete(1));
        assert_eq!(text, result(&format!(r#"{{"{member}":[{{"{key}":"a"}}]}}"#)));
    }
}

#[test]
fn an_entry_that_nothing_names_is_removed() {
    for entry in [
        "{}",
        "1",
        "null",
        "[]",
        "{\"name\":1}",
        "{\"Name\":\"a\"}",
        "{\"name\":\"a\",\"NAME\":\"b\"}",
    ] {
        let message = result(&format!("{{\"tools\":[{entry}]}}"));
        assert_eq!(
            run(filter(Asked::List(List::Tools), true), &message, &[]).unwrap().0,
            complete(1),
            "{entry}"
        );
    }
}

#[test]
fn the_modern_cache_scope_becomes_private_where_a_view_is_filtered() {
    let scoped = |scope| {
        result(&format!(
            "{{\"cacheScope\" : {scope},\"tools\":[{{\"name\":\"a\"}}],\"contents\":[],\"ttlMs\":5}}"
        ))
    };
    for asked in [Asked::List(List::Tools), Asked::List(List::Contents), Asked::Discover] {
        for scope in ["\"public\"", "\"private\"", "null", "[1]"] {
            assert_eq!(
                run(filter(asked, true), &scoped(scope), &[]).unwrap().1,
                scoped("\"private\"")
            );
        }
        assert_eq!(
            run(filter(asked, false), &scoped("\"public\""), &[]).unwrap().1,
            scoped("\"public\"")
        );
    }
    let cut = run(filter(Asked::List(List::Tools), true), &scoped("\"public\""), &["a"])
        .unwrap()
        .1;
    assert_eq!(cut, scoped("\"private\"").replace("{\"name\":\"a\"}", ""));
    assert_eq!(
        run(filter(Asked::Other, true), &scoped("\"public\""), &[]).unwrap().1,
        scoped("\"public\"")
    );
}

#[test]
fn a_result_that_could_hide_a_list_from_this_reader_is_refused() {
    let list = filter(Asked::List(List::Tools), true);
    assert_eq!(run(list, &result("{}"), &[]), Err(ReplyError::NotAList));
    assert_eq!(run(list, &result("{\"tools\":{}}"), &[]), Err(ReplyError::NotAList));
    assert_eq!(run(list, &result("[]"), &[]), Err(ReplyError::NotAMessage));
    for twin in [
        "{\"tools\":[],\"Tools\":[]}",
        "{\"tools\":[],\"CacheScope\":\"public\"}",
        "{\"tools\":[],\"tools\":[]}",
    ] {
        assert!(
            matches!(run(list, &result(twin), &[]), Err(ReplyError::Json(_))),
            "{twin}"
        );
    }
    assert!(matches!(
        run(list, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[", &[]),
        Err(ReplyError::Json(_))
    ));
}

#[test]
fn a_response_must_answer_the_request_with_its_type_of_id() {
    let answer = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
    let with = |id| ReplyFilter {
        id,
        ..filter(Asked::Other, false)
    };
    assert!(run(with(Some(MessageId::Integer(7))), &answer("7"), &[]).is_ok());
    assert!(run(with(Some(MessageId::Text("7"))), &answer("\"\\u0037\""), &[]).is_ok());
    for (id, sent) in [
        (Some(MessageId::Integer(7)), "\"7\""),
        (Some(MessageId::Text("7")), "7"),
        (Some(MessageId::Integer(7)), "8"),
        (Some(MessageId::Integer(7)), "null"),
        (None, "7"),
    ] {
        assert_eq!(run(with(id), &answer(sent), &[]), Err(ReplyError::ForeignId), "{sent}");
    }
}

#[test]
fn only_one_well_formed_message_passes() {
    for message in [
        "[]",
        "1",
        r#"[{"jsonrpc":"2.0","id":1,"result":{}}]"#,
        r#"{"id":1,"result":{}}"#,
        r#"{"jsonrpc":"1.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"method":"x"}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":"x"}"#,
        r#"{"jsonrpc":"2.0","method":1}"#,
    ] {
        assert_eq!(
            run(filter(Asked::Other, false), message, &[]),
            Err(ReplyError::NotAMessage),
            "{message}"
        );
    }
    let twin = r#"{"jsonrpc":"2.0","id":1,"result":{},"Result":{}}"#;
    assert!(matches!(
        run(filter(Asked::Other, false), twin, &[]),
        Err(ReplyError::Json(_))
    ));
}

#[test]
fn an_error_passes_for_this_request_or_for_none() {
    for id in ["\"id\":1,", "\"id\":null,", ""] {
        let message = format!(r#"{{"jsonrpc":"2.0",{id}"error":{{"code":-32602,"message":"m"}}}}"#);
        let passed = run(filter(Asked::List(List::Tools), true), &message, &[]);
        assert_eq!(passed, Ok((Verdict::Response(Outcome::Error), message)));
    }
    let foreign = r#"{"jsonrpc":"2.0","id":2,"error":{"code":1,"message":"m"}}"#;
    assert_eq!(
        run(filter(Asked::Other, true), foreign, &[]),
        Err(ReplyError::ForeignId)
    );
}

#[test]
fn notifications_pass_and_name_their_subject() {
    let notification = |subject: Option<&str>, method: &str| Verdict::Notification {
        method: method.to_owned(),
        subject: subject.map(str::to_owned),
        asks: Vec::new(),
    };
    for (method, params, subject) in [
        ("notifications/progress", "{\"progress\":1,\"uri\":\"x\"}", None),
        (
            "notifications/resources/updated",
            "{\"uri\":\"file:///a\"}",
            Some("file:///a"),
        ),
        ("notifications/tasks/status", "{\"taskId\":\"t\"}", Some("t")),
        ("notifications/tools/list_changed", "{}", None),
    ] {
        let message = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
        let passed = run(filter(Asked::List(List::Tools), true), &message, &[]);
        assert_eq!(passed, Ok((notification(subject, method), message)));
    }
}

#[test]
fn requests_to_the_client_are_told_in_the_legacy_era_and_refused_in_the_modern() {
    for (method, verdict) in [
        ("sampling/createMessage", Verdict::Request(Ask::Sampling)),
        ("elicitation/create", Verdict::Request(Ask::Elicit)),
        ("roots/list", Verdict::Request(Ask::Roots)),
        ("tasks/get", Verdict::Request(Ask::ClientTask)),
        ("ping", Verdict::Ping),
    ] {
        let message = format!(r#"{{"jsonrpc":"2.0","id":"s-1","method":"{method}"}}"#);
        assert_eq!(
            run(filter(Asked::CallTool, false), &message, &[]),
            Ok((verdict, message.clone()))
        );
        assert_eq!(
            run(filter(Asked::CallTool, true), &message, &[]),
            Err(ReplyError::ServerRequest)
        );
    }
    let unknown = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#;
    assert_eq!(
        run(filter(Asked::CallTool, false), unknown, &[]),
        Err(ReplyError::ServerRequest)
    );
}

#[test]
fn what_a_result_asks_of_the_client_is_told() {
    let asking = r#"{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{}},
        "b":{"method":"sampling/createMessage"}},"requestState":"s"}"#;
    for asked in [Asked::CallTool, Asked::GetPrompt, Asked::List(List::Contents)] {
        let (verdict, text) = run(filter(asked, true), &result(asking), &[]).unwrap();
        assert_eq!(
            verdict,
            Verdict::Response(Outcome::InputRequired(vec![Ask::Elicit, Ask::Sampling]))
        );
        assert_eq!(text, result(asking));
    }
    for asked in [Asked::List(List::Tools), Asked::Discover, Asked::Other] {
        assert_eq!(
            run(filter(asked, true), &result(asking), &[]),
            Err(ReplyError::ResultType)
        );
    }
    let task = r#"{"resultType":"complete","taskId":"t","status":"input_required","inputRequests":{"r":{"method":"roots/list"}}}"#;
    let told = Verdict::Response(Outcome::Complete {
        removed: 0,
        asks: vec![Ask::Roots],
    });
    assert_eq!(run(filter(Asked::Other, true), &result(task), &[]).unwrap().0, told);
    for bad in [
        "[]",
        "{\"a\":1}",
        "{\"a\":{\"method\":\"tools/call\"}}",
        "{\"a\":{\"Method\":\"roots/list\"}}",
    ] {
        let message = result(&format!(
            "{{\"resultType\":\"input_required\",\"inputRequests\":{bad}}}"
        ));
        assert_eq!(
            run(filter(Asked::CallTool, true), &message, &[]),
            Err(ReplyError::InputRequests),
            "{bad}"
        );
    }
}

#[test]
fn a_task_is_told_in_both_shapes() {
    let task = Verdict::Response(Outcome::Task("t-1".to_owned()));
    let modern = result(r#"{"resultType":"task","taskId":"t-1","status":"working"}"#);
    assert_eq!(run(filter(Asked::CallTool, true), &modern, &[]).unwrap().0, task);
    assert_eq!(
        run(filter(Asked::GetPrompt, true), &modern, &[]),
        Err(ReplyError::ResultType)
    );
    let legacy = result(r#"{"task":{"taskId":"t-1","status":"working"}}"#);
    assert_eq!(run(filter(Asked::CallTool, false), &legacy, &[]).unwrap().0, task);
    assert_eq!(
        run(filter(Asked::CallTool, true), &result(r#"{"resultType":"task"}"#), &[]),
        Err(ReplyError::TaskId)
    );
    assert_eq!(
        run(filter(Asked::CallTool, false), &result(r#"{"task":{}}"#), &[]),
        Err(ReplyError::TaskId)
    );
}

#[test]
fn a_request_to_the_client_needs_an_id_that_can_be_answered() {
    for id in ["null", "1.5", "{}", "true"] {
        let message = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"roots/list"}}"#);
        assert_eq!(
            run(filter(Asked::CallTool, false), &message, &[]),
            Err(ReplyError::NotAMessage),
            "{id}"
        );
    }
}

#[test]
fn the_data_of_an_event_is_filtered_like_a_body() {
    let stream = "event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\r\ndata: \"result\":{\"tools\":[{\"name\":\"a\"},\r\n\
                  data: {\"name\":\"b\"}]}}\r\nid: 7\r\n\r\n";
    let mut decoder = sse::Decoder::new(1 << 16);
    decoder.push(stream.as_bytes()).unwrap();
    let Some(sse::Frame::Event(event)) = decoder.next_event() else {
        panic!("no event")
    };
    let data = core::str::from_utf8(event.data.unwrap()).unwrap();
    let (verdict, text) = run(filter(Asked::List(List::Tools), false), data, &["a"]).unwrap();
    assert_eq!(verdict, complete(1));
    assert_eq!(
        text,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\n\"result\":{\"tools\":[{\"name\":\"b\"}]}}"
    );
}

#[test]
fn an_unknown_result_type_is_refused() {
    for given in ["\"partial\"", "\"Complete\"", "\"\"", "1", "null"] {
        let message = result(&format!("{{\"resultType\":{given},\"content\":[]}}"));
        assert_eq!(
            run(filter(Asked::CallTool, true), &message, &[]),
            Err(ReplyError::ResultType),
            "{given}"
        );
        assert!(run(filter(Asked::CallTool, false), &message, &[]).is_ok());
    }
}

/// Pages of tools with odd texts, and which of their names are hidden.
fn page() -> impl Strategy<Value = (String, Vec<bool>)> {
    let text = "[a-z\\[\\]{},:\"\\\\ é]{0,8}".prop_map(|text| serde_json::to_string(&text).unwrap());
    let space = prop::sample::select(vec!["", " ", "\n\t"]);
    let tool = (text, space.clone(), any::<bool>());
    (prop::collection::vec(tool, 0..6), space, any::<bool>()).prop_map(|(tools, gap, cursor)| {
        let hidden = tools.iter().map(|(_, _, hidden)| *hidden).collect();
        let written = tools.iter().enumerate().map(|(number, (text, gap, _))| {
            format!(
                "{gap}{{\"description\":{text},{gap}\"name\":\"t{number}\",\"inputSchema\":{{\"a\":[{text}]}}}}{gap}"
            )
        });
        let cursor = if cursor { ",\"nextCursor\":\"\"" } else { "" };
        let tools = written.collect::<Vec<_>>().join(",");
        (
            result(&format!("{{{gap}\"tools\":{gap}[{tools}]{cursor},\"ttlMs\":1.50}}")),
            hidden,
        )
    })
}

proptest! {
    #[test]
    fn a_cut_list_equals_the_naive_reference((message, hidden) in page()) {
        let mut expected: Naive = serde_json::from_str(&message).unwrap();
        let name = |number: usize| format!("t{number}");
        let names: Vec<_> = (0..hidden.len()).filter(|number| hidden[*number]).map(name).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        expected["result"]["tools"].as_array_mut().unwrap().retain(|tool| !names.contains(&tool["name"].as_str().unwrap()));
        let (verdict, text) = run(filter(Asked::List(List::Tools), true), &message, &names).unwrap();
        prop_assert_eq!(verdict, complete(names.len()));
        prop_assert_eq!(serde_json::from_str::<Naive>(&text).unwrap(), expected);
        if names.is_empty() {
            prop_assert_eq!(text, message);
        }
    }

    #[test]
    fn arbitrary_text_is_refused_or_passes_unchanged(message in "\\PC{0,40}") {
        if let Ok((_, text)) = run(filter(Asked::Other, true), &message, &[]) {
            prop_assert_eq!(text, message);
        }
    }
}

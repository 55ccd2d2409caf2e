//! Plays a plan of steps with the rmcp client: `mode` is `auto`, `legacy` or `2026-07-28`.
//! Prints one JSON line for each step and exits 1 when one failed, as the other drivers do.
#![expect(
    deprecated,
    reason = "sampling and roots are deprecated in 2026-07-28 and the tests need them all the same"
)]

use std::{
    collections::HashMap,
    error::Error,
    fs,
    io::Write,
    process::ExitCode,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::header::{HeaderName, HeaderValue};
use rmcp::{
    ClientHandler, ErrorData, RoleClient, ServiceError,
    model::*,
    service::{ClientLifecycleMode, ClientServiceExt, NotificationContext, RequestContext, RunningService},
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

/// Longest wait for one step.
const STEP: Duration = Duration::from_secs(60);

/// What to connect to, as whom, and what to do there.
#[derive(Deserialize)]
struct Plan {
    url: String,
    headers: HashMap<String, String>,
    mode: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    step: String,
    #[serde(flatten)]
    call: Call,
    #[serde(default)]
    has: Vec<String>,
    #[serde(default)]
    lacks: Vec<String>,
    then: Option<Call>,
}

#[derive(Deserialize)]
struct Call {
    #[serde(default)]
    tool: String,
    #[serde(default)]
    arguments: Map<String, Value>,
    expect: Option<String>,
}

/// What the server asked of this client and reported to it.
#[derive(Clone, Default)]
struct Driver {
    mode: String,
    asked: Arc<AtomicUsize>,
    reports: Arc<AtomicUsize>,
    reported: Arc<Notify>,
}

impl ClientHandler for Driver {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder()
            .enable_sampling()
            .enable_elicitation()
            .enable_roots()
            .build();
        let mut info = ClientConfig::new(capabilities, Implementation::new("portreeve-driver-rmcp", "1.0.0"));
        if self.mode == "legacy" {
            info.protocol_version = ProtocolVersion::V_2025_11_25;
        }
        info
    }

    async fn create_message(
        &self,
        _: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = json!({
            "role": "assistant", "model": "none", "content": { "type": "text", "text": "sampled" }
        });
        serde_json::from_value(answer).map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }

    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let content = json!({ "username": "ada", "email": "ada@example.test", "name": "ada", "color": "green" });
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(content))
    }

    async fn on_progress(&self, _: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.reports.fetch_add(1, Ordering::SeqCst);
        self.reported.notify_one();
    }
}

type Failure = Box<dyn Error + Send + Sync>;

struct Peer {
    client: RunningService<RoleClient, Driver>,
    driver: Driver,
}

impl Peer {
    async fn connect(plan: &Plan) -> Result<Self, Failure> {
        let mut headers = HashMap::new();
        for (name, value) in &plan.headers {
            headers.insert(HeaderName::from_str(name)?, HeaderValue::from_str(value)?);
        }
        let config = StreamableHttpClientTransportConfig::with_uri(plan.url.as_str()).custom_headers(headers);
        let modern = vec![ProtocolVersion::V_2026_07_28];
        let lifecycle = match plan.mode.as_str() {
            "legacy" => ClientLifecycleMode::Initialize,
            "auto" => ClientLifecycleMode::Auto {
                preferred_versions: modern,
                legacy_version: Some(ProtocolVersion::V_2025_11_25),
            },
            _ => ClientLifecycleMode::Discover {
                preferred_versions: modern,
            },
        };
        let driver = Driver {
            mode: plan.mode.clone(),
            ..Driver::default()
        };
        let transport = StreamableHttpClientTransport::from_config(config);
        let client = driver.clone().serve_with_lifecycle(transport, lifecycle).await?;
        Ok(Self { client, driver })
    }

    async fn perform(&self, step: &Step) -> Result<String, Failure> {
        match step.step.as_str() {
            "connect" => {
                let version = self.client.peer_info().map(|info| info.protocol_version.to_string());
                expect(version.unwrap_or_default(), &step.call)
            }
            "list" => self.list(step).await,
            "call" => self.called(&step.call).await,
            "denied" => self.denied(&step.call).await,
            "asked" => {
                let before = self.driver.asked.load(Ordering::SeqCst);
                let text = self.called(&step.call).await?;
                if self.driver.asked.load(Ordering::SeqCst) == before {
                    return Err("the server asked nothing".into());
                }
                Ok(text)
            }
            "progress" => {
                let before = self.driver.reports.load(Ordering::SeqCst);
                self.called(&step.call).await?;
                let reports = self.driver.reports.load(Ordering::SeqCst) - before;
                if reports < 2 {
                    return Err(format!("{reports} progress reports").into());
                }
                Ok(format!("{reports} reports"))
            }
            "cancel" => {
                let then = step.then.as_ref().ok_or("the plan does not say how to look")?;
                self.cancelled(&step.call, then).await
            }
            other => Err(format!("no such step: {other}").into()),
        }
    }

    async fn list(&self, step: &Step) -> Result<String, Failure> {
        let tools = self.client.list_all_tools().await?;
        let listed = |name: &String| tools.iter().any(|tool| tool.name == *name);
        if let Some(missing) = step.has.iter().find(|name| !listed(name)) {
            return Err(format!("{missing} is not listed").into());
        }
        if let Some(shown) = step.lacks.iter().find(|name| listed(name)) {
            return Err(format!("{shown} is listed").into());
        }
        Ok(format!("{} tools", tools.len()))
    }

    async fn call(&self, call: &Call) -> Result<CallToolResult, ServiceError> {
        let params = CallToolRequestParams::new(call.tool.clone()).with_arguments(call.arguments.clone());
        self.client.call_tool(params).await
    }

    async fn called(&self, call: &Call) -> Result<String, Failure> {
        let result = self.call(call).await?;
        let text = text_of(&result);
        if result.is_error == Some(true) {
            return Err(format!("the tool failed: {text}").into());
        }
        expect(text, call)
    }

    /// A denial is a JSON-RPC error or an error result: anything else has broken the client's connection.
    async fn denied(&self, call: &Call) -> Result<String, Failure> {
        match self.call(call).await {
            Err(ServiceError::McpError(error)) => expect(error.to_string(), call),
            Err(broken) => Err(broken.into()),
            Ok(result) if result.is_error == Some(true) => expect(text_of(&result), call),
            Ok(_) => Err(format!("{} was let through", call.tool).into()),
        }
    }

    /// Abandons the call when its first progress report arrives, then asks the server whether it noticed.
    async fn cancelled(&self, call: &Call, then: &Call) -> Result<String, Failure> {
        // A permit may be left over from an earlier step's reports.
        let _ = tokio::time::timeout(Duration::ZERO, self.driver.reported.notified()).await;
        tokio::select! {
            ended = self.call(call) => return Err(format!("the call ended by itself: {ended:?}").into()),
            () = self.driver.reported.notified() => {}
        }
        self.called(then).await
    }
}

fn expect(text: String, call: &Call) -> Result<String, Failure> {
    match &call.expect {
        Some(wanted) if !text.contains(wanted) => Err(format!("expected {wanted:?}, got {text:?}").into()),
        _ => Ok(text),
    }
}

fn text_of(result: &CallToolResult) -> String {
    result
        .content
        .iter()
        .filter_map(|block| block.as_text())
        .map(|block| block.text.as_str())
        .collect()
}

fn say(step: &str, outcome: &Result<String, Failure>) -> Result<(), Failure> {
    let (ok, detail) = match outcome {
        Ok(detail) => (true, detail.clone()),
        Err(error) => (false, error.to_string()),
    };
    writeln!(
        std::io::stdout(),
        "{}",
        json!({ "step": step, "ok": ok, "detail": detail })
    )?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Failure> {
    let path = std::env::args()
        .nth(1)
        .ok_or("usage: portreeve-fixture-rmcp-client PLAN.json")?;
    let plan: Plan = serde_json::from_str(&fs::read_to_string(path)?)?;
    let peer = match Peer::connect(&plan).await {
        Ok(peer) => peer,
        Err(error) => {
            say("connect", &Err(error))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let mut code = ExitCode::SUCCESS;
    for step in &plan.steps {
        let outcome = match tokio::time::timeout(STEP, peer.perform(step)).await {
            Ok(outcome) => outcome,
            Err(late) => Err(late.into()),
        };
        if outcome.is_err() {
            code = ExitCode::FAILURE;
        }
        say(&step.step, &outcome)?;
    }
    peer.client.cancel().await?;
    Ok(code)
}

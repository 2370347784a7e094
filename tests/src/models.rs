//! A server that answers as the interfaces of language models do, byte by byte as their wire formats are.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `POST /v1/messages`.
    pub line: String,
    /// All headers, a line each, names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Asked {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }
}

/// What a test wants of each request: it writes the answer, and says whether the connection goes on.
type Answer = dyn Fn(&Asked, &mut TcpStream) -> std::io::Result<bool> + Send + Sync;

/// A server on loopback, for as long as the process lives.
#[derive(Clone)]
pub struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

impl Server {
    /// One that answers as `answer` does.
    ///
    /// # Errors
    /// When no port is free.
    pub fn new(
        answer: impl Fn(&Asked, &mut TcpStream) -> std::io::Result<bool> + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let server = Self {
            address: listener.local_addr()?,
            asked: Arc::default(),
        };
        let (asked, answer) = (Arc::clone(&server.asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
                std::thread::spawn(move || {
                    // Who closes midway is what some tests are about.
                    let _ = serve(stream, &asked, &*answer);
                });
            }
        });
        Ok(server)
    }

    /// The server of language models.
    ///
    /// # Errors
    /// When no port is free.
    pub fn of_models() -> std::io::Result<Self> {
        Self::new(|asked, stream| model(asked, stream).map(|()| true))
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn serve(stream: TcpStream, all: &Mutex<Vec<Asked>>, answer: &Answer) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            match header.trim_end().split_once(':') {
                Some((name, value)) => {
                    headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
                }
                None => break,
            }
        }
        let mut asked = Asked {
            line: line.split(" HTTP/").next().unwrap_or_default().to_owned(),
            headers,
            body: String::new(),
        };
        let length = asked.header("content-length").unwrap_or("0");
        let mut body = vec![0; length.parse().unwrap_or(0)];
        reader.read_exact(&mut body)?;
        asked.body = String::from_utf8_lossy(&body).into_owned();
        all.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(asked.clone());
        if !answer(&asked, &mut stream)? {
            return Ok(());
        }
    }
}

/// Writes a whole answer.
///
/// # Errors
/// When the other side is gone.
pub fn whole(stream: &mut TcpStream, status: &str, more: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{more}\r\n{body}"
    );
    stream.write_all(answer.as_bytes())
}

/// Begins a stream of events.
///
/// # Errors
/// When the other side is gone.
pub fn begin_events(stream: &mut TcpStream) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nx-request-id: req_1\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes())
}

/// Writes one piece of a stream; an empty one ends it.
///
/// # Errors
/// When the other side is gone.
pub fn piece(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    stream.write_all(format!("{:X}\r\n{text}\r\n", text.len()).as_bytes())
}

fn events(stream: &mut TcpStream, all: &[String]) -> std::io::Result<()> {
    begin_events(stream)?;
    for event in all {
        piece(stream, event)?;
    }
    piece(stream, "")
}

fn model(asked: &Asked, stream: &mut TcpStream) -> std::io::Result<()> {
    let streams = asked.body.contains("\"stream\":true") || asked.body.contains("\"stream\": true");
    if asked.body.contains("\"limited\"") {
        let body = r#"{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
        return whole(stream, "429 Too Many Requests", "retry-after: 2\r\n", body);
    }
    match (asked.line.as_str(), streams) {
        ("POST /v1/chat/completions", true) => events(stream, &chat_events()),
        ("POST /v1/chat/completions", false) => {
            whole(stream, "200 OK", "x-request-id: req_2\r\n", CHAT)
        }
        ("POST /v1/responses", true) => {
            let created = RESPONSE.replace("\"completed\"", "\"in_progress\"");
            let of = |kind: &str, response: &str, at: u8| {
                format!(
                    "event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{at},\"response\":{response}}}\n\n"
                )
            };
            let all = [
                of("response.created", &created, 0),
                of("response.completed", RESPONSE, 1),
            ];
            events(stream, &all)
        }
        ("POST /v1/responses", false) => whole(stream, "200 OK", "", RESPONSE),
        ("POST /v1/embeddings", _) => whole(stream, "200 OK", "", EMBEDDING),
        ("POST /v1/messages", true) => events(stream, &message_events()),
        ("POST /v1/messages", false) => whole(stream, "200 OK", "request-id: req_3\r\n", MESSAGE),
        ("GET /v1/models", _) => whole(stream, "200 OK", "", MODELS),
        _ => whole(stream, "404 Not Found", "", "{}"),
    }
}

const CHAT: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1760000000,"model":"small-1-2026","choices":[{"index":0,"message":{"role":"assistant","content":"hello","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;
const RESPONSE: &str = r#"{"id":"resp_1","object":"response","created_at":1760000000,"status":"completed","error":null,"incomplete_details":null,"instructions":null,"model":"small-1-2026","output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Let me look.","annotations":[]}]},{"type":"function_call","id":"fc_1","call_id":"call_r1","name":"lookup","arguments":"{\"id\":7}","status":"completed"}],"parallel_tool_calls":true,"temperature":1.0,"tool_choice":"auto","tools":[],"top_p":1.0,"metadata":{},"usage":{"input_tokens":12,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":6,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":18}}"#;
const EMBEDDING: &str = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,0.25]}],"model":"embed-1","usage":{"prompt_tokens":1,"total_tokens":1}}"#;
const MESSAGE: &str = r#"{"id":"msg_2","type":"message","role":"assistant","model":"claude-small-1","content":[{"type":"text","text":"7 is Ann."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":40,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":5}}"#;
const MODELS: &str = r#"{"object":"list","data":[{"id":"small-1","object":"model","created":1760000000,"owned_by":"somebody"}]}"#;

fn chat_events() -> Vec<String> {
    let chunk = |choice: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-2\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"small-1-2026\",\"choices\":[{{\"index\":0,{choice}}}]}}\n\n"
        )
    };
    vec![
        chunk(r#""delta":{"role":"assistant","content":"Let me"},"finish_reason":null"#),
        chunk(r#""delta":{"content":" look."},"finish_reason":null"#),
        chunk(
            r#""delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"lookup","arguments":""}}]},"finish_reason":null"#,
        ),
        chunk(
            r#""delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"id\":7}"}}]},"finish_reason":null"#,
        ),
        chunk(r#""delta":{},"finish_reason":"tool_calls""#),
        "data: [DONE]\n\n".to_owned(),
    ]
}

fn message_events() -> Vec<String> {
    [
        ("message_start", r#""message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-small-1","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":1}}"#),
        ("content_block_start", r#""index":0,"content_block":{"type":"text","text":""}"#),
        ("content_block_delta", r#""index":0,"delta":{"type":"text_delta","text":"Let me look."}"#),
        ("content_block_stop", r#""index":0"#),
        ("content_block_start", r#""index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"lookup","input":{}}"#),
        ("content_block_delta", r#""index":1,"delta":{"type":"input_json_delta","partial_json":"{\"id\": 7}"}"#),
        ("content_block_stop", r#""index":1"#),
        ("message_delta", r#""delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":12}"#),
        ("message_stop", ""),
    ]
    .into_iter()
    .map(|(kind, rest)| {
        let comma = if rest.is_empty() { "" } else { "," };
        format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{comma}{rest}}}\n\n")
    })
    .collect()
}

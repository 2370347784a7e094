//! A time-stamping authority (RFC 3161) for tests: OpenSSL behind the smallest of web servers.

use crate::outcome::Outcome;
use libtest_mimic::Failed;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type Tried<T> = Result<T, Failed>;

/// A time-stamping authority: OpenSSL behind the smallest of web servers.
#[derive(Debug)]
pub struct Authority {
    /// Its files: `ca.pem`, `signer.pem`.
    pub dir: PathBuf,
    /// Host and port of its web server.
    pub address: String,
    /// Answers with what it answered last, whatever it is asked.
    pub replay: Arc<AtomicBool>,
}

const OPENSSL: &str = "
[req]
distinguished_name = name
prompt = no
[name]
CN = Time stamping of a test
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[signer]
basicConstraints = CA:FALSE
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = here
[here]
dir = .
serial = ./serial
signer_cert = ./signer.pem
signer_key = ./signer.key
certs = ./ca.pem
default_policy = 1.2.3.4.1
digests = sha256
signer_digest = sha256
ess_cert_id_alg = sha256
ess_cert_id_chain = no
ordering = no
tsa_name = no
";

fn openssl(dir: &Path, args: &[&str]) -> Tried<Outcome> {
    Ok(Outcome::of(
        Command::new("openssl").args(args).current_dir(dir),
    )?)
}

impl Authority {
    /// Makes a CA and a signer that it certifies, each for 30 days, with keys as `openssl genpkey` takes them, and
    /// listens on a port of its own until the process ends.
    ///
    /// # Errors
    /// As `openssl` and the system fail.
    pub fn start(dir: &Path, key: &[&str]) -> Tried<Self> {
        std::fs::create_dir_all(dir)?;
        std::fs::write(dir.join("openssl.cnf"), OPENSSL)?;
        std::fs::write(dir.join("serial"), "01\n")?;
        for (name, cn, sections) in [
            (
                "ca",
                "/CN=CA of a test",
                &["-x509", "-extensions", "ca"][..],
            ),
            ("signer", "/CN=Signer of a test", &[]),
        ] {
            let file = format!("{name}.key");
            let made = [&["genpkey", "-quiet"], key, &["-out", &file]].concat();
            openssl(dir, &made)?.ended(0)?;
            let out = if sections.is_empty() {
                format!("{name}.csr")
            } else {
                format!("{name}.pem")
            };
            let request = [
                "req",
                "-new",
                "-config",
                "openssl.cnf",
                "-key",
                &file,
                "-subj",
                cn,
                "-days",
                "30",
                "-out",
                &out,
            ];
            openssl(dir, &[&request[..], sections].concat())?.ended(0)?;
        }
        openssl(
            dir,
            &[
                "x509",
                "-req",
                "-in",
                "signer.csr",
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-CAcreateserial",
                "-days",
                "30",
                "-extfile",
                "openssl.cnf",
                "-extensions",
                "signer",
                "-out",
                "signer.pem",
            ],
        )?
        .ended(0)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let replay = Arc::new(AtomicBool::new(false));
        let (folder, again) = (dir.to_path_buf(), Arc::clone(&replay));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let _ = answer(stream, &folder, again.load(Ordering::SeqCst));
            }
        });
        Ok(Self {
            dir: dir.to_path_buf(),
            address,
            replay,
        })
    }

    /// What `openssl ts -verify` says of a token over a text at a time in Unix seconds, given this authority's CA alone.
    ///
    /// # Errors
    /// It cannot be started, or its input not be written.
    pub fn verify(&self, text: &str, token: &[u8], at: u64) -> Tried<Outcome> {
        std::fs::write(self.dir.join("text"), text)?;
        std::fs::write(self.dir.join("token"), token)?;
        let at = at.to_string();
        let verify = [
            "ts",
            "-verify",
            "-data",
            "text",
            "-in",
            "token",
            "-token_in",
            "-CAfile",
            "ca.pem",
            "-attime",
            &at,
        ];
        openssl(&self.dir, &verify)
    }
}

fn answer(mut stream: TcpStream, dir: &Path, replay: bool) -> Tried<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        line.clear();
    }
    let mut query = vec![0; length];
    reader.read_exact(&mut query)?;
    if !replay {
        std::fs::write(dir.join("query"), query)?;
        let reply = [
            "ts",
            "-reply",
            "-config",
            "openssl.cnf",
            "-section",
            "here",
            "-queryfile",
            "query",
            "-out",
            "reply",
        ];
        openssl(dir, &reply)?.ended(0)?;
    }
    let body = std::fs::read(dir.join("reply"))?;
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/timestamp-reply\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body].concat())?;
    Ok(())
}

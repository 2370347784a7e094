//! Agents of other hosts: TLS at the agent doors, client certificates, and who does not get in.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use collector_lite::Hidden;
use ledger::door::Door;
use libtest_mimic::{Failed, Trial};
use recount::{EndReason, Recorder, RecorderBuilder};
use serde_json::Value;
use tests::certificates::{Certified, Certifier, For, client};
use tests::need::{Need, python, trial};
use tests::outcome::Outcome;
use tests::program::Program::{Collector, Recount};

use crate::producers::{rows, same, streams};

const LONG: Duration = Duration::from_secs(20);

pub(crate) fn trials() -> Vec<Trial> {
    let python = |name, test| trial(name, Some(Need::Python), test);
    vec![
        Trial::test("sdk_is_known_by_its_certificate", is_known),
        Trial::test("sdk_is_known_by_its_token_over_tls", token_over_tls),
        Trial::test("renewed_certificates_are_taken_up", are_taken_up),
        Trial::test("sdk_trusts_no_other_door", trusts_no_other),
        Trial::test(
            "revoked_certificate_is_refused_from_the_next_request_on",
            is_refused,
        ),
        Trial::test("tls_door_answers_no_plaintext", no_plaintext),
        Trial::test("stalled_handshakes_hold_up_nobody", hold_up_nobody),
        Trial::test(
            "beyond_loopback_tls_and_enrolment_are_needed",
            beyond_loopback,
        ),
        python("python_over_http_shows_its_certificate", || {
            stock("http/protobuf")
        }),
        python("python_over_grpc_shows_its_certificate", || stock("grpc")),
    ]
}

/// A collector behind TLS that requires enrolment.
struct World {
    collector: Hidden,
    certifier: Certifier,
    door: Certified,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let certifier = Certifier::new(&folder.path().join("authority"))?;
        let door = certifier.certify("door", For::Door)?;
        let mut command = Collector.command()?;
        command
            .args(["serve", "--init", "--require-enrolment"])
            .args(["--otlp-http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0"])
            .arg("--reader")
            .arg(folder.path().join("reader.sock"))
            .arg("--tls-cert")
            .arg(&door.certificate)
            .arg("--tls-key")
            .arg(&door.key)
            .arg("--tls-client-ca")
            .arg(&certifier.authority)
            .arg("--store")
            .arg(folder.path().join("store"));
        Ok(Self {
            collector: Hidden::spawn(&mut command, true)?,
            certifier,
            door,
            folder,
        })
    }

    fn http(&self) -> Result<String, Failed> {
        Ok(self.collector.ready().otlp_http.clone().ok_or("a door")?)
    }

    fn run(&self, args: &[&str]) -> Result<Outcome, Failed> {
        let mut command = Collector.command()?;
        command.args(args).arg("--store");
        Ok(Outcome::of(command.arg(self.folder.path().join("store")))?)
    }

    /// A client with an enrolled certificate.
    fn enrolled(&self, name: &str) -> Result<Certified, Failed> {
        let client = self.certifier.certify(name, For::Client)?;
        let path = client.certificate.to_str().ok_or("UTF-8")?;
        let told = self
            .run(&["enroll", name, "--certificate", path])?
            .ended(0)?;
        same("a token is given", told.out.contains("rct_"), false)?;
        Ok(client)
    }

    fn recorder(&self) -> Result<RecorderBuilder, Failed> {
        Ok(Recorder::builder("agent")
            .collector(format!("https://{}", self.http()?))
            .authorities(&self.certifier.authority)
            .strict_wait(LONG)
            .spool(self.folder.path().join("spool")))
    }

    /// The status of an empty export by this client; the error where no connection came about.
    fn ask(&self, shown: Option<&Certified>) -> Result<u16, Failed> {
        Ok(client(&self.certifier.authority, shown)?
            .post(format!("https://{}/v1/logs", self.http()?))
            .header("content-type", "application/json")
            .send("{}")?
            .status()
            .as_u16())
    }

    fn health(&self) -> Result<Value, Failed> {
        let health = Door::socket(&self.folder.path().join("reader.sock")).get("/healthz")?;
        Ok(serde_json::from_slice(&health)?)
    }

    fn account(mut self, query: &str) -> Result<Value, Failed> {
        self.collector.stop()?;
        let home = self.folder.path();
        let mut command = Recount.command()?;
        command
            .args(["show", query, "--all", "-o", "json", "--store"])
            .arg(home.join("store"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_STATE_HOME", home.join("state"));
        Ok(Outcome::of(&mut command)?.ended(0)?.json()?)
    }
}

fn one_action(recorder: &Recorder, request: &str) -> Result<(), Failed> {
    let session = recorder.session(request).start_blocking();
    session.tool("send").begin_blocking()?.end_success();
    session.end_blocking(EndReason::Completed);
    Ok(())
}

fn is_known() -> Result<(), Failed> {
    let world = World::new()?;
    let billing = world.enrolled("billing")?;
    let recorder = world
        .recorder()?
        .client_certificate(&billing.certificate, &billing.key)
        .build()?;
    one_action(&recorder, "47892")?;
    same("unsent", recorder.close_blocking(LONG).0, 0)?;
    let account = world.account("47892")?;
    let wanted = vec![("billing", "certificate", "own")];
    same("streams", streams(&account), wanted)?;
    let ran = rows(&account, "who").find(|who| who["role"] == "ran");
    let proof = ran.and_then(|ran| ran["proof"].as_str());
    let wanted = "enrolled as billing, known to the collector by its certificate";
    same("who ran it", proof, Some(wanted))
}

fn token_over_tls() -> Result<(), Failed> {
    let world = World::new()?;
    let told = world
        .run(&["enroll", "cron", "-o", "json"])?
        .ended(0)?
        .json()?;
    let token = told["token"].as_str().ok_or("a token")?;
    let recorder = world.recorder()?.token(token).build()?;
    one_action(&recorder, "47892")?;
    same("unsent", recorder.close_blocking(LONG).0, 0)?;
    let account = world.account("47892")?;
    same("streams", streams(&account), vec![("cron", "token", "own")])
}

/// A door's certificate that is renewed by another authority counts at once, as does a client's, without a restart of
/// either; half a renewal changes nothing.
fn are_taken_up() -> Result<(), Failed> {
    let world = World::new()?;
    let billing = world.enrolled("billing")?;
    same("before", world.ask(Some(&billing))?, 200)?;
    // A long-running agent with a certificate that ended.
    world
        .certifier
        .certify_again("billing", For::ExpiredClient, &billing)?;
    let recorder = world
        .recorder()?
        .client_certificate(&billing.certificate, &billing.key)
        .build()?;
    let session = recorder.session("47892").start_blocking();
    let begun = session
        .tool("send")
        .wait_at_most(Duration::from_millis(300))
        .begin_blocking();
    same("begun with a certificate that ended", begun.is_ok(), false)?;
    world
        .certifier
        .certify_again("billing", For::Client, &billing)?;
    session.tool("send").begin_blocking()?.end_success();
    session.end_blocking(EndReason::Completed);
    same("unsent", recorder.close_blocking(LONG).0, 0)?;
    // The door: the key is there, its certificate not yet.
    let old = std::fs::read(&world.door.key)?;
    let other = Certifier::new(&world.folder.path().join("other"))?;
    let next = other.certify("door", For::Door)?;
    std::fs::copy(&next.key, &world.door.key)?;
    same("half renewed", world.ask(Some(&billing))?, 200)?;
    let trouble = world.health()?["tls"]["trouble"].to_string();
    same(&trouble, trouble.contains("tls_key"), true)?;
    std::fs::copy(&next.certificate, &world.door.certificate)?;
    same(
        "the old authority is trusted",
        world.ask(Some(&billing)).is_err(),
        true,
    )?;
    let agent = client(&other.authority, Some(&billing))?;
    let answer = agent
        .post(format!("https://{}/v1/logs", world.http()?))
        .header("content-type", "application/json")
        .send("{}")?;
    same("renewed", answer.status().as_u16(), 200)?;
    same("trouble", &world.health()?["tls"]["trouble"], &Value::Null)?;
    same("another key", old == std::fs::read(&world.door.key)?, false)
}

fn trusts_no_other() -> Result<(), Failed> {
    let world = World::new()?;
    let billing = world.enrolled("billing")?;
    let other = Certifier::new(&world.folder.path().join("other"))?;
    let recorder = world
        .recorder()?
        .authorities(&other.authority)
        .client_certificate(&billing.certificate, &billing.key)
        .strict_wait(Duration::from_millis(500))
        .build()?;
    let session = recorder.session("47892").start_blocking();
    let refused = session.tool("send").begin_blocking().err();
    let why = refused
        .ok_or("begun at a door that nobody knows")?
        .to_string();
    same(&why, why.contains("certificate"), true)?;
    recorder.close_blocking(Duration::from_millis(100));
    let failed = world.health()?["tls"]["failed_handshakes"].as_u64();
    same("it is counted", failed > Some(0), true)?;
    // What cannot be used is named when the recorder is made.
    let forged = other.certify("billing", For::Client)?;
    let wrong = world
        .recorder()?
        .client_certificate(&billing.certificate, &forged.key)
        .build();
    let why = wrong.err().ok_or("made with another key")?.to_string();
    let words = "not that certificate's";
    same(
        &why,
        why.contains("RECOUNT_CLIENT_KEY") && why.contains(words),
        true,
    )
}

fn is_refused() -> Result<(), Failed> {
    let world = World::new()?;
    let billing = world.enrolled("billing")?;
    let agent = client(&world.certifier.authority, Some(&billing))?;
    let url = format!("https://{}/v1/logs", world.http()?);
    // Over one connection, which stays open.
    let ask = || -> Result<(u16, String), Failed> {
        let request = agent.post(&url).header("content-type", "application/json");
        let mut answer = request.send("{}")?;
        Ok((
            answer.status().as_u16(),
            answer.body_mut().read_to_string()?,
        ))
    };
    same("before", ask()?.0, 200)?;
    world.run(&["revoke", "billing"])?.ended(0)?;
    let (status, said) = ask()?;
    same("after", status, 401)?;
    same(
        &said,
        said.contains("of billing (key ") && said.contains("was revoked at"),
        true,
    )?;
    same("no certificate", world.ask(None)?, 401)?;
    // Enrolled anew with the key of the same certificate.
    let path = billing.certificate.to_str().ok_or("UTF-8")?;
    world
        .run(&["enroll", "billing", "--certificate", path])?
        .ended(0)?;
    same("again", ask()?.0, 200)?;
    let shared = world
        .run(&["enroll", "other", "--certificate", path])?
        .ended(2)?
        .err;
    same(
        &shared,
        shared.contains("is the credential of billing"),
        true,
    )?;
    let key = billing.key.to_str().ok_or("UTF-8")?;
    let wrong = world
        .run(&["enroll", "other", "--certificate", key])?
        .ended(2)?
        .err;
    same(
        &wrong,
        wrong.contains("no certificate in it") && wrong.contains("not its key"),
        true,
    )
}

fn no_plaintext() -> Result<(), Failed> {
    let world = World::new()?;
    let mut stream = TcpStream::connect(world.http()?)?;
    stream.write_all(b"POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")?;
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _ended = stream.read_to_end(&mut answer);
    same("an answer in the clear", answer.starts_with(b"HTTP"), false)?;
    same(
        "counted",
        &world.health()?["tls"]["failed_handshakes"],
        &1.into(),
    )?;
    let status = world.run(&[
        "status",
        "--reader",
        world
            .folder
            .path()
            .join("reader.sock")
            .to_str()
            .ok_or("UTF-8")?,
    ])?;
    let words = "failed since the start: 1 handshakes, 0 of them for the client's certificate";
    same(&status.out, status.out.contains(words), true)
}

fn hold_up_nobody() -> Result<(), Failed> {
    let world = World::new()?;
    let billing = world.enrolled("billing")?;
    // The first bytes of a handshake, and then nothing.
    let stalled: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(world.http()?)?;
            stream.write_all(&[22, 3, 1, 2, 0, 1])?;
            Ok(stream)
        })
        .collect::<Result<_, Failed>>()?;
    same("meanwhile", world.ask(Some(&billing))?, 200)?;
    // They are sent away after 10 s; who came in between did not wait for that.
    same(
        "sent away",
        &world.health()?["tls"]["failed_handshakes"],
        &0.into(),
    )?;
    for mut stream in stalled {
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        same("bytes for it", stream.read(&mut [0; 16]).unwrap_or(0), 0)?;
    }
    same(
        "counted",
        &world.health()?["tls"]["failed_handshakes"],
        &50.into(),
    )
}

fn beyond_loopback() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let certifier = Certifier::new(&folder.path().join("authority"))?;
    let door = certifier.certify("door", For::Door)?;
    let (certificate, key) = (
        door.certificate.display().to_string(),
        door.key.display().to_string(),
    );
    let serve = |more: &[&str]| -> Result<Command, Failed> {
        let mut command = Collector.command()?;
        command
            .args(["serve", "--init", "--reader", "none", "--otlp-grpc", "none"])
            .args(["--otlp-http", "0.0.0.0:0"])
            .args(more)
            .arg("--store")
            .arg(folder.path().join("store"));
        Ok(command)
    };
    let tls = ["--tls-cert", &certificate, "--tls-key", &key];
    for (more, missing) in [
        (
            &[][..],
            "give --tls-cert, --tls-key and --require-enrolment, too",
        ),
        (&tls, "give --require-enrolment, too"),
    ] {
        let refused = Outcome::of(&mut serve(more)?)?.ended(2)?.err;
        same(&refused, refused.contains(missing), true)?;
    }
    let swapped = ["--tls-cert", &key, "--tls-key", &key, "--require-enrolment"];
    let refused = Outcome::of(&mut serve(&swapped)?)?.ended(2)?.err;
    let words = refused.contains("no certificate in it")
        && refused.contains("hint: give another file with --tls-cert");
    same(&refused, words, true)?;
    let mut collector = Hidden::spawn(
        &mut serve(&[&tls[..], &["--require-enrolment"]].concat())?,
        true,
    )?;
    same("tls", collector.ready().tls, true)?;
    same("stopped", collector.stop()?.success(), true)
}

/// The stock exporter of Python, which shows the certificate that its environment names.
fn stock(protocol: &str) -> Result<(), Failed> {
    let world = World::new()?;
    let triage = world.enrolled("triage")?;
    let address = match protocol {
        "grpc" => world.collector.ready().otlp_grpc.clone().ok_or("a door")?,
        _ => world.http()?,
    };
    let mut program = Command::new(python());
    program
        .arg(tests::root().join("examples/python/stock_opentelemetry.py"))
        .arg("47893")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("https://{address}"))
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        // These would count more than what OpenTelemetry was told.
        .env_remove("REQUESTS_CA_BUNDLE")
        .env_remove("CURL_CA_BUNDLE")
        .env("OTEL_EXPORTER_OTLP_CERTIFICATE", &world.certifier.authority)
        .env("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &triage.certificate)
        .env("OTEL_EXPORTER_OTLP_CLIENT_KEY", &triage.key);
    Outcome::of(&mut program)?.ended(0)?;
    let account = world.account("47893")?;
    let wanted = vec![("triage", "certificate", "own")];
    same("streams", streams(&account), wanted)
}

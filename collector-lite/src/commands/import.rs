//! `import`: bring in a log that was written elsewhere, each line as one sealed record that says so.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};
use std::path::Path as FilePath;

use sha2::{Digest, Sha256};

use super::target::{Brought, Target};
use crate::cli::Import as Options;
use crate::error::{Error, exit};
use crate::import::fields::{self, Path};
use crate::import::lines::{Line, Lines};
use crate::import::record::{Belongs, Exports, Import};
use crate::settings::Settings;

/// What became of the lines.
#[derive(Debug, Default)]
struct Told {
    lines: u64,
    empty: u64,
    records: u64,
    /// Of the records, those that were sealed by an earlier import of the same file.
    before: u64,
    /// Lines of which the field that names request, session or time is missing or of no use.
    without: BTreeMap<&'static str, u64>,
    /// Lines of which only the beginning was kept.
    cut: u64,
    /// Records by session and request.
    sessions: BTreeMap<(String, String), u64>,
}

/// Seals every line. 0: all are sealed; 6: all are sealed, and some lack what was to name request, session or time.
pub(super) fn import(settings: &Settings, options: &Options) -> Result<u8, Error> {
    let fields = Fields::of(options)?;
    let mut file = open(&options.file)?;
    let digest = digest(&mut file).map_err(|error| unreadable(&options.file, &error))?;
    let import = describe(options, digest);
    let target = Target::open(settings, options.collector.as_deref())?;
    let sealed = seal(&target, &import, &fields, &options.file, file);
    let closed = target.close();
    let told = sealed?;
    closed?;
    Ok(tell(&told, &import, &options.file))
}

/// The fields that are looked for.
struct Fields {
    request: Option<Path>,
    session: Option<Path>,
    time: Option<Path>,
    /// The request of lines that name none.
    given: Option<String>,
}

impl Fields {
    fn of(options: &Options) -> Result<Self, Error> {
        let path = |given: &Option<String>, flag: &'static str| {
            let parsed = given.as_deref().map(Path::parse).transpose();
            parsed.map_err(|why| Error::Usage {
                why: format!("{flag}: {why}"),
                hint: "a field is named by its path, such as request.id or /request/id".to_owned(),
            })
        };
        Ok(Self {
            request: path(&options.request_field, "--request-field")?,
            session: path(&options.session_field, "--session-field")?,
            time: path(&options.time_field, "--time-field")?,
            given: options.request.clone(),
        })
    }

    /// Where a line belongs; what it lacks is counted.
    fn belongs(&self, line: &Line, import: &Import, told: &mut Told) -> Belongs {
        let whole = line.is_whole().then_some(&line.bytes);
        let json = whole.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let mut of = |field: &Option<Path>, what: &'static str| {
            let path = field.as_ref()?;
            let value = json.and_then(|json| path.value(json));
            let value = value.filter(|value| !value.is_empty() && value.len() <= LONGEST_NAME);
            if value.is_none() {
                *told.without.entry(what).or_default() += 1;
            }
            value
        };
        let request = of(&self.request, "request").or_else(|| self.given.clone());
        let request = request.unwrap_or_else(|| import.own_request());
        let session = of(&self.session, "session");
        let session = session.unwrap_or_else(|| import.session(&request));
        let time = of(&self.time, "time");
        let time_ns = time.as_deref().and_then(fields::time);
        if time.is_some() && time_ns.is_none() {
            *told.without.entry("time").or_default() += 1;
        }
        Belongs {
            session,
            request,
            time_ns: time_ns.unwrap_or(0),
        }
    }
}

/// Longest name of a session or request that the collector takes, in bytes.
const LONGEST_NAME: usize = 1024;

fn describe(options: &Options, digest: [u8; 32]) -> Import {
    let name = options.file.file_name().unwrap_or_default();
    let file = name.to_string_lossy().into_owned();
    let read = [
        &options.request,
        &options.request_field,
        &options.session_field,
        &options.time_field,
    ];
    Import {
        agent: options.agent.clone(),
        file,
        digest,
        options: format!("{read:?}"),
        by: user(),
        host: host(),
    }
}

fn seal(
    target: &Target,
    import: &Import,
    fields: &Fields,
    path: &FilePath,
    file: File,
) -> Result<Told, Error> {
    let mut told = Told::default();
    let mut exports = Exports::new(import);
    let mut lines = Lines::new(BufReader::new(file));
    let from = path.display().to_string();
    let send = |export: Option<(Vec<u8>, usize)>, told: &mut Told| -> Result<(), Error> {
        let Some((body, count)) = export else {
            return Ok(());
        };
        let before = target
            .send(Brought::Log, &body, &from)
            .map_err(|why| Error::Import {
                path: path.to_path_buf(),
                why: format!("{} records sealed, then: {why}", told.records),
            })?;
        told.records += count as u64;
        told.before += before;
        Ok(())
    };
    while let Some(line) = lines.next().map_err(|error| unreadable(path, &error))? {
        told.lines += 1;
        if line.bytes.is_empty() {
            told.empty += 1;
            continue;
        }
        told.cut += u64::from(!line.is_whole());
        let belongs = fields.belongs(&line, import, &mut told);
        let session = (belongs.session.clone(), belongs.request.clone());
        *told.sessions.entry(session).or_default() += 1;
        let full = exports.line(&line, &belongs);
        send(full, &mut told)?;
    }
    if lines.digest() != import.digest {
        send(exports.take(), &mut told)?;
        return Err(Error::Import {
            path: path.to_path_buf(),
            why: format!(
                "it changed while it was read; {} records are sealed under the digest that it had before",
                told.records
            ),
        });
    }
    // One end per session, and a session may be of several requests.
    let mut ends: BTreeMap<&str, (&str, u64)> = BTreeMap::new();
    for ((session, request), records) in &told.sessions {
        ends.entry(session).or_insert((request, 0)).1 += records;
    }
    let ends: Vec<(Belongs, u64)> = ends
        .into_iter()
        .map(|(session, (request, records))| {
            let belongs = Belongs {
                session: session.to_owned(),
                request: request.to_owned(),
                time_ns: 0,
            };
            (belongs, records + 1)
        })
        .collect();
    for (belongs, records) in &ends {
        let full = exports.end(belongs, *records);
        send(full, &mut told)?;
    }
    send(exports.take(), &mut told)?;
    Ok(told)
}

fn tell(told: &Told, import: &Import, path: &FilePath) -> u8 {
    let sealed = told.records - told.before.min(told.records);
    say!(
        "imported {} of {}: {} lines ({} empty) in {} sessions; {sealed} records sealed now, {} before",
        path.display(),
        vocabulary::digest::Digest::Sha256(import.digest),
        told.lines,
        told.empty,
        told.sessions.len(),
        told.before
    );
    if told.cut > 0 {
        say!(
            "of {} lines only the first 256 KiB are kept, with size and digest of the whole",
            told.cut
        );
    }
    for (what, lines) in &told.without {
        let instead = match *what {
            "time" => "their time is that of the import".to_owned(),
            "session" => "they are in a session of this file".to_owned(),
            _ => format!("they are under {}", import.own_request()),
        };
        say!("{lines} lines name no {what}: {instead}");
    }
    match told.without.is_empty() {
        true => exit::DONE,
        false => exit::INCOMPLETE,
    }
}

/// A regular file: what is not one has no digest that a second look could find again.
fn open(path: &FilePath) -> Result<File, Error> {
    let failed = |error: std::io::Error| unreadable(path, &error);
    let about = std::fs::metadata(path).map_err(failed)?;
    if !about.is_file() {
        return Err(Error::Usage {
            why: format!("{} is no file", path.display()),
            hint: "lines as they come are taken by `recount log-line`".to_owned(),
        });
    }
    File::open(path).map_err(failed)
}

fn unreadable(path: &FilePath, error: &std::io::Error) -> Error {
    Error::File {
        path: path.to_path_buf(),
        source: std::io::Error::new(error.kind(), error.to_string()),
    }
}

/// SHA-256 of a file, which is then at its beginning again.
fn digest(file: &mut File) -> std::io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
    file.rewind()?;
    Ok(hash.finalize().into())
}

/// The user's name, else the number that the system knows the user by.
fn user() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
    named.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

//! `recount config`: every setting with its value, and where that comes from: default, file and line, environment, flag.

use std::path::PathBuf;

use serde::Serialize;

use super::table::{self, Column};
use super::{Context, out};
use crate::app::line::shown;
use crate::args::{Config, FactForm, ThemeName, When};
use crate::failure::{Exit, Failure};
use crate::notes::file_of;
use crate::source::distance;
use crate::source::place::{CONFIG_KEYS, choose};

/// One setting.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Setting {
    /// Its name, as in the config file or on the command line.
    name: &'static str,
    /// Its value; what is secret is only said to be there.
    value: String,
    /// Where the value comes from.
    origin: String,
}

/// The columns of CSV.
const COLUMNS: &[Column] = &[
    ("name", "/name"),
    ("value", "/value"),
    ("origin", "/origin"),
];

/// Where recording commands and agents send when nothing else is said.
const ENDPOINT: &str = "http://127.0.0.1:4318";

pub(super) fn run(context: &Context, args: &Config) -> Result<Exit, Failure> {
    let settings = settings(context);
    match args.output {
        FactForm::Text => {
            let width = settings.iter().map(|it| it.value.chars().count()).max();
            let width = width.unwrap_or(0).min(48);
            for it in &settings {
                let (value, origin) = (shown(&it.value), shown(&it.origin));
                out::text(&format!("{:<11} {value:<width$}  {origin}", it.name))?;
            }
        }
        FactForm::Json => out::json(&settings)?,
        FactForm::Jsonl => table::lines(&settings)?,
        FactForm::Csv => table::csv(COLUMNS, &settings)?,
    }
    let wrong = wrong(context);
    for what in &wrong {
        context.note(what);
    }
    Ok(match (args.check, wrong.is_empty()) {
        (true, false) => Exit::Usage,
        _ => Exit::Answered,
    })
}

/// The config file, whether or not it is there.
pub(super) fn file(context: &Context) -> Option<PathBuf> {
    let folder = context.environment.config_folder();
    folder.map(|folder| folder.join("config.toml"))
}

/// What is wrong with the config file, each with its line. Nothing of it keeps anybody from looking at a ledger.
pub(super) fn wrong(context: &Context) -> Vec<String> {
    let Some(file) = file(context) else {
        return Vec::new();
    };
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![format!("{}: {error}", file.display())],
    };
    let table: toml::Table = match toml::from_str(&text) {
        Ok(table) => table,
        Err(error) => return vec![format!("{}: {}", file.display(), error.message())],
    };
    let unknown = table
        .keys()
        .filter(|key| !CONFIG_KEYS.contains(&key.as_str()));
    unknown
        .map(|key| {
            let near = CONFIG_KEYS.iter().find(|known| distance(key, known) <= 2);
            let near = near.map_or_else(
                || format!("the keys are {}", CONFIG_KEYS.join(", ")),
                |near| format!("did you mean {near}?"),
            );
            let line = line_of(&text, key);
            format!("{}:{line}: {key:?} is no setting; {near}", file.display())
        })
        .collect()
}

/// The line that sets a key of the first table, from 1.
fn line_of(text: &str, key: &str) -> usize {
    let sets = |line: &str| {
        let rest = line.trim_start().trim_start_matches(['"', '\'']);
        let rest = rest
            .strip_prefix(key)
            .map(|rest| rest.trim_start_matches(['"', '\'']));
        rest.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    text.lines().position(sets).map_or(1, |at| at + 1)
}

fn settings(context: &Context) -> Vec<Setting> {
    let (common, environment) = (&context.common, &context.environment);
    let of = |name, value: String, origin: &str| Setting {
        name,
        value,
        origin: origin.to_owned(),
    };
    let unset = || "not set".to_owned();
    let flag = |given: bool, name: &str| match given {
        true => format!("flag {name}"),
        false => "default".to_owned(),
    };
    let mut all = vec![store(context)];
    let named = |variable: &str| {
        environment
            .text(variable)
            .map(|it| (it, format!("environment {variable}")))
    };
    let or_default = |variable: &str, default: String| {
        named(variable).unwrap_or_else(|| (default, "default".to_owned()))
    };
    let key = common.key.clone();
    all.push(of(
        "key",
        key.clone().unwrap_or_else(|| "the pinned one".to_owned()),
        &flag(key.is_some(), "--key"),
    ));
    let keys = environment
        .state_folder()
        .map(|folder| folder.join("known_keys"));
    let keys = keys.map_or_else(unset, |file| file.display().to_string());
    all.push(of("known_keys", keys, "default"));
    let notes = file_of(environment).map_or_else(unset, |file| file.display().to_string());
    let (_, origin) = or_default("RECOUNT_NOTES", String::new());
    all.push(of("notes", notes, &origin));
    let color = match common.color {
        When::Auto if environment.get("NO_COLOR").is_some() => {
            of("color", "never".to_owned(), "environment NO_COLOR")
        }
        When::Auto => of("color", "auto".to_owned(), "default"),
        other => of("color", format!("{other:?}").to_lowercase(), "flag --color"),
    };
    all.push(color);
    let themed = common.theme != ThemeName::default();
    all.push(of(
        "theme",
        format!("{:?}", common.theme).to_lowercase(),
        &flag(themed, "--theme"),
    ));
    all.push(of(
        "ascii",
        common.ascii.to_string(),
        &flag(common.ascii, "--ascii"),
    ));
    all.push(of(
        "plain",
        common.plain.to_string(),
        &flag(common.plain, "--plain"),
    ));
    all.push(of(
        "tz",
        common.tz.clone(),
        &flag(common.tz != "utc", "--tz"),
    ));
    let (endpoint, origin) = or_default("RECOUNT_COLLECTOR", ENDPOINT.to_owned());
    all.push(of("endpoint", endpoint, &origin));
    let (spool, origin) = or_default("RECOUNT_SPOOL", unset());
    all.push(of("spool", spool, &origin));
    let (agent_key, origin) = or_default("RECOUNT_AGENT_KEY", unset());
    all.push(of("agent_key", agent_key, &origin));
    let token = named("RECOUNT_TOKEN").map(|(_, origin)| ("set, not shown".to_owned(), origin));
    let (token, origin) = token.unwrap_or_else(|| (unset(), "default".to_owned()));
    all.push(of("token", token, &origin));
    all
}

/// Which ledger is looked at.
fn store(context: &Context) -> Setting {
    let (value, origin) = match choose(&context.common, &context.environment) {
        Ok(chosen) => {
            let because = chosen.because;
            let file = file(context).filter(|file| file.display().to_string() == because);
            let origin = match file {
                Some(file) => {
                    let text = std::fs::read_to_string(&file).unwrap_or_default();
                    let mut keys = ["collector", "store"].into_iter();
                    let set = keys.find(|key| {
                        toml::from_str::<toml::Table>(&text).is_ok_and(|it| it.contains_key(*key))
                    });
                    format!(
                        "{}:{}",
                        file.display(),
                        line_of(&text, set.unwrap_or("store"))
                    )
                }
                None if because.starts_with("--") => format!("flag {because}"),
                None if because.starts_with("RECOUNT_") => format!("environment {because}"),
                None => format!("found: {because}"),
            };
            (chosen.place.to_string(), origin)
        }
        Err(failure) => ("not known".to_owned(), failure.to_string()),
    };
    Setting {
        name: "store",
        value,
        origin,
    }
}

#[cfg(test)]
mod tests {
    use super::line_of;

    #[test]
    fn a_setting_is_found_on_its_line() {
        let text = "# store = 1\n\nstore= \"/x\"\n\"collector\" = \"y\"\nstores = 1\n";
        assert_eq!(line_of(text, "store"), 3);
        assert_eq!(line_of(text, "collector"), 4);
        assert_eq!(line_of(text, "stores"), 5);
    }
}

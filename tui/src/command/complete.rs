//! Completion scripts that also know requests, and the list of them that these scripts ask for.

use clap::CommandFactory as _;
use clap_complete::Shell;
use ledger::reader::Find;

use super::{Context, out};
use crate::args::{Cli, Requests};
use crate::failure::{Exit, Failure};

/// How many streams are looked at, newest first: a shell waits for the answer.
const LOOKED_AT: usize = 2_000;
/// How many requests are named at most.
const MOST: usize = 200;

/// What completes in a shell beyond what the command line's own table knows.
const BASH: &str = r#"
_recount_or_request() {
    _recount "$@"
    local cur=${COMP_WORDS[COMP_CWORD]} word
    [[ $cur == -* ]] && return
    while IFS= read -r word; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
    done < <(recount requests -- "$cur" 2>/dev/null)
}
complete -F _recount_or_request -o nosort -o bashdefault -o default recount
"#;
const ZSH: &str = r#"
_recount_request() {
    local -a requests
    requests=("${(@f)$(recount requests -- "$PREFIX" 2>/dev/null)}")
    compadd -a requests
}
"#;
const FISH: &str = r#"
complete -c recount -n "not __fish_seen_subcommand_from run mcp llm http completions man topic config doctor" -f -a "(recount requests -- (commandline -ct) 2>/dev/null)"
"#;

/// `recount completions SHELL`.
pub(super) fn script(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "recount", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => script.push_str(BASH),
        Shell::Fish => script.push_str(FISH),
        Shell::Zsh => {
            script = with_requests(&script);
        }
        _ => {}
    }
    out::bytes(script.as_bytes()).map(|()| Exit::Answered)
}

/// The script for zsh, in which what takes a request asks for requests.
fn with_requests(script: &str) -> String {
    let mut out = String::with_capacity(script.len() + ZSH.len());
    for (n, line) in script.lines().enumerate() {
        let request = ["':query ", "'::query ", "'::: :query", "':record "];
        let takes = request.iter().any(|it| line.starts_with(it));
        match (takes, line.rfind(":_default'")) {
            (true, Some(at)) => {
                out.push_str(&line[..at]);
                out.push_str(":_recount_request'");
                out.push_str(&line[at + ":_default'".len()..]);
            }
            _ => out.push_str(line),
        }
        out.push('\n');
        if n == 0 {
            out.push_str(ZSH);
        }
    }
    out
}

/// `recount requests [BEGINNING]`: one request a line, newest first, for completion scripts.
pub(super) fn requests(context: &Context, args: &Requests) -> Result<Exit, Failure> {
    // A shell that completes wants names or nothing: why there are none is no word for its line.
    let Ok(source) = context.source() else {
        return Ok(Exit::NoMatch);
    };
    let Ok(mut hints) = source.reader().find(&Find::Recent(LOOKED_AT)) else {
        return Ok(Exit::NoMatch);
    };
    hints.sort_by_key(|hint| std::cmp::Reverse(hint.last_ns));
    let mut named: Vec<String> = Vec::new();
    for request in hints.into_iter().flat_map(|hint| hint.requests) {
        let fits = request.starts_with(&args.beginning) && is_plain(&request);
        if fits && named.len() < MOST && !named.contains(&request) {
            named.push(request);
        }
    }
    if named.is_empty() {
        return Ok(Exit::NoMatch);
    }
    out::text(&named.join("\n")).map(|()| Exit::Answered)
}

/// Whether no shell does anything with a word but pass it on: senders name requests as they like.
fn is_plain(word: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._/@+:".contains(&b);
    !word.is_empty() && !word.starts_with(['-', '+']) && word.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn no_word_that_a_shell_would_act_on_is_completed() {
        for word in ["47892", "PAY-118", "a/b.c", "user@host:1"] {
            assert!(is_plain(word), "{word}");
        }
        for word in [
            "", "-rf", "$(id)", "`id`", "a b", "a;b", "a'b", "a\nb", "ä", "~", "!x",
        ] {
            assert!(!is_plain(word), "{word}");
        }
    }
}

//! `recount man`: the manual's pages, made from the table of commands.

use std::path::Path;

use clap::CommandFactory as _;

use super::out;
use crate::args::{Cli, Man};
use crate::failure::{self, Exit, Failure};

pub(super) fn run(args: &Man) -> Result<Exit, Failure> {
    let pages = pages().map_err(Failure::Output)?;
    let Some(folder) = &args.dir else {
        let first = pages.into_iter().next().unwrap_or_default();
        return out::bytes(&first.1).map(|()| Exit::Answered);
    };
    write(folder, &pages)?;
    out::text(&format!(
        "wrote {} pages to {}",
        pages.len(),
        folder.display()
    ))?;
    Ok(Exit::Answered)
}

/// Writes pages into a folder; pages of an earlier release make room.
fn write(folder: &Path, pages: &[(String, Vec<u8>)]) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| failure::of_file(folder, &error))?;
    for (name, page) in pages {
        let file = folder.join(name);
        std::fs::write(&file, page).map_err(|error| failure::of_file(&file, &error))?;
    }
    Ok(())
}

/// Every page with its file's name; the program's own first.
fn pages() -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut whole = Cli::command();
    whole.build();
    let mut pages = vec![page("recount", whole.clone())?];
    let commands = whole.get_subcommands().filter(|it| !it.is_hide_set());
    for command in commands.filter(|it| it.get_name() != "help") {
        let name = format!("recount-{}", command.get_name());
        pages.push(page(&name, command.clone())?);
    }
    Ok(pages)
}

fn page(name: &str, command: clap::Command) -> std::io::Result<(String, Vec<u8>)> {
    // The wrapped width of a terminal is no property of a page.
    let command = command.term_width(100);
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok((format!("{name}.1"), page))
}

#[cfg(test)]
mod tests {
    use super::{pages, write};

    #[test]
    fn the_pages_of_the_manual_are_made_from_the_table_of_commands() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/man");
        let pages = pages().unwrap();
        if std::env::var_os("RECOUNT_BLESS").is_some() {
            let _ = std::fs::remove_dir_all(&folder);
            write(&folder, &pages).unwrap();
        }
        for (name, page) in &pages {
            let written = std::fs::read(folder.join(name)).unwrap_or_default();
            assert!(
                written == *page,
                "docs/man/{name} is old: RECOUNT_BLESS=1 cargo test -p tui pages_of_the_manual"
            );
        }
        let there = std::fs::read_dir(&folder).unwrap().count();
        assert_eq!(there, pages.len(), "docs/man has a page of no command");
    }
}

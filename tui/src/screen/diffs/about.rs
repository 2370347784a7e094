//! What is behind the selected line: record, action, agent, rule, and who approved it.

use account::change::Behind;
use account::model::Diff;

use super::cited;
use crate::app::changes::By;
use crate::app::line::{Line, rule};
use crate::app::look::Token;
use crate::app::rows::Item;
use crate::app::{Model, Opened, words};

pub(super) fn lines(model: &Model, opened: &Opened, width: usize) -> Vec<Line> {
    let cursor = model.diffs.list.cursor();
    let by = model.diffs.lines.get(cursor).and_then(|line| line.by());
    let unknown = match by {
        Some(By::Earlier) => Some("older than the first change that was recorded"),
        Some(By::Unrecorded) => Some("changed by something that was not recorded"),
        Some(By::Diff(_)) | None => None,
    };
    if let Some(unknown) = unknown {
        return vec![
            rule("this line", "", width, model.look),
            Line::of(Token::Ask, format!(" origin unknown: {unknown}")),
        ];
    }
    match crate::app::change_under(model).and_then(|n| opened.account.diffs.get(n)) {
        Some(diff) => of(model, opened, diff, width),
        None => Vec::new(),
    }
}

fn of(model: &Model, opened: &Opened, diff: &Diff, width: usize) -> Vec<Line> {
    let account = &opened.account;
    let action = diff
        .action
        .as_deref()
        .and_then(|id| opened.rows.of_action(id));
    let action = action.and_then(|row| match opened.rows.get(row)?.item {
        Item::Action(n) => account.actions.get(n),
        _ => None,
    });
    let behind = Behind::of(account, diff, action);
    let unknown = || "unknown".to_owned();
    let title = format!("change {}", cited(&diff.evidence));
    let said = |word: Option<&str>| word.map_or_else(unknown, |word| word.replace('_', " "));
    let mut lines = vec![rule(&title, "Enter shows the action", width, model.look)];
    lines.push(match action {
        Some(action) => Line::of(
            Token::Plain,
            format!(" by {} {}", cited(&action.evidence), words::action(action)),
        ),
        None => Line::of(Token::Ask, " by an action that is not recorded"),
    });
    lines.push(
        Line::of(Token::Plain, " agent ")
            .put(Token::Plain, behind.agent.clone().unwrap_or_else(unknown))
            .put(Token::Dim, "  asked by ")
            .put(
                Token::Plain,
                behind.asked_by.clone().unwrap_or_else(unknown),
            ),
    );
    lines.push(
        Line::of(Token::Plain, format!(" {}", behind.ruled()))
            .put(Token::Plain, format!("  {}", behind.approved())),
    );
    let scope = match diff.in_scope {
        Some(true) => Line::of(Token::Good, " inside the scope"),
        Some(false) => Line::of(Token::Error, " OUTSIDE the declared scope"),
        None => Line::of(Token::Ask, " no scope was in force"),
    };
    let read = format!(
        ", {}; before read {}, after {}",
        diff.effect.as_str().replace('_', " "),
        said(diff.read_before.map(|it| it.as_str())),
        said(diff.read_after.map(|it| it.as_str()))
    );
    lines.push(scope.put(Token::Dim, read));
    lines
}

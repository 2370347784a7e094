//! `recount show`: the account of a request.

use super::{Context, at, exit_of, out, split_ref};
use crate::args::{AccountForm, Show};
use crate::failure::{Exit, Failure};

pub(super) fn run(context: &Context, args: &Show) -> Result<Exit, Failure> {
    let (query, within) = split_ref(&args.query);
    let mut source = context.source()?;
    let mut account = context.whole(&source, query)?;
    let upto = context.at()?.or(within);
    if let Some(upto) = upto {
        account = at::cut(&account, upto)?;
    }
    match args.output {
        AccountForm::Text => out::text(&account::render::text(&account, args.all))?,
        AccountForm::Json => out::text(
            &account::render::json(&account, args.all)
                .map_err(|error| Failure::Output(error.into()))?,
        )?,
        AccountForm::Md => out::text(&account::render::markdown(&account, args.all))?,
        AccountForm::Html => out::text(&account::render::html(&account, args.all, ""))?,
    }
    if args.output == AccountForm::Text {
        out::text(&format!(
            "store    {}",
            crate::app::line::shown(&source.place())
        ))?;
    }
    context.pin(&mut source);
    Ok(exit_of(&account))
}

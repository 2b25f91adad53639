//! `leapmux admin doctor`.

use std::process::ExitCode;

use hub_actors::operator::{self, Examination, State};

use super::{Context, code};
use crate::say::say;

pub(super) async fn run(context: &Context) -> anyhow::Result<ExitCode> {
    let examination = operator::examine(&context.config).await;
    context.show(&examination, findings)?;
    Ok(if examination.healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(code::FOUND)
    })
}

fn findings(examination: &Examination) -> anyhow::Result<()> {
    for finding in &examination.findings {
        let state = match finding.state {
            State::Good => "ok",
            State::Warning => "warning",
            State::Problem => "PROBLEM",
        };
        say!("{state:<7}  {:<11}  {}", finding.check, finding.seen);
        if let Some(fix) = &finding.fix {
            say!("{:<7}  {:<11}  -> {fix}", "", "");
        }
    }
    Ok(())
}

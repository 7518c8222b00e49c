//! `pop` and `replication`: the operator's commands. A running node is asked over its local socket; a stopped one is
//! worked on by the host.

use std::path::PathBuf;

use clavitor_client::AdminClient;
use clavitor_core::exit;
use clavitor_core::replicator::{OperatorAnswer, OperatorCommand, PromoteRequest};
use clavitor_core::secret::SecretText;

use super::failure::{of_admin, of_client};
use crate::args::{
    JoinArgs, LeaveArgs, OfflineNodeArgs, OperatorArgs, PopCommand, PromoteArgs, RemoveArgs,
    ReplicationCommand,
};
use crate::error::Failure;
use crate::host::{Host, NodeArgs, Offline, OfflineArgs};
use crate::render;
use crate::shell::{self, Shell};

const COMMUNITY_HINT: &str =
    "Replication is part of the commercial edition: build with `cargo build --features commercial`.";

/// The data folder that is meant.
pub(crate) fn data_dir(node: &NodeArgs, host: &dyn Host) -> Result<PathBuf, Failure> {
    host.data_dir(node).map_err(|what| Failure::usage(what, "Name it by --data-dir or --config."))
}

/// A command for the host, where it is one: those on a stopped node.
pub(crate) fn offline_pop(command: &PopCommand, shell: &mut Shell) -> Result<Option<OfflineArgs>, Failure> {
    match command {
        PopCommand::Identity(node) => Ok(Some(offline(node, shell, Offline::PopIdentity))),
        PopCommand::Join(args) => {
            let invitation = invitation(args, shell)?;
            Ok(Some(offline(&args.node, shell, Offline::PopJoin { invitation })))
        }
        _ => Ok(None),
    }
}

/// `replication leave`, after a yes.
pub(crate) fn offline_leave(args: &LeaveArgs, shell: &mut Shell) -> Result<OfflineArgs, Failure> {
    if !args.yes {
        shell.confirm("This node forgets its cell, its backups and its history. Go on?", "--yes")?;
    }
    Ok(offline(&args.node, shell, Offline::ReplicationLeave))
}

fn offline(args: &OfflineNodeArgs, shell: &Shell, command: Offline) -> OfflineArgs {
    let OfflineNodeArgs { node, keyring_file } = args.clone();
    OfflineArgs { node, keyring_file, json: shell.json, command }
}

fn invitation(args: &JoinArgs, shell: &mut Shell) -> Result<SecretText, Failure> {
    let text = match (&args.invitation_file, args.stdin) {
        (Some(file), _) => shell.read_secret(file)?,
        (None, true) => shell.read_secret("-".as_ref())?,
        (None, false) => shell
            .ask_secret("the invitation that `pop invite` printed", "--stdin or --invitation-file FILE")?,
    };
    Ok(SecretText::new(text.expose().trim().to_owned()))
}

/// Runs a command of `pop` on a running node.
pub(crate) async fn pop(command: &PopCommand, host: &dyn Host, shell: &mut Shell) -> Result<u8, Failure> {
    let (operator, command) = match command {
        PopCommand::Invite(args) => {
            let (pop, url, key) = (args.pop.clone(), args.url.clone(), args.key.clone());
            let (may_lead, blind) = (args.may_lead, args.blind);
            (&args.operator, OperatorCommand::PopInvite { pop, url, key, may_lead, blind })
        }
        PopCommand::Approve(args) => {
            (&args.operator, OperatorCommand::PopApprove { pop: args.pop.clone(), key: args.key.clone() })
        }
        PopCommand::List(operator) => (operator, OperatorCommand::PopList),
        PopCommand::Remove(args) => {
            confirm_removal(args, shell)?;
            (&args.operator, OperatorCommand::PopRemove { pop: args.pop.clone() })
        }
        PopCommand::Identity(_) | PopCommand::Join(_) => unreachable!("these are the host's"),
    };
    let answer = ask(operator, host, &command).await?;
    tell(shell, &command, &answer)?;
    Ok(exit::OK)
}

fn confirm_removal(args: &RemoveArgs, shell: &mut Shell) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    let question = format!(
        "Remove {} from the cell? It keeps what it has, and must be joined anew to return.",
        args.pop
    );
    shell.confirm(&question, "--yes")
}

async fn ask(
    operator: &OperatorArgs,
    host: &dyn Host,
    command: &OperatorCommand,
) -> Result<OperatorAnswer, Failure> {
    let data_dir = data_dir(&operator.node, host)?;
    let admin = AdminClient::new(&data_dir).map_err(of_client)?;
    admin.command(command).await.map_err(|error| of_admin(error, &data_dir))
}

fn tell(shell: &mut Shell, command: &OperatorCommand, answer: &OperatorAnswer) -> Result<(), Failure> {
    if shell.json {
        return shell.say_json(answer);
    }
    match answer {
        OperatorAnswer::Invitation { invitation, expires_at_ms } => {
            shell.say(invitation)?;
            let left = render::duration(expires_at_ms.saturating_sub(shell::now_ms()));
            shell.note(format!("A secret, good once, for {left}. On the new POP: clavitor pop join"))
        }
        OperatorAnswer::Members { members } => shell.say(render::pop::members(members)),
        OperatorAnswer::Done => shell.say(match command {
            OperatorCommand::PopApprove { .. } => "approved: run `clavitor pop join` there once more",
            OperatorCommand::PopRemove { .. } => "removed: its pin is revoked and its link is closed",
            OperatorCommand::Wake => "woken: every backup that is owed something is tried now",
            OperatorCommand::PopInvite { .. } | OperatorCommand::PopList => "done",
        }),
    }
}

/// Runs a command of `replication` on a running node.
pub(crate) async fn replication(
    command: &ReplicationCommand,
    host: &dyn Host,
    shell: &mut Shell,
) -> Result<u8, Failure> {
    match command {
        ReplicationCommand::Status(operator) => status(operator, host, shell).await,
        ReplicationCommand::Wake(operator) => {
            let answer = ask(operator, host, &OperatorCommand::Wake).await?;
            tell(shell, &OperatorCommand::Wake, &answer)?;
            Ok(exit::OK)
        }
        ReplicationCommand::Promote(args) => promote(args, host, shell).await,
        ReplicationCommand::Leave(_) => unreachable!("it is the host's"),
    }
}

async fn status(operator: &OperatorArgs, host: &dyn Host, shell: &mut Shell) -> Result<u8, Failure> {
    let data_dir = data_dir(&operator.node, host)?;
    let admin = AdminClient::new(&data_dir).map_err(of_client)?;
    let status = admin.replication().await.map_err(|error| of_admin(error, &data_dir))?;
    if shell.json {
        shell.say_json(&render::replication::json(&status))?;
    } else {
        shell.say(render::replication::text(&status, shell::now_ms()))?;
    }
    let code = render::replication::exit_code(&status);
    if code == exit::OTHER_EDITION {
        let what = format!("the {} edition does not replicate", host.edition());
        return Err(Failure::new(code, what, COMMUNITY_HINT));
    }
    Ok(code)
}

async fn promote(args: &PromoteArgs, host: &dyn Host, shell: &mut Shell) -> Result<u8, Failure> {
    if !args.yes && !args.dry_run {
        shell.confirm("Make this node the primary of its cell? The old primary is fenced.", "--yes")?;
    }
    let data_dir = data_dir(&args.operator.node, host)?;
    let admin = AdminClient::new(&data_dir).map_err(of_client)?;
    let request = PromoteRequest { dry_run: args.dry_run, accept_loss: args.accept_loss };
    admin.promote(&request).await.map_err(|error| of_admin(error, &data_dir))?;
    if shell.json {
        shell.say_json(&serde_json::json!({ "promoted": !args.dry_run }))?;
    } else {
        shell.say(if args.dry_run { "it could be promoted; nothing was changed" } else { "promoted" })?;
    }
    Ok(exit::OK)
}

#[cfg(test)]
mod tests {
    use clavitor_core::replicator::MemberStatus;

    use super::*;
    use crate::shell::tests::piped;

    #[test]
    fn an_invitation_is_alone_on_standard_output() {
        let answer = OperatorAnswer::Invitation { invitation: "cinv1_abc".into(), expires_at_ms: u64::MAX };
        let (mut shell, out, err) = piped("");
        tell(&mut shell, &OperatorCommand::PopList, &answer).unwrap();
        assert_eq!(out.text(), "cinv1_abc\n");
        assert!(err.text().contains("secret") && !err.text().contains("cinv1"));
    }

    #[test]
    fn answers_are_a_contract() {
        let member = MemberStatus {
            pop: "zurich-01".parse().unwrap(),
            state: "member".into(),
            this_node: false,
            url: "https://zurich-01.example.org:1985".into(),
            key: Some("ab".into()),
            may_lead: false,
            blind: false,
        };
        insta::assert_json_snapshot!([
            OperatorAnswer::Invitation { invitation: "cinv1_abc".into(), expires_at_ms: 5 },
            OperatorAnswer::Members { members: vec![member] },
            OperatorAnswer::Done,
        ]);
    }

    #[test]
    fn an_invitation_comes_from_a_file_or_a_pipe() {
        let node = OfflineNodeArgs { node: NodeArgs::default(), keyring_file: None };
        let args = JoinArgs { stdin: true, invitation_file: None, node };
        let (mut shell, ..) = piped(" cinv1_abc \n");
        let Ok(Some(offline)) = offline_pop(&PopCommand::Join(args), &mut shell) else { panic!() };
        assert!(
            matches!(offline.command, Offline::PopJoin { invitation } if invitation.expose() == "cinv1_abc")
        );
    }

    #[test]
    fn leaving_needs_a_yes() {
        let node = OfflineNodeArgs { node: NodeArgs::default(), keyring_file: None };
        let (mut shell, ..) = piped("y\n");
        let mut args = LeaveArgs { yes: false, node };
        assert_eq!(offline_leave(&args, &mut shell).unwrap_err().code, exit::USAGE);
        args.yes = true;
        assert!(matches!(offline_leave(&args, &mut shell).unwrap().command, Offline::ReplicationLeave));
    }
}

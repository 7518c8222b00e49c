//! `status`: of a server as anyone sees it, or of a node on this machine as its operator sees it.

use clavitor_client::AdminClient;
use clavitor_core::api::NodeStatus;

use super::failure::{of_admin, of_client};
use super::vault;
use crate::args::StatusArgs;
use crate::error::Failure;
use crate::host::Host;
use crate::render;
use crate::shell::Shell;

/// Runs it.
pub(crate) async fn run(args: &StatusArgs, host: &dyn Host, shell: &mut Shell) -> Result<u8, Failure> {
    let of_node = args.node.config.is_some() || args.node.data_dir.is_some();
    let (status, place) =
        if of_node { of_this_machine(args, host).await? } else { of_server(args, shell).await? };
    if shell.json {
        shell.say_json(&status)?;
    } else {
        shell.say(render::status::text(&status, &place))?;
    }
    Ok(render::status::exit_code(&status))
}

async fn of_this_machine(args: &StatusArgs, host: &dyn Host) -> Result<(NodeStatus, String), Failure> {
    let data_dir = super::operator::data_dir(&args.node, host)?;
    let admin = AdminClient::new(&data_dir).map_err(of_client)?;
    let status = admin.status().await.map_err(|error| of_admin(error, &data_dir))?;
    Ok((status, vault::shown(&data_dir)))
}

async fn of_server(args: &StatusArgs, shell: &Shell) -> Result<(NodeStatus, String), Failure> {
    let profile = vault::read_profile(&args.place, shell)?;
    let server = args.place.server.clone().or(profile.map(|profile| profile.server));
    let server = server.unwrap_or_else(|| vault::SERVER_DEFAULT.to_owned());
    let status = vault::client(&server)?.status().await.map_err(of_client)?;
    Ok((status, server))
}

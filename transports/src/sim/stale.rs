//! Breaks of a server that reads another configuration: what it makes of it instead.

use qun_core::server::Config;

use super::breaks::Break;
use super::link::End;
use super::world::{Happening, Host, World};
use qun_core::server::{Hangup, Reason};

/// What the server is given in the place of a configuration, where `before` is what it served; `None`: it hears of nothing.
pub(super) fn misread(which: Option<Break>, before: &Config, mut config: Config) -> Option<Config> {
    let old = |config: &Config, id: &qun_core::RoomId| config.rooms.iter().find(|room| room.id == *id).cloned();
    match which {
        Some(Break::ReloadIgnored) => return None,
        Some(Break::RoomNeverGone) => {
            let gone = before.rooms.iter().filter(|room| old(&config, &room.id).is_none()).cloned();
            let gone: Vec<_> = gone.map(|room| qun_core::server::RoomConfig { codes: Vec::new(), ..room }).collect();
            config.rooms.extend(gone);
        }
        Some(Break::OldCodeOpens) => {
            for room in &mut config.rooms {
                let Some(old) = old(before, &room.id) else { continue };
                let is_gone = |access: &qun_core::server::Access| room.codes.iter().all(|now| now.code != access.code);
                let gone: Vec<_> = old.codes.into_iter().filter(is_gone).collect();
                room.codes.extend(gone);
            }
        }
        Some(Break::NewCodeShut) => {
            let known = |access: &qun_core::server::Access| {
                before.rooms.iter().flat_map(|room| &room.codes).any(|old| old.code == access.code)
            };
            config.rooms.iter_mut().for_each(|room| room.codes.retain(known));
        }
        Some(Break::OldTerms) => {
            for access in config.rooms.iter_mut().flat_map(|room| &mut room.codes) {
                let old = before.rooms.iter().flat_map(|room| &room.codes).find(|old| old.code == access.code);
                if let Some(old) = old {
                    (access.max_members, access.expires) = (old.max_members, old.expires);
                }
            }
        }
        Some(Break::OldRole) => {
            for access in config.rooms.iter_mut().flat_map(|room| &mut room.codes) {
                let old = before.rooms.iter().flat_map(|room| &room.codes).find(|old| old.code == access.code);
                access.role = old.map_or(access.role, |old| old.role);
            }
        }
        Some(Break::OldPassword) => {
            for account in &mut config.accounts {
                let old = before.accounts.iter().find(|old| old.name == account.name);
                if let Some(old) = old {
                    account.hash = old.hash.clone();
                }
            }
        }
        Some(Break::OldLimits) => config.limits = before.limits.clone(),
        _ => {}
    }
    Some(config)
}

/// Whether everybody is cut by a reload.
pub(super) fn cuts(which: Option<Break>) -> bool {
    which == Some(Break::ReloadCuts)
}

impl World {
    /// The server closes every connection.
    pub(super) fn cut_by_reload(&mut self) {
        let conns: Vec<_> = self.conns.iter().map(|(conn, id)| (*conn, *id)).collect();
        for (conn, id) in conns {
            if let Host::Up(driver) = &mut self.host {
                driver.closed(self.server_now, conn, Hangup::Reset);
            }
            self.oracle.closed(self.now.mono, conn, Reason::EndOfInput);
            self.conns.remove(&conn);
            if let Some(link) = self.links.get_mut(&id) {
                link.conn = None;
            }
            self.schedule.push(self.now.mono, Happening::Lost(id, End::Client));
        }
        self.settle_server();
    }
}

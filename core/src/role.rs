//! Roles: what a member may do in a room.

use serde::{Deserialize, Serialize};

/// What a member may do in a room; the code that they came with says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read.
    Read,
    /// Read and speak. A client takes a role that it does not know for this one: the server says what is allowed.
    #[default]
    #[serde(other)]
    Talk,
}

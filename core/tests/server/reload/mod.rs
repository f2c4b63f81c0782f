//! Another configuration while people are in: what each change means for those who are, and for those who come.

mod code;
mod limit;
mod room;
mod told;

use qun_core::RoomId;
use serde_json::{Value, json};

use crate::world::World;

/// A code that no room has at the start.
const NEW: &str = "NEWC-0DE7";

fn id(room: &str) -> RoomId {
    room.parse().unwrap()
}

/// The room of this id is configured no more.
fn remove(world: &mut World, room: &str) {
    world.reload(|config| config.rooms.retain(|it| it.id.as_str() != room));
}

fn room_closed(line: &Value) {
    let expected = json!({
        "t": "left", "room": "ops", "code": "room_closed", "retry": "no", "text": "The room is closed."
    });
    assert_eq!(*line, expected);
}

fn rotate(world: &mut World) {
    world.reload(|config| config.rooms[0].codes[0].code = NEW.parse().unwrap());
}

//! Ever more people come into one room.

use crate::bench::Load;
use crate::lab::Lab;
use crate::markdown::{count, table};
use crate::spread::{Spread, number};
use crate::system::System;

/// From the fewest to the most a join in a room that counts may cost so many times as much.
const BAR: f64 = 1.3;

pub(crate) fn measure(lab: &Lab<'_>) -> String {
    let counted = lab.options.scale([1_000, 2_000, 5_000, 10_000], [500, 1_000, 1_500, 2_000]);
    let full = [100, 300, 1_000];
    let mut lines = Vec::new();
    let mut costs = Vec::new();
    for (presence, members) in counted.map(|n| ("count", n)).into_iter().chain(full.map(|n| ("full", n))) {
        let load = Load { kind: "idle", members, presence, seconds: 0.1, ..Load::TALK };
        let (mut each, mut time) = (Vec::new(), Vec::new());
        for _ in 0..lab.options.repeats() {
            let Some(result) = lab.measure(System::JSON, &load) else { continue };
            each.extend(result["entered"]["server_us"].as_f64());
            time.extend(result["entered"]["time_s"].as_f64());
        }
        let show = |spread: Option<Spread>| spread.map_or("–".into(), Spread::show);
        let each = Spread::of(each);
        if presence == "count" {
            costs.extend(each.map(|each| each.median));
        }
        lines.push(vec![format!("`{presence}`, {} join", count(members.into())), show(each), show(Spread::of(time))]);
    }
    let (least, most) =
        costs.iter().fold((f64::INFINITY, 0.0), |(least, most): (f64, f64), cost| (least.min(*cost), most.max(*cost)));
    let ratio = most / least;
    let bar = if ratio <= BAR { "met" } else { "missed" };
    table(&["one room", "µs of CPU a join", "all of them, s"].map(str::to_owned), &lines)
        + &format!("\nIn `count` rooms the dearest is {} times the cheapest; at most {BAR}: {bar}.\n", number(ratio))
}

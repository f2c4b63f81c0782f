//! Nobody talks: what a connection in a room takes of memory.

use serde_json::Value;

use crate::bench::Load;
use crate::lab::Lab;
use crate::markdown::{count, table};
use crate::spread::number;
use crate::system::{Dialect, System};

/// KiB of the server for each connection.
const BAR: f64 = 2.0;

pub(crate) fn measure(lab: &Lab<'_>) -> String {
    let rooms = lab.options.scale(80, 20);
    let load = Load { kind: "idle", rooms, members: 100, seconds: 0.5, ..Load::TALK };
    let connections = rooms * load.members;
    let head =
        ["".into(), format!("KiB a connection, of {}", count(connections.into())), "in all, MiB".into(), "bar".into()];
    let mut kernel = Vec::new();
    let mut lines = Vec::new();
    for system in lab.systems(|system| system.is_compared() && system != System::Floor(Dialect::Plain)) {
        let Some(result) = lab.measure(system, &load) else { continue };
        let before_and_after = |what: &Value| Some([what[0].as_f64()?, what[1].as_f64()?]);
        let each = |[before, after]: [f64; 2]| (after - before) / f64::from(connections) / 1024.0;
        let Some(resident) = before_and_after(&result["resident"]) else { continue };
        kernel.extend(before_and_after(&result["kernel"]).map(each));
        let bar = match system {
            System::Ours(..) if each(resident) < BAR => "met",
            System::Ours(..) => "missed",
            _ => "",
        };
        let all = number(resident[1] / f64::from(1 << 20));
        let title = if matches!(system, System::Floor(_)) { "floor".into() } else { system.title() };
        lines.push(vec![title, number(each(resident)), all, bar.into()]);
    }
    kernel.sort_by(f64::total_cmp);
    let middle = kernel.get(kernel.len() / 2).map_or("–".into(), |kib| number(*kib));
    table(&head, &lines)
        + &format!(
            "\nThe kernel adds {middle} KiB for the two ends of a connection, whatever the server (`Slab` and the pages of TCP).\n"
        )
}

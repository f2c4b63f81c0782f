//! People connect, get in, leave and go.

use crate::bench::Load;
use crate::lab::Lab;
use crate::markdown::table;
use crate::spread::{Spread, number};
use crate::system::{Dialect, System};

/// A cycle may cost so many times what the floor needs.
const BAR: f64 = 2.0;

pub(crate) fn measure(lab: &Lab<'_>) -> String {
    // There is one that lets people in once a second.
    let load = Load { kind: "churn", rooms: 20, members: 2, seconds: 1.0, ..Load::TALK };
    let systems = lab.systems(|system| system.is_compared() && system != System::Floor(Dialect::Plain));
    let mut costs = vec![Vec::new(); systems.len()];
    for _ in 0..lab.options.repeats() {
        for (system, costs) in systems.iter().zip(&mut costs) {
            costs.extend(lab.measure(*system, &load).and_then(|result| result["server_us"].as_f64()));
        }
    }
    let costs: Vec<_> = costs.into_iter().map(Spread::of).collect();
    let floor = systems.iter().zip(&costs).find(|(system, _)| matches!(system, System::Floor(_)));
    let floor = floor.and_then(|(_, floor)| *floor);
    let lines: Vec<_> = systems
        .iter()
        .zip(&costs)
        .map(|(system, cost)| {
            let ratio = cost.zip(floor).map(|(cost, floor)| cost.median / floor.median);
            let bar = match system {
                System::Ours(..) => ratio.map_or("–", |ratio| if ratio <= BAR { "met" } else { "missed" }),
                _ => "",
            };
            let title = if matches!(system, System::Floor(_)) { "floor".into() } else { system.title() };
            vec![title, cost.map_or("–".into(), Spread::show), ratio.map_or("–".into(), number), bar.into()]
        })
        .collect();
    table(&["", "µs of CPU a cycle", "÷ floor", "bar"].map(str::to_owned), &lines)
}

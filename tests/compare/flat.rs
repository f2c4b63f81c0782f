//! Ever more members of a room, and ever more rooms: whether a delivery costs the same.

use crate::bench::{Load, Pace};
use crate::lab::Lab;
use crate::markdown::{count, table};
use crate::spread::{Spread, number};
use crate::system::{Dialect, System};

/// The dearest may cost so many times the cheapest.
const BAR: f64 = 1.3;

/// What a delivery costs, by how many there are.
pub(crate) struct Curve {
    pub(crate) title: &'static str,
    pub(crate) by: &'static str,
    pub(crate) numbers: Vec<u32>,
    /// For each system, a cost for each number.
    pub(crate) costs: Vec<(System, Vec<Option<Spread>>)>,
}

pub(crate) fn measure(lab: &Lab<'_>) -> Vec<Curve> {
    let seconds = lab.options.seconds();
    // Both ends of a process's sockets, and some more.
    let most = (lab.descriptors.saturating_sub(100) / 2).min(10_000);
    let talk = Load { seconds, ..Load::TALK };
    let members = |members| Load { members, ..talk.clone() };
    // At a rate, so that the same happens in a second however many rooms there are; and at a low one, since what is late
    // goes out together where there are few rooms.
    let rooms = |rooms| Load { rooms, members: 2, pace: Pace::Rate(2_000), ..talk.clone() };
    vec![
        curve(
            lab,
            "one room, one sender, one in flight",
            "members",
            lab.options.scale(vec![10, 100, 1_000, 5_000], vec![10, 100, 1_000]),
            members,
        ),
        curve(
            lab,
            "rooms of two, 2,000 messages a second over all rooms",
            "rooms",
            lab.options.scale(vec![10, 100, 1_000, most], vec![10, 100, 1_000]),
            rooms,
        ),
    ]
}

fn curve(lab: &Lab<'_>, title: &'static str, by: &'static str, numbers: Vec<u32>, load: impl Fn(u32) -> Load) -> Curve {
    let systems = lab.systems(|system| matches!(system, System::JSON | System::PLAIN | System::Floor(Dialect::Json)));
    let mut costs: Vec<(System, Vec<Vec<f64>>)> =
        systems.iter().map(|system| (*system, vec![Vec::new(); numbers.len()])).collect();
    for _ in 0..lab.options.repeats() {
        for (at, number) in numbers.iter().enumerate() {
            for (system, costs) in &mut costs {
                let result = lab.measure(*system, &load(*number));
                costs[at].extend(result.and_then(|result| result["sections"][0]["server_us"].as_f64()));
            }
        }
    }
    let costs =
        costs.into_iter().map(|(system, costs)| (system, costs.into_iter().map(Spread::of).collect())).collect();
    Curve { title, by, numbers, costs }
}

pub(crate) fn table_of(curve: &Curve) -> String {
    let head = [format!("µs of CPU a delivery: {}", curve.title)]
        .into_iter()
        .chain(curve.numbers.iter().map(|number| format!("{} {}", count((*number).into()), curve.by)))
        .chain(["dearest ÷ cheapest".into(), "bar".into()]);
    let floor = curve.costs.iter().find(|(system, _)| matches!(system, System::Floor(_))).map(|(_, costs)| costs);
    let lines: Vec<_> = curve
        .costs
        .iter()
        .flat_map(|(system, costs)| {
            let medians = || costs.iter().flatten().map(|cost| cost.median);
            let ratio = medians().fold(0.0, f64::max) / medians().fold(f64::INFINITY, f64::min);
            let bar = match system {
                System::Ours(..) if ratio <= BAR => "met",
                System::Ours(..) => "missed",
                _ => "",
            };
            let cells = costs.iter().map(|cost| cost.map_or("–".into(), Spread::show));
            let line = [system.title()].into_iter().chain(cells).chain([number(ratio), bar.into()]).collect();
            // In plain who speaks hears nothing, so that in small rooms its deliveries are not the floor's.
            [Some(line), floor.filter(|_| *system == System::JSON).map(|floor| over(costs, floor))]
        })
        .flatten()
        .collect();
    table(&head.collect::<Vec<_>>(), &lines)
}

/// How many times what the floor costs, which the processor's and the kernel's caches make dearer, too.
fn over(costs: &[Option<Spread>], floor: &[Option<Spread>]) -> Vec<String> {
    let ratio = |(cost, floor): (&Option<Spread>, &Option<Spread>)| {
        cost.zip(*floor).map_or("–".into(), |(cost, floor)| number(cost.median / floor.median))
    };
    let ratios = costs.iter().zip(floor).map(ratio);
    ["÷ floor".to_owned()].into_iter().chain(ratios).chain([String::new(), String::new()]).collect()
}

/// All curves, as tables.
pub(crate) fn tables(curves: &[Curve]) -> String {
    curves.iter().map(table_of).collect::<Vec<_>>().join("\n")
}

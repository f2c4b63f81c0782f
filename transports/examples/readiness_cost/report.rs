//! The table.

use crate::measure::{Cost, Load};

/// The costs, one line each.
pub(crate) fn table(costs: &[Cost]) -> String {
    let mut table = String::new();
    for (load, title) in [(Load::One, "one room of 10 talks"), (Load::All, "all rooms of 10 talk at once")] {
        let gap = if table.is_empty() { "" } else { "\n" };
        table += &format!("{gap}{title:<28} CPU, us a delivery     system calls a delivery\n");
        table += "connections  poller         middle  (least-most)   wait   read  write  other    all\n";
        for cost in costs.iter().filter(|cost| cost.load == load) {
            let [least, middle, most] = cost.time;
            let spread = format!("({least:.2}-{most:.2})");
            let calls = match (cost.calls, cost.all_calls()) {
                (Some([wait, read, write, other]), Some(all)) => {
                    format!("{wait:>7.3}{read:>7.3}{write:>7.3}{other:>7.3}{all:>7.3}")
                }
                _ => "  not counted: no strace".into(),
            };
            let Cost { connections, poller, .. } = cost;
            table += &format!("{connections:>11}  {poller:<12} {middle:>8.2}  {spread:<13} {calls}\n");
        }
    }
    table
}

//! Senders talk, everyone listens.

use std::time::Duration;

use super::crowd::{Crowd, Event, Wait};
use super::gather::{failure, gather};
use super::report::{Latency, Meter, Reading, Section, Talked};
use super::stamp::Stamp;
use super::tally::{Heard, Tally};
use super::{Failure, Pace, Plan, Progress, Traffic};

/// How long what is under way at the end may take.
const SETTLE: Duration = Duration::from_secs(10);

const SECOND: u64 = 1_000_000;

pub(super) fn run(plan: &Plan, observe: &mut dyn FnMut(Progress)) -> Result<Talked, Failure> {
    let mut meter = Meter::new(plan)?;
    let (crowd, entered) = gather(plan, &mut meter, observe)?;
    let mut talk = Talk::new(plan, crowd, meter);
    talk.go_on(plan.warmup, observe)?;
    let mut sections = vec![talk.go_on(plan.time, observe)?];
    if plan.traffic == Traffic::Stalled {
        talk.stall();
        sections.push(talk.go_on(plan.time, observe)?);
    }
    talk.settle(observe)?;
    Ok(Talked { entered, sections, faults: talk.tally.faults() })
}

struct Talk<'a> {
    plan: &'a Plan,
    crowd: Crowd,
    meter: Meter,
    tally: Tally,
    /// Senders who may say something, by [`Pace::Window`].
    free: Vec<u32>,
    /// Messages said by [`Pace::Rate`], and the microsecond from which they are counted.
    said: u64,
    since: u64,
    /// Who reads nothing any more.
    stalled: Option<usize>,
}

/// What is counted in a section.
struct Count {
    start: u64,
    said: u64,
    delivered: u64,
    bytes: u64,
    latency: Latency,
    /// Deliveries of each second.
    seconds: Vec<u64>,
}

impl<'a> Talk<'a> {
    fn new(plan: &'a Plan, crowd: Crowd, meter: Meter) -> Self {
        let senders = plan.doors.len() as u32 * plan.senders;
        let tally = Tally::new(plan.doors.len() as u32, plan.members, plan.senders);
        let since = crowd.now();
        Self { plan, crowd, meter, tally, free: (0..senders).collect(), said: 0, since, stalled: None }
    }

    /// Has them talk for so long.
    fn go_on(&mut self, time: Duration, observe: &mut dyn FnMut(Progress)) -> Result<Section, Failure> {
        let start = self.crowd.now();
        let end = start + time.as_micros() as u64;
        let before = self.meter.read(start);
        let mut count = Count::new(start);
        let mut told = start;
        loop {
            let now = self.crowd.now();
            if now >= end {
                break;
            }
            if now - told >= SECOND {
                told = now;
                observe(Progress::Talking(Duration::from_micros(now - start), count.delivered));
            }
            count.said += self.say(now);
            let rest = Duration::from_micros(end - now);
            let wait = match self.plan.pace {
                Pace::Window(_) => Wait::Roughly(rest),
                Pace::Rate(_) => {
                    Wait::Exactly(rest.min(Duration::from_micros(self.due().saturating_sub(self.crowd.now()))))
                }
            };
            self.turn(wait, &mut count)?;
        }
        Ok(count.finish(before, self.meter.read(self.crowd.now())))
    }

    /// Has everybody say what is due by `now`; says how many messages.
    fn say(&mut self, now: u64) -> u64 {
        let mut said = 0;
        match self.plan.pace {
            Pace::Window(window) => {
                for sender in std::mem::take(&mut self.free) {
                    for _ in self.tally.open(sender)..window {
                        self.say_one(sender, now);
                        said += 1;
                    }
                    self.crowd.flush(self.member(sender));
                }
            }
            Pace::Rate(_) => {
                let senders = (self.plan.doors.len() as u32 * self.plan.senders) as u64;
                while self.due() <= now {
                    let (sender, due) = ((self.said % senders) as u32, self.due());
                    self.say_one(sender, due);
                    self.crowd.flush(self.member(sender));
                    self.said += 1;
                    said += 1;
                }
            }
        }
        said
    }

    /// When the next message of a [`Pace::Rate`] is due.
    fn due(&self) -> u64 {
        match self.plan.pace {
            Pace::Rate(rate) => self.since + (self.said as f64 * 1e6 / rate) as u64,
            Pace::Window(_) => u64::MAX,
        }
    }

    fn say_one(&mut self, sender: u32, at: u64) {
        let room = sender / self.plan.senders;
        let deaf = self.stalled.is_some_and(|member| member as u32 / self.plan.members == room);
        let stamp = self.tally.say(sender, at, self.plan.hearers() - u32::from(deaf));
        let text = stamp.text(self.plan.bytes);
        self.crowd.say(self.member(sender), &text);
    }

    /// The member that is this sender: the first ones of each room.
    fn member(&self, sender: u32) -> usize {
        (sender / self.plan.senders * self.plan.members + sender % self.plan.senders) as usize
    }

    fn turn(&mut self, wait: Wait, count: &mut Count) -> Result<(), Failure> {
        let Self { crowd, tally, plan, free, stalled, .. } = self;
        let window = matches!(plan.pace, Pace::Window(_));
        let mut fault = None;
        crowd.turn(wait, |member, event| match event {
            Event::Message(frame, now) => {
                let Some(stamp) = Stamp::find(frame) else { return };
                if let Heard::Wanted { at, last } = tally.hear(member as u32, member as u32 / plan.members, stamp) {
                    count.hear(now, at, frame.len());
                    if last && window {
                        free.push(stamp.sender);
                    }
                }
            }
            // Whom a server sends away for reading nothing is no loss.
            Event::Closed(_) if *stalled == Some(member) => {}
            event => fault = fault.take().or_else(|| failure(member, event)),
        })?;
        match fault {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    /// The last member of the first room, which is no sender, reads nothing from here on.
    fn stall(&mut self) {
        let member = self.plan.members as usize - 1;
        self.crowd.stall(member);
        self.stalled = Some(member);
        let freed = self.tally.excuse(member as u32, 0);
        self.free.extend(freed);
    }

    /// Waits for what is under way.
    fn settle(&mut self, observe: &mut dyn FnMut(Progress)) -> Result<(), Failure> {
        observe(Progress::Settling);
        let start = self.crowd.now();
        let mut count = Count::new(start);
        while !self.tally.is_quiet() && self.crowd.now() - start < SETTLE.as_micros() as u64 {
            self.turn(Wait::Roughly(Duration::from_millis(50)), &mut count)?;
        }
        // What comes again, or comes to the wrong room, may come last.
        let quiet = self.crowd.now();
        while self.crowd.now() - quiet < SECOND / 5 {
            self.turn(Wait::Roughly(Duration::from_millis(50)), &mut count)?;
        }
        Ok(())
    }
}

impl Count {
    fn new(start: u64) -> Self {
        Self { start, said: 0, delivered: 0, bytes: 0, latency: Latency::new(), seconds: Vec::new() }
    }

    fn hear(&mut self, now: u64, at: u64, bytes: usize) {
        self.delivered += 1;
        self.bytes += bytes as u64;
        self.latency.record(now.saturating_sub(at));
        let second = ((now - self.start) / SECOND) as usize;
        if second >= self.seconds.len() {
            self.seconds.resize(second + 1, 0);
        }
        self.seconds[second] += 1;
    }

    fn finish(mut self, before: Reading, after: Reading) -> Section {
        let spent = before.until(after);
        // The last one is not whole.
        self.seconds.resize(spent.time.as_secs() as usize, 0);
        let worst_second = self.seconds.iter().copied().min();
        let Self { said, delivered, bytes, latency, .. } = self;
        Section { spent, said, delivered, bytes, worst_second, latency }
    }
}

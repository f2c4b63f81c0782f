//! People connect, get in, leave and go, over and over.

use std::sync::Arc;
use std::time::Duration;

use super::crowd::{Crowd, Event, Wait};
use super::gather::failure;
use super::report::{Churned, Latency, Meter};
use super::{Failure, Plan, Progress};

pub(super) fn run(plan: &Plan, observe: &mut dyn FnMut(Progress)) -> Result<Churned, Failure> {
    let mut meter = Meter::new(plan)?;
    let mut churn = Churn::new(plan)?;
    churn.go_on(plan.warmup, observe)?;
    churn.cycles = 0;
    churn.latency = Latency::new();
    let before = meter.read(churn.crowd.now());
    churn.go_on(plan.time, observe)?;
    let spent = before.until(meter.read(churn.crowd.now()));
    Ok(Churned { cycles: churn.cycles, spent, latency: churn.latency })
}

struct Churn<'a> {
    plan: &'a Plan,
    crowd: Crowd,
    doors: Vec<Arc<str>>,
    /// When each place's connection was begun.
    begun: Vec<u64>,
    /// Whether it has said goodbye, and whatever comes is an answer to that.
    parting: Vec<bool>,
    /// The number of the next who comes.
    next: u32,
    cycles: u64,
    latency: Latency,
}

impl<'a> Churn<'a> {
    fn new(plan: &'a Plan) -> Result<Self, Failure> {
        let places = plan.connections();
        let mut churn = Self {
            plan,
            crowd: Crowd::new(plan.protocol, plan.server, places)?,
            doors: plan.doors.iter().map(|door| door.as_str().into()).collect(),
            begun: vec![0; places],
            parting: vec![false; places],
            next: 0,
            cycles: 0,
            latency: Latency::new(),
        };
        for place in 0..places {
            churn.open(place)?;
        }
        Ok(churn)
    }

    fn open(&mut self, place: usize) -> Result<(), Failure> {
        self.begun[place] = self.crowd.now();
        self.parting[place] = false;
        self.crowd.open(place, self.next, self.doors[place / self.plan.members as usize].clone())?;
        self.next += 1;
        Ok(())
    }

    fn go_on(&mut self, time: Duration, observe: &mut dyn FnMut(Progress)) -> Result<(), Failure> {
        let start = self.crowd.now();
        let mut told = start;
        loop {
            let now = self.crowd.now();
            let gone = Duration::from_micros(now - start);
            if gone >= time {
                return Ok(());
            }
            if now - told >= 1_000_000 {
                told = now;
                observe(Progress::Churning(gone, self.cycles));
            }
            let (mut entered, mut closed, mut fault) = (Vec::new(), Vec::new(), None);
            let Self { crowd, parting, .. } = self;
            crowd.turn(Wait::Roughly(time - gone), |place, event| match event {
                Event::Entered => entered.push(place),
                Event::Closed(_) if parting[place] => closed.push(place),
                Event::Refused(_) if parting[place] => {}
                event => fault = fault.take().or_else(|| failure(place, event)),
            })?;
            if let Some(failure) = fault {
                return Err(failure);
            }
            for place in entered {
                self.parting[place] = true;
                self.crowd.leave(place);
                self.crowd.flush(place);
                if !self.plan.protocol.server_closes() {
                    self.crowd.close(place);
                    closed.push(place);
                }
            }
            for place in closed {
                self.cycles += 1;
                self.latency.record(self.crowd.now() - self.begun[place]);
                self.open(place)?;
            }
        }
    }
}

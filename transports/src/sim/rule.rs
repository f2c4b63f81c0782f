//! What becomes of what is sent: few words, of which every condition of a network is composed.

use std::time::Duration;

use super::dice::Dice;
use super::fault::Fault;

/// What a rule says of one parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Nothing: it goes its way.
    Pass,
    /// It takes up to this much longer; what follows does not overtake it.
    After(Duration),
    /// It stays where it is for ever, and so does what follows.
    Hold,
    /// It is lost. A stream can't lose a part and go on, so the connection is lost too.
    Drop,
}

/// What a parcel holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// The attempt to connect.
    Attempt,
    /// The first part of what a client sends, besides being a part of the stream.
    Greeting,
    /// A part of the stream.
    Segment,
}

/// Says its word of so many parcels in a thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it is counted as.
    pub fault: Fault,
    /// Of what it speaks.
    pub of: Carried,
    /// How often, in a thousand.
    pub per_mille: u32,
    /// What it says.
    pub word: Word,
}

/// The conditions of a network: how long anything takes, and the rules, each of which has its say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// The shortest time that a parcel takes.
    pub latency: Duration,
    /// What may come on top of that.
    pub jitter: Duration,
    /// Delays add up; the first rule that holds or drops is the last that is asked.
    pub rules: Vec<Rule>,
}

/// What becomes of one parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) word: Word,
    /// How long it takes.
    pub(super) time: Duration,
    /// Whose doing it is.
    pub(super) by: Vec<Fault>,
}

impl Conditions {
    /// Nothing but the speed of light.
    pub fn clear() -> Self {
        Self { latency: Duration::from_millis(20), jitter: Duration::from_millis(5), rules: Vec::new() }
    }

    pub(super) fn fate(&self, of: Carried, dice: &mut Dice) -> Fate {
        let mut fate = Fate { word: Word::Pass, time: self.latency + up_to(dice, self.jitter), by: Vec::new() };
        for rule in self.rules.iter().filter(|rule| rule.of == of) {
            if !chance(dice, rule.per_mille) {
                continue;
            }
            fate.by.push(rule.fault);
            match rule.word {
                Word::Pass => {}
                Word::After(most) => fate.time += up_to(dice, most),
                Word::Hold | Word::Drop => {
                    fate.word = rule.word;
                    break;
                }
            }
        }
        fate
    }
}

/// Whether something of this chance in a thousand happens.
pub(super) fn chance(dice: &mut Dice, per_mille: u32) -> bool {
    dice.u32(0..1_000) < per_mille
}

/// Any time up to `most`.
pub(super) fn up_to(dice: &mut Dice, most: Duration) -> Duration {
    Duration::from_micros(dice.u64(0..=most.as_micros() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn always(word: Word) -> Rule {
        Rule { fault: Fault::Late, of: Carried::Segment, per_mille: 1_000, word }
    }

    #[test]
    fn delays_add_up_and_the_first_loss_decides() {
        let second = Duration::from_secs(1);
        let rules =
            vec![always(Word::After(second)), always(Word::After(second)), always(Word::Hold), always(Word::Drop)];
        let conditions = Conditions { rules, latency: second, ..Conditions::clear() };
        let mut dice = Dice::from_seed(1);
        for _ in 0..100 {
            let fate = conditions.fate(Carried::Segment, &mut dice);
            assert_eq!((fate.word, fate.by.len()), (Word::Hold, 3));
            assert!(fate.time >= second && fate.time <= 4 * second);
            assert_eq!(conditions.fate(Carried::Attempt, &mut dice).word, Word::Pass);
        }
    }
}

//! Whatever happens, in whatever order: everybody hears everything behind their cursor, once and in order.

use std::time::Duration;

use proptest::prelude::*;
use salon_proto::link::frames::Block;

use crate::config::GatewayConfig;
use crate::hub::kit::{World, delete, sized_message};

/// What may happen, in any order.
#[derive(Debug, Clone)]
enum Step {
    Say {
        lost: bool,
        bytes: usize,
    },
    /// More than a window holds may come between two flushes.
    Burst(usize),
    Delete(u64),
    Repeat(u64),
    Join {
        behind: u64,
    },
    Leave(usize),
    Takes(usize, usize),
    Event,
    Write,
    StoreAnswers,
    StoreIsAway,
    /// Its answers are of an earlier time.
    StoreLags(u64),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (proptest::bool::weighted(0.1), 0..300_usize).prop_map(|(lost, bytes)| Step::Say { lost, bytes }),
        1 => (1..200_usize).prop_map(Step::Burst),
        1 => (1..40_u64).prop_map(Step::Delete),
        1 => (1..40_u64).prop_map(Step::Repeat),
        2 => (0..200_u64).prop_map(|behind| Step::Join { behind }),
        1 => (0..8_usize).prop_map(Step::Leave),
        4 => (0..8_usize, prop_oneof![0..2_000_usize, 0..200_000_usize, Just(usize::MAX)]).prop_map(|(who, bytes)| Step::Takes(who, bytes)),
        1 => Just(Step::Event),
        4 => Just(Step::Write),
        3 => Just(Step::StoreAnswers),
        1 => Just(Step::StoreIsAway),
        1 => (0..20_u64).prop_map(Step::StoreLags),
        2 => (0..20_u64).prop_map(Step::Wait),
    ]
}

fn take(world: &mut World, here: &mut Vec<usize>, step: Step) {
    let head = world.head();
    match step {
        Step::Say { lost: true, bytes } => world.stores(sized_message(head + 1, bytes)),
        Step::Say { lost: false, bytes } => world.happens(sized_message(head + 1, bytes)),
        Step::Burst(messages) => {
            for seq in head + 1..=head + messages as u64 {
                world.happens(sized_message(seq, 2_000));
            }
        }
        Step::Delete(back) if back <= head => world.happens(delete(head + 1, head + 1 - back)),
        Step::Repeat(back) if back <= head => {
            let entry = world.store[usize::try_from(head - back).unwrap()].clone();
            world.link_tells(entry);
        }
        Step::Join { behind } => here.push(world.joins("u_ann", head.saturating_sub(behind))),
        Step::Leave(who) if who < here.len() => world.leaves(here.remove(who)),
        Step::Takes(who, bytes) if who < here.len() => world.people[here[who]].wire.takes(bytes),
        Step::Event => world.event("typing", "u_ann", None),
        Step::Write => world.writes(),
        Step::StoreAnswers => world.store_answers(),
        Step::StoreIsAway => {
            for read in std::mem::take(&mut world.unanswered) {
                let refused = Block { unavailable: true, entries: Vec::new(), ..world.answer(&read) };
                world.hub.block(refused, world.now);
            }
        }
        Step::StoreLags(entries) => {
            for read in std::mem::take(&mut world.unanswered) {
                let block = world.answer(&read);
                let head = head.saturating_sub(entries);
                let entries = block.entries.into_iter().filter(|entry| entry.seq <= head).collect();
                world.hub.block(Block { head, entries, ..block }, world.now);
            }
        }
        Step::Wait(ms) => world.now = world.now.after(Duration::from_millis(ms)),
        Step::Delete(_) | Step::Repeat(_) | Step::Leave(_) | Step::Takes(..) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]
    #[test]
    fn every_member_hears_everything_behind_its_cursor_once_and_in_order(
        steps in proptest::collection::vec(step(), 1..200),
        block_entries_max in 1..70_usize,
        bytes_max in prop_oneof![Just(2_000_usize), Just(1 << 20)],
    ) {
        let mut world = World::with(GatewayConfig { window_bytes_total_max: bytes_max, ..GatewayConfig::default() });
        world.block_entries_max = block_entries_max;
        let mut here = Vec::new();
        for step in steps {
            take(&mut world, &mut here, step);
        }
        for person in &world.people {
            let heard = person.seqs();
            prop_assert!(heard.iter().copied().eq(person.since + 1..=person.since + heard.len() as u64));
        }
        // Everybody reads again, and the last entry is heard of.
        for who in &here {
            world.people[*who].wire.takes(usize::MAX);
        }
        world.says(1);
        world.settles();
        let head = world.head();
        for who in &here {
            let person = &world.people[*who];
            prop_assert_eq!(person.seqs(), (person.since + 1..=head).collect::<Vec<_>>());
            prop_assert_eq!(person.hears().iter().filter(|heard| heard.starts_with("caught_up")).count(), 1);
        }
    }
}

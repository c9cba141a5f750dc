//! The hub among people who read, read slowly, do not read at all, come and go.

mod properties;

use std::time::Duration;

use super::kit::{EPOCH, ROOM, World, delete, edit, message, quote, sized_message};
use crate::config::GatewayConfig;
use salon_proto::link::frames::{Attach, Block, LogEntry};

fn upto(last: u64) -> Vec<u64> {
    (1..=last).collect()
}

#[test]
fn everybody_hears_every_entry_once_in_order() {
    let mut world = World::new();
    let (ann, bob) = (world.joins("u_ann", 0), world.joins("u_bob", 0));
    for _ in 0..20 {
        world.says(3);
        world.settles();
    }
    for who in [ann, bob] {
        assert_eq!(world.people[who].hears()[0], "caught_up 0");
        assert_eq!(world.people[who].seqs(), upto(60));
    }
    assert_eq!(world.reads, 0);
    assert_eq!(world.shared.metrics.entries_printed.get(), 60);
}

#[test]
fn a_newcomer_catches_up_from_the_store_and_is_told_exactly_where() {
    let mut world = World::new();
    for seq in 1..=150 {
        world.stores(message(seq));
    }
    let ann = world.joins("u_ann", 100);
    world.says(5);
    world.settles();
    let heard = world.people[ann].hears();
    let expected: Vec<String> = (101..=150)
        .map(|seq| format!("message {seq}"))
        .chain(["caught_up 150".into()])
        .chain((151..=155).map(|seq| format!("message {seq}")))
        .collect();
    assert_eq!(heard, expected);
}

#[test]
fn a_storm_of_joins_reads_each_block_once() {
    let mut world = World::new();
    for seq in 1..=130 {
        world.stores(message(seq));
    }
    let people: Vec<usize> = (0..500).map(|number| world.joins(&format!("u_{number}"), 0)).collect();
    world.settles();
    assert_eq!(world.reads, 3);
    assert_eq!(world.shared.metrics.entries_printed.get(), 130);
    for who in people {
        assert_eq!(world.people[who].seqs(), upto(130));
    }
}

#[test]
fn an_entry_that_overtakes_the_answer_to_a_join_is_not_forgotten() {
    let mut world = World::new();
    world.stores(message(1));
    let ann = world.connects("u_ann");
    // The service has computed the head 1, then somebody writes, then the answer comes.
    let attach = Attach { log: ROOM.into(), room: ROOM.into(), epoch: EPOCH.into(), cursor: 1, caught_up_at: 1 };
    world.happens(message(2));
    world.hub.attach(&world.people[ann].connection, &attach, world.now);
    world.settles();
    assert_eq!(world.people[ann].hears(), ["caught_up 1", "message 2"]);
    // The same where the room existed until just before.
    world.leaves(ann);
    let bob = world.connects("u_bob");
    world.hub.attach(&world.people[bob].connection, &attach, world.now);
    world.settles();
    assert_eq!(world.people[bob].hears(), ["caught_up 1", "message 2"]);
}

#[test]
fn lost_late_and_repeated_entries_change_nothing_for_the_client() {
    let mut world = World::new();
    let ann = world.joins("u_ann", 0);
    world.says(2);
    world.settles();
    world.stores(message(3));
    world.stores(message(4));
    world.happens(message(5));
    world.settles();
    for late in [3, 5, 4] {
        world.link_tells(message(late));
    }
    world.says(1);
    world.settles();
    assert_eq!(world.people[ann].seqs(), upto(6));
    assert_eq!(world.shared.metrics.entries_lost.get(), 2);
}

#[test]
fn a_busy_room_is_written_in_batches_and_a_quiet_one_at_once() {
    let mut world = World::new();
    let ann = world.joins("u_ann", 0);
    world.settles();
    world.now = world.now.after(Duration::from_millis(50));
    world.says(1);
    world.writes();
    assert_eq!(world.people[ann].seqs(), [1]);
    world.says(5);
    world.writes();
    assert_eq!(world.people[ann].seqs(), [1]);
    world.now = world.now.after(Duration::from_millis(2));
    world.writes();
    assert_eq!(world.people[ann].seqs(), upto(6));
}

#[test]
fn who_does_not_read_loses_nothing_and_keeps_nobody_waiting() {
    let mut world = World::new();
    let (ann, bob) = (world.joins("u_ann", 0), world.joins("u_bob", 0));
    world.settles();
    world.people[bob].wire.takes(1_000);
    for _ in 0..50 {
        world.says(100);
        world.settles();
    }
    assert_eq!(world.people[ann].seqs(), upto(5_000));
    let budget = world.hub.budget.bytes();
    assert!(budget <= super::window::WINDOW_BYTES_MAX, "{budget}");
    world.people[bob].wire.takes(usize::MAX);
    world.settles();
    assert_eq!(world.people[bob].seqs(), upto(5_000));
}

#[test]
fn more_than_a_window_holds_may_come_at_once() {
    let mut world = World::new();
    let ann = world.joins("u_ann", 0);
    for seq in 1..=500 {
        world.happens(sized_message(seq, 2_000));
    }
    world.settles();
    assert_eq!(world.people[ann].seqs(), upto(500));
}

#[test]
fn a_socket_that_blocks_at_any_byte_gets_the_rest() {
    for room in (0..700).step_by(7) {
        let mut world = World::new();
        for seq in 1..=3 {
            world.stores(message(seq));
        }
        let ann = world.joins("u_ann", 0);
        world.people[ann].wire.takes(room);
        world.settles();
        world.says(2);
        world.settles();
        world.people[ann].wire.takes(usize::MAX);
        world.settles();
        let heard = world.people[ann].hears();
        assert_eq!(heard, ["message 1", "message 2", "message 3", "caught_up 3", "message 4", "message 5"], "{room}");
    }
}

#[test]
fn memory_stays_within_the_budget_whatever_is_read() {
    let bytes_max = 300_000;
    let mut world = World::with(GatewayConfig { window_bytes_total_max: bytes_max, ..GatewayConfig::default() });
    for seq in 1..=1_000 {
        world.stores(sized_message(seq, 1_000));
    }
    let people: Vec<usize> = (0..10).map(|number| world.joins("u_ann", number * 90)).collect();
    for _ in 0..3_000 {
        world.writes();
        world.store_answers();
        world.writes();
        assert!(world.hub.budget.bytes() <= bytes_max);
    }
    for (number, who) in (0..).zip(people) {
        assert_eq!(world.people[who].seqs(), (number * 90 + 1..=1_000).collect::<Vec<_>>());
    }
}

#[test]
fn large_entries_come_in_several_answers() {
    let mut world = World::new();
    world.block_entries_max = 5;
    for seq in 1..=100 {
        world.stores(message(seq));
    }
    let (ann, bob) = (world.joins("u_ann", 0), world.joins("u_bob", 40));
    world.settles();
    assert_eq!(world.people[ann].seqs(), upto(100));
    assert_eq!(world.people[bob].seqs(), (41..=100).collect::<Vec<_>>());
}

#[test]
fn a_deleted_message_reaches_nobody_who_had_not_been_sent_it() {
    let mut world = World::new();
    let bob = world.joins("u_bob", 0);
    world.settles();
    world.people[bob].wire.takes(0);
    world.says(1);
    world.happens(quote(2, 1));
    world.happens(edit(3, 1));
    world.says(1);
    world.settles();
    world.happens(delete(5, 1));
    world.settles();
    world.people[bob].wire.takes(usize::MAX);
    world.settles();
    assert_eq!(world.people[bob].seqs(), upto(5));
    let text = format!("{:?}", world.people[bob].wire.heard());
    assert!(!text.contains("message 1") && !text.contains("edit of 1"), "{text}");
}

#[test]
fn a_block_that_was_read_before_a_deletion_is_read_again() {
    let mut world = World::new();
    for seq in 1..=10 {
        world.stores(message(seq));
    }
    let ann = world.joins("u_ann", 0);
    world.writes();
    let before = world.answer(&world.unanswered[0]);
    world.unanswered.clear();
    world.happens(delete(11, 4));
    world.hub.block(before, world.now);
    world.settles();
    assert_eq!(world.people[ann].seqs(), upto(11));
    assert!(!format!("{:?}", world.people[ann].wire.heard()).contains("message 4"));
}

#[test]
fn a_kept_block_forgets_what_was_deleted() {
    let mut world = World::new();
    for seq in 1..=70 {
        world.stores(message(seq));
    }
    let ann = world.joins("u_ann", 0);
    world.settles();
    world.happens(delete(71, 4));
    let bob = world.joins("u_bob", 0);
    world.settles();
    for who in [ann, bob] {
        assert_eq!(world.people[who].seqs(), upto(71));
    }
    assert!(!format!("{:?}", world.people[bob].wire.heard()).contains("message 4\""));
}

#[test]
fn behind_a_fence_nothing_is_sent_and_up_to_it_what_can_be() {
    let mut world = World::new();
    let (ann, bob, slow_bob) = (world.joins("u_ann", 0), world.joins("u_bob", 0), world.joins("u_bob", 0));
    world.settles();
    world.people[slow_bob].wire.takes(0);
    world.says(4);
    world.removes("u_bob", 4);
    world.says(3);
    world.settles();
    world.people[slow_bob].wire.takes(usize::MAX);
    world.settles();
    assert_eq!(world.people[ann].seqs(), upto(7));
    assert_eq!(world.people[bob].seqs(), upto(4));
    assert_eq!(world.people[slow_bob].seqs(), [0; 0]);
    // A deleted room: everybody.
    world.removes("", 7);
    world.link_tells(message(8));
    world.settles();
    assert_eq!(world.people[ann].seqs(), upto(7));
    assert_eq!(world.hub.by_log.len(), 0);
}

#[test]
fn a_late_fence_spares_who_has_come_back_since() {
    let mut world = World::new();
    let ann = world.joins("u_ann", 0);
    let gone = world.joins("u_bob", 0);
    world.settles();
    // Bob is removed at 1 and a member again at 2, and the link is late with both.
    let (removed, joined) = (message(1), message(2));
    world.stores(removed.clone());
    world.stores(joined.clone());
    let back = world.joins("u_bob", 0);
    world.settles();
    world.link_tells(removed);
    world.removes("u_bob", 1);
    world.link_tells(joined);
    world.says(1);
    world.settles();
    assert_eq!(world.people[ann].seqs(), upto(3));
    assert_eq!(world.people[gone].seqs(), upto(1));
    assert_eq!(world.people[back].hears(), ["message 1", "message 2", "caught_up 2", "message 3"]);
}

#[test]
fn nobody_is_taken_past_a_fence_by_somebody_who_joins_further_on() {
    let mut world = World::new();
    let bob = world.joins("u_bob", 0);
    world.settles();
    world.stores(message(1));
    world.stores(message(2));
    let ann = world.joins("u_ann", 0);
    world.settles();
    assert_eq!(world.people[ann].hears(), ["message 1", "message 2", "caught_up 2"]);
    assert_eq!(world.people[bob].seqs(), [0; 0]);
    world.link_tells(message(1));
    world.removes("u_bob", 1);
    world.link_tells(message(2));
    world.says(1);
    world.settles();
    assert_eq!(world.people[ann].seqs(), upto(3));
    assert_eq!(world.people[bob].seqs(), upto(1));
}

#[test]
fn events_are_coalesced_spare_their_author_and_are_dropped_for_the_blocked() {
    let mut world = World::new();
    let (ann, bob, slow) = (world.joins("u_ann", 0), world.joins("u_bob", 0), world.joins("u_cid", 0));
    world.settles();
    world.people[slow].wire.takes(0);
    world.says(1);
    world.event("typing:ann", "first", Some(ann));
    world.event("typing:ann", "second", Some(ann));
    world.event("", "unkeyed", None);
    world.event("", "unkeyed", None);
    world.settles();
    assert_eq!(world.people[ann].hears(), ["caught_up 0", "message 1", "typing", "typing"]);
    assert_eq!(world.people[bob].hears(), ["caught_up 0", "message 1", "typing", "typing", "typing"]);
    assert!(!format!("{:?}", world.people[bob].wire.heard()).contains("first"));
    world.people[slow].wire.takes(usize::MAX);
    world.settles();
    assert_eq!(world.people[slow].hears(), ["caught_up 0", "message 1"]);
    assert!(world.shared.metrics.ephemeral_dropped.get() >= 3);
}

#[test]
fn a_log_of_another_epoch_sends_everybody_back_and_begins_anew() {
    let mut world = World::new();
    let ann = world.joins("u_ann", 0);
    world.settles();
    let newer = salon_proto::v1::Entry { epoch: "e2".into(), ..message(1) };
    world.hub.entry(LogEntry { log: ROOM.into(), entry: Some(newer) }, world.now);
    world.writes();
    let read = world.unanswered.remove(0);
    world.hub.block(Block { epoch: "e2".into(), ..world.answer(&read) }, world.now);
    world.writes();
    assert_eq!(world.people[ann].hears(), ["caught_up 0", "(close 4001)"]);
    let bob = world.connects("u_bob");
    let attach = Attach { log: ROOM.into(), room: ROOM.into(), epoch: "e2".into(), cursor: 0, caught_up_at: 0 };
    world.hub.attach(&world.people[bob].connection, &attach, world.now);
    assert_eq!(world.hub.rooms[world.hub.by_log[ROOM]].as_ref().unwrap().head, 1);
}

#[test]
fn what_retention_took_from_somebody_ends_the_connection_instead_of_leaving_a_gap() {
    let mut world = World::new();
    for seq in 1..=200 {
        world.stores(message(seq));
    }
    world.first = 100;
    let ann = world.joins("u_ann", 20);
    world.settles();
    assert_eq!(world.people[ann].hears(), ["(close 4004)"]);
}

#[test]
fn a_store_that_is_not_there_is_asked_again() {
    let mut world = World::new();
    for seq in 1..=5 {
        world.stores(message(seq));
    }
    let ann = world.joins("u_ann", 0);
    for _ in 0..3 {
        world.writes();
        for read in std::mem::take(&mut world.unanswered) {
            let refused = Block { unavailable: true, entries: Vec::new(), ..world.answer(&read) };
            world.hub.block(refused, world.now);
        }
        world.now = world.now.after(Duration::from_millis(150));
    }
    // And an answer that never comes is not waited for for ever.
    world.writes();
    world.unanswered.clear();
    world.now = world.now.after(Duration::from_secs(11));
    world.settles();
    assert_eq!(world.people[ann].seqs(), upto(5));
}

#[test]
fn a_room_without_members_leaves_nothing_behind() {
    let mut world = World::new();
    for round in 0..3 {
        let people: Vec<usize> = (0..5).map(|_| world.joins("u_ann", 0)).collect();
        world.says(10);
        world.settles();
        for who in people {
            assert_eq!(world.people[who].seqs(), upto(10 * (round + 1)));
            world.leaves(who);
        }
        assert_eq!((world.hub.by_log.len(), world.hub.budget.bytes()), (0, 0));
        assert_eq!(world.hub.rooms.len(), 1);
    }
    assert_eq!(world.shared.metrics.members.get(), 0);
    assert_eq!(world.ids().len(), 15);
}

#[test]
fn a_store_that_knows_less_than_the_link_has_told_is_asked_again() {
    let mut world = World::new();
    for seq in 1..=5 {
        world.stores(message(seq));
    }
    let (ann, bob) = (world.joins("u_ann", 0), world.joins("u_bob", 5));
    world.writes();
    let read = world.unanswered.remove(0);
    let behind = Block { entries: world.store[..3].to_vec(), head: 3, ..world.answer(&read) };
    world.hub.block(behind, world.now);
    world.writes();
    assert_eq!(world.people[ann].seqs(), upto(3));
    let read = world.unanswered.remove(0);
    assert_eq!((read.after, read.through), (3, 64));
    world.hub.block(Block { entries: Vec::new(), head: 3, ..world.answer(&read) }, world.now);
    world.writes();
    assert_eq!(world.unanswered.len(), 0);
    world.settles();
    assert_eq!(world.people[ann].seqs(), upto(5));
    assert_eq!(world.people[bob].hears(), ["caught_up 5"]);
}

#[test]
fn where_a_head_may_have_been_forgotten_the_store_is_asked() {
    let mut world = World::new();
    world.stores(message(1));
    for log in 0..20_000 {
        world.hub.entry(LogEntry { log: format!("log-{log}"), entry: Some(message(1)) }, world.now);
    }
    let ann = world.connects("u_ann");
    let attach = Attach { log: ROOM.into(), room: ROOM.into(), epoch: EPOCH.into(), cursor: 1, caught_up_at: 1 };
    world.happens(message(2));
    world.hub.attach(&world.people[ann].connection, &attach, world.now);
    world.settles();
    assert_eq!(world.people[ann].hears(), ["caught_up 1", "message 2"]);
}

#[test]
fn a_large_room_is_written_in_steps_and_who_leaves_meanwhile_harms_nobody() {
    let mut world = World::new();
    let people: Vec<usize> = (0..700).map(|_| world.joins("u_ann", 0)).collect();
    world.settles();
    world.now = world.now.after(Duration::from_millis(10));
    world.says(1);
    world.hub.step(world.now);
    let served = people.iter().filter(|who| world.people[**who].seqs() == [1]).count();
    assert!(served > 0 && served < 700, "{served}");
    // Their places are taken by people who have not been served yet.
    let leavers = 100;
    for who in &people[..leavers] {
        world.leaves(*who);
    }
    world.settles();
    for who in &people[leavers..] {
        assert_eq!(world.people[*who].seqs(), [1]);
    }
}

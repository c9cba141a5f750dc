//! Entries on their way to the gateways: order, losses, fences.

use std::sync::Arc;

use parking_lot::Mutex;
use salon_bus::InProcessBus;
use salon_core::ports::{Bus, BusMessage, BusSink, Topic};
use salon_core::{MemberChange, RoomKind};
use salon_proto::v1::{self, client_frame::Command};

use super::kit::*;
use crate::ServiceConfig;

/// A bus with faults: what it does to an entry is asked for each.
pub(super) struct FaultyBus {
    inner: Arc<InProcessBus>,
    fate: Mutex<Box<dyn FnMut(u64) -> Fate + Send>>,
    late: Mutex<Vec<(Topic, BusMessage)>>,
}

pub(super) enum Fate {
    Arrives,
    Lost,
    Twice,
    /// After the next one.
    Late,
}

impl FaultyBus {
    pub(super) fn new(fate: impl FnMut(u64) -> Fate + Send + 'static) -> Arc<Self> {
        Arc::new(Self { inner: InProcessBus::new(), fate: Mutex::new(Box::new(fate)), late: Mutex::default() })
    }
}

#[async_trait::async_trait]
impl Bus for FaultyBus {
    fn attach(&self, sink: Arc<dyn BusSink>) {
        self.inner.attach(sink);
    }

    async fn follow(&self, topic: Topic) {
        self.inner.follow(topic).await;
    }

    async fn unfollow(&self, topic: Topic) {
        self.inner.unfollow(topic).await;
    }

    fn publish(&self, topic: Topic, message: BusMessage) {
        let fate = match &message {
            BusMessage::Entry(entry) => (self.fate.lock())(entry.seq.0),
            BusMessage::Ephemeral { .. } | BusMessage::Revoked { .. } => Fate::Arrives,
        };
        match fate {
            Fate::Arrives => self.inner.publish(topic, message),
            Fate::Lost => return,
            Fate::Twice => {
                self.inner.publish(topic.clone(), message.clone());
                self.inner.publish(topic, message);
            }
            Fate::Late => return self.late.lock().push((topic, message)),
        }
        let late = std::mem::take(&mut *self.late.lock());
        late.into_iter().for_each(|(topic, message)| self.inner.publish(topic, message));
    }
}

async fn a_talk_over(fate: impl FnMut(u64) -> Fate + Send + 'static) -> Vec<String> {
    let salon = Salon::with(ServiceConfig::default(), FaultyBus::new(fate)).await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    for n in 2..=20 {
        ann.says("general", &format!("m{n}")).await;
    }
    passes(3_000).await;
    gateway.heard(&general())
}

fn the_whole_talk() -> Vec<String> {
    (2..=20).map(|n| format!("{n}: m{n}")).collect()
}

#[tokio::test(start_paused = true)]
async fn what_the_bus_loses_is_read_from_the_store() {
    assert_eq!(a_talk_over(|seq| if seq % 3 == 0 { Fate::Lost } else { Fate::Arrives }).await, the_whole_talk());
    // Even the last one, and even everything.
    assert_eq!(a_talk_over(|seq| if seq == 20 { Fate::Lost } else { Fate::Arrives }).await, the_whole_talk());
    assert_eq!(a_talk_over(|_| Fate::Lost).await, the_whole_talk());
}

#[tokio::test(start_paused = true)]
async fn what_the_bus_doubles_or_turns_around_is_delivered_once_and_in_order() {
    assert_eq!(a_talk_over(|seq| if seq % 2 == 0 { Fate::Twice } else { Fate::Arrives }).await, the_whole_talk());
    assert_eq!(a_talk_over(|seq| if seq % 4 == 1 { Fate::Late } else { Fate::Arrives }).await, the_whole_talk());
}

#[tokio::test(start_paused = true)]
async fn entries_of_other_processes_are_found() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (ann, _device) = salon.guest_of(&gateway, "Ann", "general").await;
    let store = salon.store.as_store();
    let row = store.room(&general(), ann.id()).await.unwrap().unwrap();
    let write = salon_core::ports::Write {
        room: general(),
        actor: ann.id().clone(),
        access: row.room.access,
        at: row.room.last_at,
        change: salon_core::ports::Change::Notice { text: "from the command line".into() },
        idempotency: None,
        salt: 1,
        news: Vec::new(),
    };
    store.append(write).await.unwrap();
    passes(1_500).await;
    assert_eq!(gateway.heard(&general()), ["2: notice"]);
}

#[tokio::test(start_paused = true)]
async fn a_reply_to_a_join_comes_before_the_entries_behind_it() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    let others = salon.gateway();
    let bob = salon.person("Bob").await;
    let bob = Device::open(&others, &bob).await;
    for n in 0..20 {
        ann.sends(Command::Message(message("general", &n.to_string())), None);
    }
    let serial = bob.sends(Command::Join(join("general")), Some(7));
    for n in 20..40 {
        ann.sends(Command::Message(message("general", &n.to_string())), None);
    }
    let reply = bob.reply(serial).await;
    let Some(salon_proto::link::reply::Effect::Attach(attach)) = reply.effect else { panic!() };
    others.settles().await;
    let seen = others.seen.lock();
    let first_entry = seen.entries.first().map(|entry| entry.entry.as_ref().unwrap().seq);
    assert_eq!(seen.order.first(), Some(&format!("reply {serial}")), "{:?}", seen.order);
    // Nothing is missing between what the reply covers and what comes live.
    assert!(first_entry.is_none_or(|first| first <= attach.caught_up_at + 1), "{first_entry:?} {attach:?}");
    assert_eq!(seen.entries.last().map_or(attach.caught_up_at, |last| last.entry.as_ref().unwrap().seq), 42);
}

#[tokio::test(start_paused = true)]
async fn a_removal_is_a_fence() {
    let salon = Salon::open().await;
    let (here, there) = (salon.gateway(), salon.gateway());
    let owner = salon.person("Olga").await;
    let room = salon.room(&owner, "club", RoomKind::Public).await;
    let olga = Device::open(&here, &owner).await;
    olga.joins("club").await;
    let (bob, device) = salon.guest_of(&there, "Bob", "club").await;
    let (_, _carl) = salon.guest_of(&there, "Carl", "club").await;
    salon.change(&owner, &room, &bob, MemberChange::Removed).await;
    olga.says("club", "he is gone").await;
    there.settles().await;
    {
        let seen = there.seen.lock();
        let tail: Vec<_> = seen.order.iter().filter(|line| !line.starts_with("reply")).cloned().collect();
        let expected = ["entry 4".to_owned(), format!("detach {}", bob.id()), "entry 5".to_owned()];
        assert!(tail.ends_with(&expected), "{tail:?}");
        assert_eq!((seen.detached[0].fence, &*seen.detached[0].log), (4, "club"));
    }
    assert_eq!(device.is_refused(Command::Message(message("club", "hello?"))).await, "forbidden");
    // The room is public, he was not banned: he may come back.
    let (ack, attach) = device.tries_to_join(join("club")).await;
    assert!(attach.is_some() && ack.seq == 6);
}

#[tokio::test(start_paused = true)]
async fn nobody_writes_after_a_ban_that_was_committed() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let owner = salon.person("Olga").await;
    let room = salon.room(&owner, "club", RoomKind::Public).await;
    let (bob, device) = salon.guest_of(&gateway, "Bob", "club").await;
    device.says("club", "I am known here").await;
    // Another node bans him: this one's memory of his standing is old.
    let store = salon.store.as_store();
    let row = store.room(&room, owner.id()).await.unwrap().unwrap();
    let target = bob.id().clone();
    let write = salon_core::ports::Write {
        room: room.clone(),
        actor: owner.id().clone(),
        access: row.room.access,
        at: row.room.last_at,
        change: salon_core::ports::Change::Member { target, change: MemberChange::Banned, role: None },
        idempotency: None,
        salt: 1,
        news: Vec::new(),
    };
    store.append(write).await.unwrap();
    assert_eq!(device.is_refused(Command::Message(message("club", "still here"))).await, "forbidden");
    passes(1_500).await;
    gateway.take();
    assert_eq!(gateway.seen.lock().detached.len(), 1, "and he is detached as soon as the heads are compared");
}

#[tokio::test(start_paused = true)]
async fn who_is_removed_while_joining_is_not_left_listening() {
    for delay_ms in 0..12 {
        let salon = Salon::open().await;
        let gateway = salon.gateway();
        let (owner, bob) = (salon.person("Olga").await, salon.person("Bob").await);
        let room = salon.room(&owner, "den", RoomKind::Private).await;
        let olga = salon.device(&owner).await;
        olga.joins("den").await;
        salon.change(&owner, &room, &bob, MemberChange::Invited).await;
        salon.change(&bob, &room, &bob, MemberChange::Joined).await;
        let device = Device::open(&gateway, &bob).await;
        let slow = std::time::Duration::from_millis(3);
        salon.store.set_faults(salon_store::Faults { read_delay: Some(Box::new(move || slow)), ..Default::default() });
        let joins = async {
            passes(delay_ms).await;
            device.reply(device.sends(Command::Join(join("den")), Some(1))).await
        };
        let (_, reply) = tokio::join!(salon.change(&owner, &room, &bob, MemberChange::Banned), joins);
        gateway.settles().await;
        let serial = reply.serial;
        let log = salon.service.logs.get(&room).unwrap();
        assert!(!log.is_heard_by(bob.id()), "{delay_ms}");
        let seen = gateway.seen.lock();
        let at = |line: &str| seen.order.iter().position(|other| other == line);
        if reply.effect.is_some() {
            assert!(at(&format!("detach {}", bob.id())) > at(&format!("reply {serial}")), "{delay_ms} {:?}", seen.order);
        }
    }
}

/// The simulation counts on it: the same schedule gives the same frames in the same order.
#[test]
fn what_happens_twice_alike_is_told_twice_alike() {
    let trace = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let salon = Salon::open().await;
            let gateway = salon.gateway();
            let mut people = Vec::new();
            for n in 0..10 {
                people.push(salon.guest_of(&gateway, &format!("P{n}"), "general").await.1);
            }
            let slow = std::time::Duration::from_millis(2);
            salon.store.set_faults(salon_store::Faults::slow_writes(slow));
            for n in 0..100 {
                people[n % 7].sends(Command::Message(message("general", &n.to_string())), Some(1));
                if n % 9 == 0 {
                    people[n % 10].sends(Command::Part(v1::Part { room: "general".into() }), Some(2));
                }
            }
            passes(15_000).await;
            gateway.take();
            let seen = gateway.seen.lock();
            format!("{:?} {:?} {:?}", seen.order, seen.entries, seen.room_events)
        })
    };
    assert_eq!(trace(), trace());
}

/// On real threads and in real time: what is said at once by many is heard by all in one order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_voices_are_heard_in_one_order() {
    const VOICES: usize = 8;
    const MESSAGES_EACH: usize = 100;
    let salon = Salon::open().await;
    let gateways = [salon.gateway(), salon.gateway()];
    let mut people = Vec::new();
    for n in 0..VOICES {
        people.push(salon.guest_of(&gateways[n % 2], &format!("P{n}"), "general").await.1);
    }
    let mut serials = Vec::new();
    for n in 0..MESSAGES_EACH {
        for device in &people {
            serials.push((device, device.sends(Command::Message(message("general", &n.to_string())), Some(1))));
        }
        if n % 32 == 31 {
            let (device, serial) = serials[serials.len() - 1];
            device.reply(serial).await;
        }
    }
    for (device, serial) in serials {
        let reply = device.reply(serial).await;
        assert!(matches!(reply.frame.unwrap().event, Some(v1::server_frame::Event::Ack(_))));
    }
    let head = (VOICES + VOICES * MESSAGES_EACH) as u64;
    for gateway in &gateways {
        let last = |seen: &mut Seen| seen.entries.last().is_some_and(|e| e.entry.as_ref().unwrap().seq == head).then_some(());
        gateway.until(last).await;
        let seqs: Vec<u64> = gateway.seen.lock().entries.iter().map(|e| e.entry.as_ref().unwrap().seq).collect();
        assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seqs:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn parting_detaches_every_connection_of_the_person() {
    let salon = Salon::open().await;
    let (here, there) = (salon.gateway(), salon.gateway());
    let (ann, phone) = salon.guest_of(&here, "Ann", "general").await;
    let laptop = Device::open(&there, &ann).await;
    laptop.joins("general").await;
    let part = || Command::Part(v1::Part { room: "general".into() });
    let reply = phone.reply(phone.sends(part(), Some(7))).await;
    assert!(matches!(reply.effect, Some(salon_proto::link::reply::Effect::Detach(detach)) if detach.log == "general"));
    there.settles().await;
    assert_eq!(there.seen.lock().detached.len(), 1);
    assert_eq!(laptop.is_refused(part()).await, "forbidden");
    let (_, attach) = laptop.tries_to_join(join("general")).await;
    assert!(attach.is_some(), "the service knows that nothing is attached any more");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_room_lets_go_of_everybody() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let owner = salon.person("Olga").await;
    let room = salon.room(&owner, "club", RoomKind::Public).await;
    let (_, bob) = salon.guest_of(&gateway, "Bob", "club").await;
    bob.joins("@me").await;
    salon.service.delete_room(&owner.identity, &room).await.unwrap();
    gateway.settles().await;
    let detached = gateway.seen.lock().detached.clone();
    assert_eq!((detached.len(), &*detached[0].log, &*detached[0].user), (1, "club", ""));
    assert_eq!(bob.is_refused(Command::Join(join("club"))).await, "not_found room");
    // Another room under the same name is another log.
    salon.room(&owner, "club", RoomKind::Public).await;
    bob.joins("club").await;
    bob.says("club", "anew").await;
    gateway.settles().await;
    assert_eq!(gateway.heard(&room).last().map(String::as_str), Some("3: anew"));
}

#[tokio::test(start_paused = true)]
async fn blocks_are_read_for_whoever_is_behind() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    for n in 2..=40 {
        ann.says("general", &format!("m{n}")).await;
    }
    let block = gateway.reads_block(&general(), 10, 20).await;
    let seqs: Vec<u64> = block.entries.iter().map(|entry| entry.seq).collect();
    assert_eq!((seqs, block.head, block.unavailable), ((11..=20).collect(), 40, false));
    let end = gateway.reads_block(&general(), 40, 60).await;
    assert_eq!((end.entries.len(), end.head, end.epoch), (0, 40, block.epoch));
    salon.store.set_faults(salon_store::Faults::fail_reads(1));
    assert!(gateway.reads_block(&general(), 10, 20).await.unavailable);
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_silent_nothing_is_delivered() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    passes(100).await;
    let silent = salon_store::Faults { read_fault: Some(Box::new(|| true)), ..salon_store::Faults::default() };
    salon.store.set_faults(silent);
    passes(2_000).await;
    assert!(salon.service.ready().await.is_err());
    // Writes still work, in this test: the entry waits all the same.
    ann.sends(Command::Message(message("general", "later")), None);
    passes(5_000).await;
    assert_eq!(gateway.heard(&general()), Vec::<String>::new());
    salon.store.set_faults(salon_store::Faults::default());
    passes(1_000).await;
    assert_eq!(gateway.heard(&general()), ["2: later"]);
    assert!(salon.service.ready().await.is_ok());
}

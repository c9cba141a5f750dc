//! A server that keeps every promise, as simple as can be, and the trace of a busy time with it.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::checker::trace::{Answer, Body, Device, Entry, Intent, PageMessage, Step, Told, Trace, What};
use crate::checker::{Aftermath, FinalRoom};

const ROOMS: [&str; 3] = ["attic", "cellar", "kitchen"];
const PEOPLE: usize = 4;
const DEVICES: usize = 6;
const ACTIONS: usize = 500;
/// Entries before the head with which a fresh join begins.
const FRESH: u64 = 3;

#[derive(Default)]
struct Room {
    entries: Vec<Entry>,
    members: BTreeSet<String>,
}

#[derive(Default)]
struct Client {
    user: String,
    connection: u64,
    open: bool,
    next_command: i64,
    cursors: BTreeMap<String, Cursor>,
    /// Sent, acknowledgement lost.
    unanswered: Vec<(i64, Intent, Answer)>,
}

#[derive(Clone)]
struct Cursor {
    at: u64,
    head: u64,
    caught_up: bool,
}

pub(super) struct Ideal {
    rng: StdRng,
    trace: Trace,
    rooms: BTreeMap<&'static str, Room>,
    clients: Vec<Client>,
    messages: u64,
    now: u64,
}

impl Ideal {
    pub(super) fn run(seed: u64) -> (Trace, Aftermath) {
        let clients = (0..DEVICES).map(|n| Client { user: format!("u_{}", n % PEOPLE), next_command: 1, ..Client::default() });
        let mut ideal = Self {
            rng: StdRng::seed_from_u64(seed),
            trace: Trace::default(),
            rooms: ROOMS.iter().map(|name| (*name, Room::default())).collect(),
            clients: clients.collect(),
            messages: 0,
            now: 0,
        };
        for _ in 0..ACTIONS {
            ideal.act();
        }
        ideal.rest();
        (ideal.trace.clone(), ideal.aftermath())
    }

    fn act(&mut self) {
        self.now += 1;
        let device = self.rng.random_range(0..DEVICES);
        let room = ROOMS[self.rng.random_range(0..ROOMS.len())];
        if !self.clients[device].open {
            return self.connect(device);
        }
        let joined = self.clients[device].cursors.contains_key(room);
        let member = self.rooms[room].members.contains(&self.clients[device].user);
        match self.rng.random_range(0..100) {
            0..3 => self.cut(device),
            3..5 if joined => self.leave(device, room),
            5..7 if member => self.remove_somebody(device, room),
            7..20 if !joined => self.join(device, room),
            20..40 if member => self.send(device, room),
            40..50 if member => self.change(device, room),
            50..55 if member => self.page(device, room),
            _ if joined => self.deliver(device, room),
            _ => {}
        }
    }

    fn step(&mut self, device: usize, what: What) {
        let connection = self.clients[device].connection;
        let device = Device(u32::try_from(device).unwrap());
        self.trace.steps.push(Step { at_ms: self.now, device, connection, what });
    }

    fn connect(&mut self, device: usize) {
        let client = &mut self.clients[device];
        (client.open, client.connection) = (true, client.connection + 1);
        let user = client.user.clone();
        let unanswered = std::mem::take(&mut client.unanswered);
        let resumed: Vec<String> = client.cursors.keys().cloned().collect();
        self.step(device, What::Opened);
        self.step(device, What::Welcomed { user });
        for room in resumed {
            let room = ROOMS.into_iter().find(|name| *name == room).unwrap();
            self.join(device, room);
        }
        for (command, intent, answer) in unanswered {
            self.step(device, What::Sends { command, intent });
            self.step(device, What::Acked { command, answer });
        }
    }

    fn cut(&mut self, device: usize) {
        self.clients[device].open = false;
        self.step(device, What::Closed);
    }

    fn append(&mut self, room: &str, actor: &str, body: Body) -> u64 {
        let log = self.rooms.get_mut(room).unwrap();
        let seq = log.entries.len() as u64 + 1;
        if let Body::Member { target, change } = &body {
            if change == "joined" {
                log.members.insert(target.clone())
            } else {
                log.members.remove(target)
            };
        }
        let at = format!("2026-11-20T00:00:00.{:03}Z", self.now);
        log.entries.push(Entry { room: room.into(), epoch: "e".into(), seq, at, actor: actor.into(), body });
        seq
    }

    fn command(&mut self, device: usize, intent: Intent, answer: Answer) {
        let client = &mut self.clients[device];
        let command = client.next_command;
        client.next_command += 1;
        self.step(device, What::Sends { command, intent: intent.clone() });
        let repeatable = matches!(answer, Answer::Message { .. });
        if repeatable && self.rng.random_ratio(1, 10) {
            self.clients[device].unanswered.push((command, intent, answer));
            return self.cut(device);
        }
        self.step(device, What::Acked { command, answer });
    }

    fn join(&mut self, device: usize, room: &'static str) {
        let user = self.clients[device].user.clone();
        if !self.rooms[room].members.contains(&user) {
            self.append(room, &user, Body::Member { target: user.clone(), change: "joined".into() });
        }
        let head = self.rooms[room].entries.len() as u64;
        let known = self.clients[device].cursors.get(room).map(|cursor| cursor.at);
        let at = known.unwrap_or(head.saturating_sub(FRESH));
        let since = known.map(|seq| ("e".to_owned(), seq));
        self.command(device, Intent::Join { room: room.into(), since }, Answer::Joined { epoch: "e".into(), head, gap: false });
        self.step(device, What::Told(Told::Joined { room: room.into(), resumed: known.is_some() }));
        self.clients[device].cursors.insert(room.into(), Cursor { at, head, caught_up: false });
    }

    fn leave(&mut self, device: usize, room: &str) {
        if self.rng.random() {
            return self.part(device, room);
        }
        self.command(device, Intent::Leave { room: room.into() }, Answer::Left);
        self.clients[device].cursors.remove(room);
    }

    fn part(&mut self, device: usize, room: &str) {
        let user = self.clients[device].user.clone();
        if self.rooms[room].members.contains(&user) {
            let seq = self.append(room, &user, Body::Member { target: user.clone(), change: "left".into() });
            self.command(device, Intent::Part { room: room.into() }, Answer::Parted { seq });
            self.fence(&user, room);
        }
    }

    fn remove_somebody(&mut self, device: usize, room: &str) {
        let (by, target) = (self.clients[device].user.clone(), format!("u_{}", self.rng.random_range(0..PEOPLE)));
        if self.rooms[room].members.contains(&target) && by != target {
            self.append(room, &by, Body::Member { target: target.clone(), change: "removed".into() });
            self.fence(&target, room);
        }
    }

    /// Those who can be written to get the entry that removes them, the others nothing more.
    fn fence(&mut self, user: &str, room: &str) {
        for device in 0..DEVICES {
            if self.clients[device].user != user || !self.clients[device].cursors.contains_key(room) {
                continue;
            }
            if self.clients[device].open && self.rng.random_ratio(3, 4) {
                while self.deliver_one(device, room) {}
            }
            self.clients[device].cursors.remove(room);
        }
    }

    fn send(&mut self, device: usize, room: &str) {
        self.messages += 1;
        let (id, client_id, content) =
            (format!("m_{}", self.messages), format!("c{}", self.messages), format!("text {}", self.messages));
        let user = self.clients[device].user.clone();
        let body = Body::Message { id: id.clone(), client_id: Some(client_id.clone()), content: Some(content.clone()) };
        let seq = self.append(room, &user, body);
        let intent = Intent::Message { room: room.into(), client_id, content };
        self.command(device, intent, Answer::Message { seq, id, duplicate: false });
    }

    /// Edits or deletes a message of one's own.
    fn change(&mut self, device: usize, room: &str) {
        let user = self.clients[device].user.clone();
        let own: Vec<(usize, String)> = self.rooms[room]
            .entries
            .iter()
            .enumerate()
            .filter_map(|(at, entry)| {
                let Body::Message { id, content: Some(_), .. } = &entry.body else { return None };
                (entry.actor == user).then(|| (at, id.clone()))
            })
            .collect();
        if own.is_empty() {
            return;
        }
        let (at, id) = own[self.rng.random_range(0..own.len())].clone();
        self.messages += 1;
        let deletes = self.rng.random_ratio(1, 4);
        let text = (!deletes).then(|| format!("text {}", self.messages));
        let log = self.rooms.get_mut(room).unwrap();
        if let Body::Message { content, .. } = &mut log.entries[at].body {
            content.clone_from(&text);
        }
        let (body, intent) = match text {
            Some(content) => {
                (Body::Edit { id: id.clone(), content: content.clone() }, Intent::Edit { room: room.into(), id, content })
            }
            None => {
                for entry in &mut log.entries {
                    if let Body::Edit { id: of, content } = &mut entry.body
                        && *of == id
                    {
                        content.clear();
                    }
                }
                (Body::Delete { id: id.clone() }, Intent::Delete { room: room.into(), id })
            }
        };
        let seq = self.append(room, &user, body);
        self.command(device, intent, Answer::Change { seq: Some(seq) });
    }

    fn pages(&self, room: &str) -> Vec<PageMessage> {
        let shown = |entry: &Entry| {
            let Body::Message { id, content, .. } = &entry.body else { return None };
            Some(PageMessage { id: id.clone(), seq: entry.seq, content: content.clone() })
        };
        self.rooms[room].entries.iter().filter_map(shown).collect()
    }

    fn page(&mut self, device: usize, room: &str) {
        let messages = self.pages(room);
        self.command(device, Intent::History { room: room.into() }, Answer::Page(messages));
    }

    fn deliver(&mut self, device: usize, room: &str) {
        for _ in 0..self.rng.random_range(1..5) {
            self.deliver_one(device, room);
        }
    }

    fn deliver_one(&mut self, device: usize, room: &str) -> bool {
        let Some(cursor) = self.clients[device].cursors.get_mut(room) else { return false };
        if cursor.at == cursor.head && !cursor.caught_up {
            cursor.caught_up = true;
            let seq = cursor.head;
            self.step(device, What::CaughtUp { room: room.into(), seq });
            return true;
        }
        let Some(entry) = self.rooms[room].entries.get(usize::try_from(cursor.at).unwrap()).cloned() else { return false };
        cursor.at += 1;
        let seq = cursor.at;
        self.step(device, What::Hears(entry));
        self.step(device, What::Told(Told::Entry { room: room.into(), seq }));
        true
    }

    /// Everybody connects and gets everything.
    fn rest(&mut self) {
        for device in 0..DEVICES {
            while !self.clients[device].open {
                self.connect(device);
            }
        }
        for device in 0..DEVICES {
            for room in ROOMS {
                while self.deliver_one(device, room) {}
            }
        }
    }

    fn aftermath(&self) -> Aftermath {
        let rooms = self.rooms.iter().map(|(name, room)| {
            let messages = self.pages(name);
            let kept = FinalRoom { epoch: "e".into(), entries: room.entries.clone(), messages, since_join: false };
            ((*name).to_owned(), kept)
        });
        Aftermath { rooms: rooms.collect() }
    }
}
